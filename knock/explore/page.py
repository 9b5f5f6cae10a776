"""Makes a page: fills the template's files with what there is to show."""

import html
import json
from pathlib import Path
from string import Template
from typing import Any

from knock.frameworks import FRAMEWORKS
from knock.training.checkpoint import Checkpoint

_TEMPLATE = Path(__file__).parent


def make(kind: str, content: dict[str, Any]) -> str:
    """The page of one kind, `latent` or `generator`, as HTML; equal contents give equal texts.

    `content` is all that the page's script reads, ready for JSON: what `told` has, with `title`,
    `z` (the size of the space to walk in), and what the kind's own script needs.
    """
    text = json.dumps(content, ensure_ascii=False, sort_keys=True)
    styles = "\n".join(f"<style>\n{_read(one)}</style>" for one in ("page.css", f"{kind}.css"))
    scripts = "\n".join(
        f"<script>\n{_read(one)}</script>" for one in ("network.js", "page.js", f"{kind}.js")
    )
    return Template(_read("page.html")).substitute(
        title=html.escape(f"{content['title']} ({content['dataset']})"),
        styles=styles,
        main=_read(f"{kind}.html").rstrip(),
        # In an HTML file a script ends at the first "</script", even inside a JSON string.
        content=text.replace("<", "\\u003c"),
        scripts=scripts,
    )


def told(found: Checkpoint) -> dict[str, Any]:
    """What every page says of a checkpoint."""
    recipe = found.recipe
    known = FRAMEWORKS.get(found.framework)
    return {
        "dataset": recipe.dataset,
        "framework": known.title if known else found.framework,
        "step": found.step,
        "seed": recipe.seed,
        "constants": recipe.constants,
        "image": recipe.image_shape,
    }


def _read(name: str) -> str:
    return (_TEMPLATE / name).read_text(encoding="utf-8")
