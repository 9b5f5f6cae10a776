"""The peer that question 06 is compared with: its networks, its step, and what it leaves behind."""

import json
import sys

from knock import frameworks
from knock.measure import examiner
from knock.paths import ROOT
from tests.helpers import run_here

import numpy as np
import pytest

pytestmark = pytest.mark.skipif("pytorch" not in frameworks.installed(), reason="needs PyTorch")

SCRIPT = ROOT / "benchmarks" / "peer.py"


@pytest.fixture
def peer(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    monkeypatch.delitem(sys.modules, "peer", raising=False)
    import peer

    return peer


def maps(network):
    import torch

    return [one.out_channels for one in network.modules() if isinstance(one, torch.nn.Conv2d)]


@pytest.mark.parametrize("side", [28, 32])
def test_it_has_the_maps_of_the_well_known_script(peer, side):
    import torch

    made = peer.Peer((1, side, side), seed=0)
    assert maps(made.generator) == [128, 64, 1]
    assert maps(made.discriminator) == [16, 32, 64, 128]
    assert made.make(3).shape == (3, side, side, 1)
    assert made.discriminator(torch.zeros(2, 1, side, side)).shape == (2, 1)


def gradients(network):
    return [one.grad.clone() for one in network.parameters()]


def test_a_step_trains_the_generator_on_its_own_loss_alone(peer):
    import torch

    made = peer.Peer((1, 16, 16), seed=1)
    before = [one.detach().clone() for one in made.generator.parameters()]
    rates = made.g_optimizer.param_groups[0]
    assert (rates["lr"], rates["betas"]) == (2e-4, (0.5, 0.999))
    own = []  # its gradients when it is updated
    update = made.g_optimizer.step
    made.g_optimizer.step = lambda: (own.extend(gradients(made.generator)), update())
    losses = made.train_step(torch.zeros(4, 1, 16, 16))
    assert np.isfinite(losses).all()
    moved = [
        not torch.equal(a, b) for a, b in zip(before, made.generator.parameters(), strict=True)
    ]
    assert all(moved)
    assert all(torch.equal(a, b) for a, b in zip(own, gradients(made.generator), strict=True))


def test_its_pictures_are_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(examiner, "_STEPS", 2)
    monkeypatch.setattr(examiner.EXAMINERS, "name", str(tmp_path / "examiners"))
    words = ["--dataset", "digits", "--seconds", "0.1", "--seed", "3"]
    words += ["--made", "100", "--out", "other"]
    done = run_here(str(SCRIPT), *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads((tmp_path / "other" / "peer.json").read_text(encoding="utf-8"))
    assert (told["dataset"], told["seed"]) == ("digits", 3)
    assert told["scores"]["frechet"] > 1 and told["scores"]["missing"] == {}
    assert f"Fréchet distance {told['scores']['frechet']:.2f}" in done.stdout
    assert told["steps"] >= 1 and told["seconds"] >= 0.1
    assert (tmp_path / "other" / "peer.png").is_file()


def test_a_data_set_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("KNOCK_DATA", str(tmp_path))
    monkeypatch.setattr("knock.data.load", missing)
    done = run_here(str(SCRIPT), "--dataset", "mnist", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("error: no mnist here")


def missing(*_):
    from knock.errors import UserError

    raise UserError("no mnist here")
