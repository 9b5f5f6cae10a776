"""The text of an answer's script: reading, running, splitting, combining, comparing."""
