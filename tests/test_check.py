"""Parity: our answers agree with the judge; and every known mistake turns its part red."""

from knock import frameworks, recipe
from knock.check import check, parts
from knock.check.trace import Trace
from knock.errors import UserError
from knock.questions import all_questions, find
from knock.recipe import Layer, Network
from tests.helpers import answer
from tests.mistakes import AE, CONVAE

import numpy as np
import pytest

ANSWERS = [(q.name, f) for q in all_questions() for f in q.answered_in]
MISTAKES = [(m, f) for m in (*AE, *CONVAE) for f in m.changes]


def skip_without(framework: str) -> None:
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")


@pytest.mark.parametrize(("question", "framework"), ANSWERS)
def test_our_answer_passes_every_part(question, framework):
    skip_without(framework)
    results = check(question, framework)
    assert [r.name for r in results] == list(parts.TOLERANCE)
    assert not [r for r in results if r.status == "failed"]
    assert [r.name for r in results if r.status == "skipped"] in ([], ["batch norm"])


@pytest.mark.parametrize(("question", "framework"), ANSWERS)
def test_it_passes_with_other_weights_and_batches(question, framework):
    skip_without(framework)
    assert not [r for r in check(question, framework, seed=3, travel=False) if r.status == "failed"]


@pytest.mark.parametrize(
    ("mistake", "framework"), MISTAKES, ids=[f"{m.name}-{m.question}-{f}" for m, f in MISTAKES]
)
def test_a_planted_mistake_turns_its_part_red(mistake, framework, tmp_path):
    skip_without(framework)
    source = answer(mistake.question, framework).read_text(encoding="utf-8")
    old, new = mistake.changes[framework]
    assert old in source, f"the mistake no longer fits the answer: {old!r}"
    path = tmp_path / f"mine_{framework}.py"
    path.write_text(source.replace(old, new), encoding="utf-8")
    travel = mistake.part == "checkpoint"
    results = {r.name: r for r in check(mistake.question, framework, path, travel=travel)}
    red = results[mistake.part]
    assert red.status == "failed", results
    assert mistake.words in red.message
    before = list(results)[: list(results).index(mistake.part)]
    assert all(results[name].status != "failed" for name in before), "an earlier part is red"


def batch_norm_recipe() -> recipe.Recipe:
    """01's check recipe with a batch normalisation, which 01 and 02 do not have."""
    small = recipe.load_check(find("ae").recipe_file)
    layers = [Layer("conv", name="c", kernel=1, out=2, bias=False), Layer("batch_norm", name="b")]
    return replace_networks(small, {"encoder": Network(["channels", "height", "width"], layers)})


def replace_networks(small: recipe.Recipe, networks: dict[str, Network]) -> recipe.Recipe:
    import msgspec

    optimizer = msgspec.structs.replace(small.optimizers["optimizer"], networks=list(networks))
    return msgspec.structs.replace(small, networks=networks, optimizers={"optimizer": optimizer})


@pytest.mark.parametrize(("momentum", "status"), [(0.1, "passed"), (0.9, "failed")])
def test_running_statistics_are_a_part(momentum, status):
    """BatchNorm's second argument taken for momentum, and the like."""
    small = batch_norm_recipe()
    state = {
        "encoder.c.weight": np.ones((2, 3, 1, 1)),
        "encoder.b.weight": np.ones(2),
        "encoder.b.bias": np.zeros(2),
        "encoder.b.running_var": np.ones(2),
    }
    state |= {f"optimizer.{k}.m": v * 0 for k, v in state.items()}

    def trace(share: float) -> Trace:
        full = {**state, "encoder.b.running_mean": np.full(2, 5.0 * share)}
        return Trace(losses=[{"loss": 1.0}] * 100, states=dict.fromkeys((0, 1, 2, 10, 100), full))

    results = {r.name: r for r in parts.compared(trace(momentum), trace(0.1), small)}
    assert results["batch norm"].status == status
    if status == "failed":
        assert "running_mean" in results["batch norm"].message


def test_functional_style_and_other_names_pass(tmp_path):
    """What counts is what it computes: layers in a Sequential, helpers with names of one's own."""
    pytest.importorskip("torch")
    path = tmp_path / "my_pytorch.py"
    path.write_text(
        "import math, torch\n"
        "from torch import nn\n"
        "class Autoencoder:\n"
        "    def __init__(self, recipe):\n"
        "        n, k = math.prod(recipe.image_shape), recipe.constants['code']\n"
        "        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(n, k))\n"
        "        self.decoder = nn.Sequential(\n"
        "            nn.Linear(k, n), nn.Unflatten(1, recipe.image_shape))\n"
        "        both = nn.ModuleList([self.encoder, self.decoder])\n"
        "        self.optimizer = torch.optim.Adam(both.parameters(), lr=1e-3)\n"
        "    def train_step(self, batch):\n"
        "        x = batch['images']\n"
        "        loss = nn.functional.mse_loss(self.reconstruct(x), x)\n"
        "        self.optimizer.zero_grad(); loss.backward(); self.optimizer.step()\n"
        "        return {'loss': loss}\n"
        "    def reconstruct(self, images):\n"
        "        return self.decoder(self.encoder(images))\n"
    )
    assert not [r for r in check("ae", "pytorch", path) if r.status == "failed"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no file"),
        ("def f(:\n", r"does not run: SyntaxError.*line 1"),
        ("import no_such_module\n", r"does not run: ModuleNotFoundError.*line 1"),
        ("x = 1\n", "defines no class Autoencoder"),
        ("raise SystemExit(0)\n", "ends the program"),
    ],
)
def test_a_file_that_does_not_load_is_refused(tmp_path, text, said):
    pytest.importorskip("torch")
    path = tmp_path / "mine_pytorch.py"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UserError, match=said):
        check("ae", "pytorch", path)


def test_what_an_answer_raises_fails_its_part_alone(tmp_path):
    pytest.importorskip("torch")
    source = answer("ae", "pytorch").read_text(encoding="utf-8")
    path = tmp_path / "mine_pytorch.py"
    path.write_text(source.replace("loss.backward()", "raise SystemExit(0)"))
    results = {r.name: r for r in check("ae", "pytorch", path)}
    assert results["loss"].status == "failed"
    assert "ends the program" in results["loss"].message
    path.write_text(source.replace("loss.backward()", "raise NotImplementedError('TODO')"))
    results = {r.name: r for r in check("ae", "pytorch", path)}
    assert [r.status for r in results.values()][:2] == ["passed", "passed"]
    assert results["loss"].status == "failed"
    line = path.read_text().splitlines().index("        raise NotImplementedError('TODO')") + 1
    assert f"NotImplementedError: TODO (line {line})" in results["loss"].message
    assert results["gradients"].status == "skipped"
