"""`knock watch`: checks a learner's file again whenever it is saved."""
