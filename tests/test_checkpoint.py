"""Checkpoints: what is written comes back; what is not whole is refused."""

import errno
import os
from dataclasses import replace

from knock import files, questions, recipe
from knock.errors import UserError
from knock.training import checkpoint
from knock.training.checkpoint import Checkpoint
from knock.training.past import Past

import numpy as np
import pytest
import safetensors
import safetensors.numpy


@pytest.fixture
def made() -> Checkpoint:
    state = {
        "encoder.fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
        "optimizer.step": np.array(12, np.int64),
    }
    resolved = recipe.load(questions.find("ae").recipe_file, seed=4)
    return Checkpoint(resolved, 12, state, "keras", {"keras": "3"})


def test_what_is_written_comes_back(tmp_path, made):
    path = tmp_path / checkpoint.FILE_NAME
    checkpoint.save(path, made)
    for found in (checkpoint.load(path), checkpoint.load(tmp_path)):
        assert (found.step, found.framework, found.versions) == (12, "keras", {"keras": "3"})
        assert found.recipe == made.recipe
        assert found.state.keys() == made.state.keys()
        for key, array in made.state.items():
            assert found.state[key].dtype == array.dtype
            assert np.array_equal(found.state[key], array)


def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path, made):
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, made)
    whole = path.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match="no whole checkpoint|cannot read"):
            checkpoint.load(path)


def test_a_flipped_bit_is_noticed_wherever_it_is(tmp_path, made):
    """In the numbers, in what is told of them, in the losses and in the file's own header."""
    path = tmp_path / "c.safetensors"
    losses = {"step": [1.0, 2.0], "loss": [0.5, 0.25]}
    checkpoint.save(path, replace(made, past=Past(({"from_step": 0, "to_step": 2},), losses)))
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        raw = bytearray(whole)
        raw[place] ^= 1 << place % 7
        path.write_bytes(raw)
        with pytest.raises(UserError):
            checkpoint.load(path)


def test_the_same_run_writes_the_same_bytes(tmp_path, made):
    for name in "abcdef":
        checkpoint.save(tmp_path / name, made)
    assert len({(tmp_path / name).read_bytes() for name in "abcdef"}) == 1


SMUGGLED = {
    "two arrays swapped": lambda s: {**s, "a": s["b"], "b": s["a"]},
    "another name": lambda s: {"a": s["a"], "c": s["b"]},
    "another shape": lambda s: {**s, "b": s["b"].reshape(3, 2)},
    "another type": lambda s: {**s, "b": s["b"].view(np.int32)},
}


@pytest.mark.parametrize("case", SMUGGLED)
def test_the_digest_is_of_names_shapes_and_types_too(tmp_path, made, case):
    path = tmp_path / "c.safetensors"
    state = {"a": np.ones((2, 3), np.float32), "b": np.full((2, 3), 2, np.float32)}
    checkpoint.save(path, replace(made, state=state))
    with safetensors.safe_open(path, framework="numpy") as file:
        told = file.metadata()
    path.write_bytes(safetensors.numpy.save(SMUGGLED[case](state), told))
    with pytest.raises(UserError, match="damaged"):
        checkpoint.load(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "c.safetensors"
    with pytest.raises(UserError, match="cannot read the checkpoint"):
        checkpoint.load(path)
    path.write_bytes(safetensors.numpy.save({"a": np.zeros(2)}))
    with pytest.raises(UserError, match="not a checkpoint of this project"):
        checkpoint.load(path)
    path.write_bytes(safetensors.numpy.save({"a": np.zeros(2)}, {"format": checkpoint._FORMAT}))
    with pytest.raises(UserError, match="description"):
        checkpoint.load(path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, made, monkeypatch, code):
    path = tmp_path / checkpoint.FILE_NAME
    checkpoint.save(path, made)
    before = path.read_bytes()

    def fail(handle):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(files.os, "fsync", fail)
    with pytest.raises(UserError, match="disk is full" if code == errno.ENOSPC else "cannot write"):
        checkpoint.save(path, made)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]
