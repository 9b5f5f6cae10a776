"""What a learner has: answers of their own, progress, hints, and a watch over one file."""
