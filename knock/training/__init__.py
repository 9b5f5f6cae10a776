"""A training run: where it starts, the steps, and everything that it leaves in its folder."""
