"""What a learner has: their own answers, their progress, hints, and checks at every save."""
