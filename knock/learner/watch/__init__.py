"""`knock watch`: a learner's file is checked again whenever it is saved."""
