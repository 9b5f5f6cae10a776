"""Notebooks for Jupyter and Colab: made from a script, and read like one.

`make` turns an answer into a notebook, and its last cells call `cells`. `knock.scripts.notebook`
finds the answer in a notebook.
"""

from knock.scripts.notebook import is_notebook, place, source

__all__ = ["is_notebook", "place", "source"]
