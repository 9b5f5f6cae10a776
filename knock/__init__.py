"""Image Generation Knock: the package behind the scripts — everything that is not the lesson."""

__version__ = "0.1.0"
