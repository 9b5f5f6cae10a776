"""Notebooks, for who works in Jupyter or Colab: made from a script, and read like one.

`make` turns an answer into a notebook, `cells` is what its last cells call, and `read` finds in
somebody's notebook what they have written of an answer.
"""

from knock.scripts.notebook import is_notebook, place, source

__all__ = ["is_notebook", "place", "source"]
