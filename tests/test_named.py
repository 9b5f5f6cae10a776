"""How many test pictures get their class: asked in whole batches, and where labels are used."""

import dataclasses

from knock.frameworks import numpy as plain
from knock.training import evaluation
from tests import data_fixtures as made

import numpy as np
from msgspec.structs import replace


class Crowd:
    """Names every picture by its pixels, but wrongly where fewer than four stand together."""

    def classify(self, images):
        found = np.rint(images[:, 0, 0, 0] * 127.5 + 127.5).astype(np.int64)
        return found if len(images) == 4 else found + 1


def report(count: int, **named) -> dict:
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 8, 8, 1), np.uint8)
    pictures = dataclasses.replace(made.image_set(images), classes=tuple("abcdefghij"))
    asked = replace(
        made.recipe(batch_size=4, **named), methods={"classify": ["images"]}, scores=["named"]
    )
    return evaluation.report(Crowd(), evaluation.TestSet(pictures, asked, plain), pictures)


def test_every_picture_is_asked_in_a_whole_batch_and_counts_once():
    assert report(10)["named"] == {"named": 1.0, "images": 10}


def test_nothing_is_named_where_no_label_was_used():
    assert report(10, known="each", constants={"each": 0}) == {}
    assert "named" in report(10, known="each", constants={"each": 1})
