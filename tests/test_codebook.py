"""Question 19's codes: the same in four frameworks, also where two vectors are equally near."""

from knock import frameworks, questions, recipe
from knock.recipe.weights import initial_weights
from knock.scripts import load as answers

import numpy as np
import pytest

BOOK = [[3, 3, 3], [1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 0]]
"""Whole numbers, so that products are exact, and 1 is as near as 2, and 3 as near as 4."""

NEAR = {(1, 0, 0): 1, (0, 1, 0): 3, (0, 2, 0): 3, (1, 1, 0): 1, (4, 3, 3): 0, (0, 0, 0): 1}
"""A vector, and the smallest number of those that are nearest to it."""


@pytest.fixture(params=frameworks.FRAMEWORKS)
def opened(request):
    """An adapter, and our answer in it with this codebook."""
    if frameworks.find(request.param).missing:
        pytest.skip(f"{request.param} is not installed")
    adapter, question = frameworks.load(request.param), questions.find("vq_vae")
    resolved = recipe.load_check(question.recipe_file)
    adapter.setup("cpu", "float64", 1)
    path = question.answer(request.param)
    model = answers.model_class(answers.load(path), resolved.class_name, path)(resolved)
    adapter.build(model, resolved)
    weights = dict(initial_weights(resolved)) | {"codebook.e.weight": np.array(BOOK, float)}
    adapter.write(model, resolved, weights)
    return adapter, model


def test_of_equally_near_vectors_the_first_is_taken(opened):
    adapter, model = opened
    maps = np.array([*NEAR], float).reshape(1, 2, 3, 3).transpose(0, 3, 1, 2)
    codes = model.codebook.nearest(adapter.to_device({"maps": maps})["maps"])
    assert adapter.to_numpy(codes).tolist() == [[[1, 3, 3], [1, 0, 1]]]
    assert [*NEAR.values()] == adapter.to_numpy(codes).ravel().tolist()


def test_numbers_draw_codes_by_the_sums_of_their_chances(opened):
    """With equal chances u = 0 draws the first of five codes, u = 0.5 the third, and 1 the last.

    Numbers below 1 may become 1 when they are rounded to float32.
    """
    adapter, model = opened
    seen = []
    vectors = model.codebook.vectors
    model.codebook.vectors = lambda codes: (seen.append(adapter.to_numpy(codes)), vectors(codes))[1]
    still = {"prior.logits.weight": 0.0, "prior.logits.bias": 0.0}
    resolved = recipe.load_check(questions.find("vq_vae").recipe_file)
    state = adapter.read(model, resolved)
    adapter.write(model, resolved, state | {key: state[key] * zero for key, zero in still.items()})
    noise = np.array([0.0, 0.1, 0.5, 0.79, 0.9, 1.0]).reshape(1, 2, 3)
    with adapter.eagerly():
        model.generate(adapter.to_device({"noise": noise})["noise"])
    assert seen[-1].tolist() == [[[0, 0, 2], [3, 4, 4]]]
