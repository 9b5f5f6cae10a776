"""The text of an answer's script: read, run, cut up, put together, compared."""
