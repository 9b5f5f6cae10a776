"""Parity: our answers agree with the judge; and every known mistake turns its stage red."""

import itertools
import shutil
import subprocess
from dataclasses import replace
from types import SimpleNamespace

from knock import cli, frameworks, recipe
from knock.check import check, difference, explain_mistakes, explain_numbers, judge, trace
from knock.check.trace import Trace
from knock.errors import UserError
from knock.frameworks import numpy as plain
from knock.questions import Question, all_questions, find, mistakes
from knock.recipe import Network, kinds, layers
from tests.helpers import REFERENCE, answer

import msgspec
import numpy as np
import pytest

ANSWERS = [(q.name, f) for q in all_questions() for f in q.answered_in]


def skip_without(framework: str) -> None:
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")


@pytest.mark.parametrize(("question", "framework"), ANSWERS)
def test_it_passes_with_other_weights_and_batches(question, framework, monkeypatch):
    """Three steps, and in no graph: test_verify.py compares a hundred, as they are trained."""
    skip_without(framework)
    monkeypatch.setattr(trace, "LOOKED_AT", (1, 2, 3))
    with frameworks.load(framework).eagerly():
        results = check(question, framework, seed=3, travel=False)
    assert not [r for r in results if r.status == "failed"]


JUDGED = pytest.mark.parametrize(
    "question",
    [q for q in all_questions() if q.reference_file.is_file()],
    ids=lambda question: question.name,
)


@JUDGED
def test_the_mistakes_that_are_told_by_their_loss_can_be_told_apart(question):
    """Each gives a loss that no other gives, or else numbers that no other gives.

    The exception is noise that a batch normalisation follows: it removes what is the same in every
    picture. Where nothing else is given the noise, none and one for all cannot be
    told apart, and both are named.
    """
    path, small = question.reference_file, recipe.load_check(question.recipe_file)
    known = explain_mistakes.of(path, plain, small)
    assert len(known.own) == len(known.planted) > 0
    right, state = trace.first_step(path, plain, small) if small.optimizers else ({}, {})
    possible = {what: terms for what, (terms, _) in known.steps.items() if terms and terms != right}
    quiet = {
        what: known.steps.get(what, ({}, {}))[1] | known.outputs[what]
        for what in set(known.planted) - set(possible)
    }
    quiet["none"] = state | trace.first_outputs(path, plain, small)
    for what in quiet if small.pools else ():  # which must fill before a mistake shows
        code = known.planted.get(what)
        later = trace.first_losses(path, plain, small, code, trace.RESUMED_AT)
        quiet[what] |= {"later": np.array([[*one.values()] for one in later])}

    def switched(what, constants):
        code = known.planted.get(what)
        with np.errstate(divide="ignore", invalid="ignore"):  # a mistake may divide by 0
            _, stepped = trace.first_step(path, plain, constants, code)
            return stepped | trace.first_outputs(path, plain, constants, code)

    def alike(numbers, others):
        return all(np.array_equal(numbers[key], others[key]) for key in others)

    for (one, numbers), (other, others) in itertools.combinations(quiet.items(), 2):
        assert not alike(numbers, others) or not all(
            alike(switched(one, constants), switched(other, constants)) for constants in small.also
        ), (one, other)
    subject = {what: what.partition(" is ")[0] for what in possible}
    normalised = any(
        [one.layer.kind for one in placed.layers[:2]] == ["linear", "batch_norm"]
        for placed in layers.networks(small).values()
    )
    for what, terms in possible.items():
        told = set(explain_numbers.explanations(possible, terms, right))
        akin = {other for other in possible if subject[other] == subject[what]}
        hidden = subject[what].endswith("noise") and normalised
        hidden |= subject[what] == "the chance"  # its first row is its least: all are below `drop`
        if what.startswith("the mask"):  # nothing comes out of two in a row, whichever is left out
            assert what in told and len({other.partition(" ")[2][5:] for other in told}) == 1
        else:
            assert told == {what} or (hidden and told == akin)
    assert not explain_numbers.explanations(possible, right, right)


@JUDGED
def test_what_the_judge_can_plant_a_check_names(question, tmp_path):
    """Many of these mistakes are planted in no framework: here a learner makes them in NumPy."""
    reference, small = question.reference_file, recipe.load_check(question.recipe_file)
    steps = (1, 2, trace.RESUMED_AT) if small.pools else (1,)  # pools must fill first
    expected = trace.take(reference, plain, small, looked_at=steps)
    standard = judge.Standard(small, reference, plain, expected)
    source = reference.read_text(encoding="utf-8")
    for one in mistakes.suspects(question.mistakes_file):
        path = tmp_path / "mine.py"
        path.write_text(mistakes.plant_once(source, one.numpy), encoding="utf-8")
        with np.errstate(invalid="ignore", divide="ignore"):  # roots of what is negative, log 0
            got = trace.take(path, plain, small, looked_at=steps, right=expected)
        red = {r.name: r.message for r in standard.judge(got, travel=False) if r.status == "failed"}
        named = {stage: message for stage, message in red.items() if one.said in message}
        assert named, (one.said, red)
        if "forward" in named:
            right = expected.outputs
            wrong = [
                n for n, array in right.items() if not explain_numbers.close(got.outputs[n], array)
            ]
            assert named["forward"] == f"{', '.join(wrong)}: {one.said}"


def test_suspects_are_kept_until_a_file_of_the_question_changes(tmp_path):
    small, reference = recipe.load_check(find("ae").recipe_file), tmp_path / "reference.py"
    shutil.copy(REFERENCE, reference)
    assert explain_mistakes.of(reference, plain, small).own == ()
    table = tmp_path / mistakes.FILE_NAME
    shutil.copy(find("ae").mistakes_file, table)
    known = explain_mistakes.of(reference, plain, small)
    assert known.planted and explain_mistakes.of(reference, plain, small) is known
    text = table.read_text(encoding="utf-8")
    table.write_text(text.replace("the square root", "a square root"), encoding="utf-8")
    other = explain_mistakes.of(reference, plain, small)
    assert "a square root of the mean squared difference is used" in set(other.planted) - set(
        known.planted
    )
    reference.write_text("changed = True\n", encoding="utf-8")
    with pytest.raises(UserError, match="the mistake no longer fits the answer"):
        _ = explain_mistakes.of(reference, plain, small).planted
    assert explain_mistakes.of(reference, object(), small).own == ()


def test_only_a_mistake_that_gives_all_losses_is_told():
    right = {"a": 1.0, "b": 1.0, "c": 1.0}
    mistaken = {
        "one": {"a": 2.0, "b": 1.0, "c": 1.0},
        "two": {"a": 2.0, "b": 2.0, "c": 1.0},
        "other": {"a": 3.0, "b": 1.0, "c": 1.0},
    }
    assert explain_numbers.explanations(mistaken, mistaken["one"], right) == ["one"]
    assert explain_numbers.explanations(mistaken, mistaken["two"], right) == ["two"]
    assert explain_numbers.explanations(mistaken, {"a": 2.0, "b": 5.0, "c": 1.0}, right) == []
    assert explain_numbers.explanations(mistaken, {"a": 5.0, "b": 1.0, "c": 1.0}, right) == []


def test_a_mistake_that_nobody_wrote_down_is_found_by_changing_the_judge(tmp_path):
    pytest.importorskip("torch")
    source = answer("vae", "pytorch").read_text(encoding="utf-8")
    path = tmp_path / "mine_pytorch.py"
    path.write_text(source.replace("log_variance / 2", "log_variance / 3"), encoding="utf-8")
    red = {r.name: r for r in check("vae", "pytorch", path)}["loss"]
    assert red.status == "failed"
    assert red.message.endswith(
        "`np.exp(log_variance / 3)` is computed instead of `np.exp(log_variance / 2)`"
    )


def batch_norm_recipe() -> recipe.Recipe:
    """01's check recipe with a batch normalisation, which 01 and 02 do not have."""
    small = recipe.load_check(find("ae").recipe_file)
    layers = [kinds.Conv(name="c", kernel=1, out=2, bias=False), kinds.BatchNorm(name="b")]
    return replace_networks(small, {"encoder": Network(["channels", "height", "width"], layers)})


def replace_networks(small: recipe.Recipe, networks: dict[str, Network]) -> recipe.Recipe:
    optimizer = msgspec.structs.replace(small.optimizers["optimizer"], networks=list(networks))
    return msgspec.structs.replace(small, networks=networks, optimizers={"optimizer": optimizer})


@pytest.mark.parametrize(
    ("momentum", "status"),
    [(0.1, "passed"), (0.1 + 1e-9, "passed"), (0.1 + 1e-8, "failed"), (0.9, "failed")],
)
def test_running_statistics_are_a_stage(momentum, status):
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

    results = {r.name: r for r in judge.compared(trace(momentum), trace(0.1), small)}
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


def test_what_an_answer_raises_fails_its_stage_alone(tmp_path):
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
    assert (
        f"NotImplementedError: TODO (line {line}: raise NotImplementedError('TODO'))"
        in results["loss"].message
    )
    assert results["gradients"].status == "skipped"


@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
def test_shapes_and_keys_are_told_in_each_framework_also_out_of_its_graphs(framework, tmp_path):
    skip_without(framework)
    small, adapter = recipe.load_check(find("gan").recipe_file), frameworks.load(framework)
    text = answer("gan", framework).read_text(encoding="utf-8")
    said = {}
    for name, old, new in (
        ("keys", 'batch["images"]', 'batch["image"]'),
        ("shapes", 'batch["noise"]', 'batch["noise"][:, :3]'),
    ):
        path = tmp_path / f"{name}_{framework}.py"
        made = text.replace(old, new)
        if name == "shapes":  # for TensorFlow, equal code of two files is the first one's
            made = made.replace("fc1(noise), 0.2)", "fc1(noise), 0.3)")
        path.write_text(made, encoding="utf-8")
        said[name] = trace.take(path, adapter, small).errors["loss"]
    assert said["keys"].startswith("your code raises KeyError: 'image' (line ")
    assert said["keys"].endswith("; batch has epoch, images, labels, noise, step)")
    assert "self.fc1(noise), 0.3); noise = (4, 3) float64)" in said["shapes"]


@pytest.fixture
def numpy_only(monkeypatch):
    """Every framework is plain NumPy, and its answer the plain one: fast, and always here."""
    monkeypatch.setattr(frameworks, "load", lambda name: plain)
    monkeypatch.setattr(frameworks, "installed", lambda: ["pytorch"])
    monkeypatch.setattr(Question, "answer", lambda self, framework: self.reference_file)


def mine(folder, more=""):
    """01's plain answer with something more at its end."""
    path = folder / "mine_pytorch.py"
    path.write_text(REFERENCE.read_text(encoding="utf-8") + more, encoding="utf-8")
    return path


CHANGED = """
import msgspec

class Autoencoder(Autoencoder):
    taken = 0

    def __init__(self, recipe):
        super().__init__(recipe)
        self.arrays = [
            (m, name) for n in (self.encoder, self.decoder) for m in n.modules for name in m.values
        ]
        self.begin()

    def begin(self):
        pass

    def set(self, **changes):
        self.optimizer.settings = msgspec.structs.replace(self.optimizer.settings, **changes)

    def train_step(self, batch):
        self.taken += 1
        self.before(batch)
        return self.result(super().train_step(batch))

    def before(self, batch):
        pass

    def result(self, losses):
        return losses
"""

PLANTED = {
    "float32 inside the encoder": (
        "    def begin(self):\n"
        "        class Rounded(framework.Network):\n"
        "            def __call__(self, x):\n"
        "                return super().__call__(x.astype('float32').astype('float64'))\n"
        "        self.encoder.__class__ = Rounded\n",
        "forward",
        "something in it is float32",
    ),
    "no losses": ("    def result(self, losses): pass\n", "loss", "a dict of losses, not None"),
    "a loss alone": (
        "    def result(self, losses): return losses['loss']\n",
        "loss",
        "a dict of losses, not a float64",
    ),
    "another loss": (
        "    def result(self, losses): return {'mse': losses['loss']}\n",
        "loss",
        "train_step returns no 'loss'; it returns: mse",
    ),
    "a weight decay of 1e-10": (
        "    def before(self, batch):\n"
        "        for m, name in self.arrays:\n"
        "            m.gradients[name] += 1e-10 * m.values[name]\n",
        "gradients",
        "the gradient of",
    ),
    "another first beta": (
        "    def begin(self): self.set(betas=(0.5, 0.999))\n",
        "gradients",
        "optimizer: its first beta is 0.5, the recipe's 0.9",
    ),
    "a learning rate 1e-7 higher": (
        "    def begin(self): self.set(lr=1e-3 * (1 + 1e-7))\n",
        "10 steps",
        "",
    ),
    "another learning rate after a while": (
        "    def before(self, batch): self.set(lr=1e-3 if self.taken < 50 else 1.0001e-3)\n",
        "100 steps",
        "",
    ),
    "a count that no checkpoint holds": (
        "    def before(self, batch): self.set(lr=1e-3 if self.taken <= 100 else 2e-3)\n",
        "checkpoint",
        "training continues differently after a checkpoint",
    ),
    "another picture once it is trained": (
        "    shown = 1\n"
        "    def before(self, batch): self.shown = 1\n"
        "    def result(self, losses):\n"
        "        self.shown = 1 + 1e-11\n"
        "        return losses\n"
        "    def reconstruct(self, images): return super().reconstruct(images) * self.shown\n",
        "checkpoint",
        "something that is in no network changes the outputs",
    ),
    "a small share of a count that no checkpoint holds": (
        "    def before(self, batch): self.set(lr=1e-3 * (1 + 1e-6 * (self.taken > 100)))\n",
        "checkpoint",
        "training continues differently after a checkpoint",
    ),
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_small_mistake_turns_its_stage_red_first(case, numpy_only, tmp_path):
    code, stage, said = PLANTED[case]
    results = check("ae", "pytorch", mine(tmp_path, CHANGED + code))
    first = next(r for r in results if r.status == "failed")
    assert (first.name, said in first.message) == (stage, True), results


PLACES = {
    "before the first layer": (
        "self.conv1(images)",
        "self.conv1(1.5 * images)",
        "discriminator",
        "; all after conv1 is right, so look at conv1 and at what comes before it",
    ),
    "in a layer": (
        "self.tconv2(h)",
        "(1.1 * self.tconv2(h))",
        "generator",
        "; all after tconv2 is right, so look at tconv2 and at what is between fc and it",
    ),
    "between two layers": (
        "self.bn2(self.tconv2(h)",
        "0.9 * self.bn2(self.tconv2(h)",
        "generator",
        "; all after tconv3 is right, so look at tconv3 and at what is between tconv2 and it",
    ),
    "after the last layer": (
        "tanh(self.pixels(h))",
        "tanh(0.9 * self.pixels(h))",
        "generator",
        "; look at what comes after pixels",
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("framework", frameworks.FRAMEWORKS)
def test_a_mistake_without_a_name_has_a_place(framework, place, tmp_path, monkeypatch):
    skip_without(framework)
    monkeypatch.setattr(trace, "LOOKED_AT", (1,))
    old, new, network, said = PLACES[place]
    source = answer("dcgan", framework).read_text(encoding="utf-8")
    assert old in source
    path = tmp_path / f"mine_{framework}.py"
    path.write_text(source.replace(old, new), encoding="utf-8")
    with frameworks.load(framework).eagerly():
        red = {r.name: r for r in check("dcgan", framework, path, travel=False)}["forward"]
    assert red.status == "failed"
    assert red.message.startswith(f"{network} differs, although the weights are right: most at [")
    assert red.message.endswith(said)


def test_defaults_where_the_recipe_has_others_are_named(numpy_only, tmp_path):
    """GANs take β₁ = 0.5; an answer that leaves the betas out has 0.9."""
    question = replace(find("ae"), folder=tmp_path)
    text = find("ae").recipe_file.read_text(encoding="utf-8")
    question.recipe_file.write_text(text.replace("[0.9, 0.999]", "[0.5, 0.999]"), encoding="utf-8")
    shutil.copy(REFERENCE, question.reference_file)
    path = mine(tmp_path, CHANGED + "    def begin(self): self.set(betas=(0.9, 0.999))\n")
    results = {r.name: r for r in check(question, "pytorch", path)}
    assert results["gradients"].status == "failed"
    assert results["gradients"].message == "optimizer: its first beta is 0.9, the recipe's 0.5"


@pytest.fixture(scope="module")
def right():
    """The recipe of 01's check, and the judge's numbers on it."""
    small = recipe.load_check(find("ae").recipe_file)
    return small, trace.take(REFERENCE, plain, small)


def scaled(name, by):
    """A change of a trace: one number, or all arrays of a kind, larger by a tiny share."""

    def change(got):
        if name.startswith("loss"):
            got.losses[int(name.split()[1]) - 1]["loss"] *= 1 + by
        elif name == "output":
            got.outputs["decoder"] = got.outputs["decoder"] * (1 + by)
        else:
            kind, step = name.split()
            state = got.states[int(step)]
            for key in state:
                if key.endswith(".m") if kind == "moments" else not key.startswith("optimizer"):
                    state[key] = state[key] * (1 + by)

    return change


NOTICED = {
    "output": ("forward", 2e-12),
    "loss 1": ("loss", 2e-12),
    "moments 1": ("gradients", 2e-12),
    "loss 9": ("10 steps", 2e-11),
    "weights 10": ("10 steps", 2e-11),
    "loss 11": ("100 steps", 2e-8),
    "loss 100": ("100 steps", 2e-8),
    "weights 100": ("100 steps", 2e-8),
}


@pytest.mark.parametrize("name", NOTICED)
def test_each_stage_is_as_strict_as_promised(name, right):
    """Twice the tolerance fails that stage alone, a quarter of it passes."""
    small, expected = right
    stage, size = NOTICED[name]
    for by, red in ((size, [stage]), (size / 8, [])):
        results = judge.compared(changed(expected, scaled(name, by)), expected, small)
        assert [r.name for r in results if r.status == "failed"] == red


def changed(given, change) -> Trace:
    """A copy of a trace with a change in it."""
    made = Trace(
        outputs=dict(given.outputs),
        blocked=dict(given.blocked),
        losses=[dict(losses) for losses in given.losses],
        states={step: dict(state) for step, state in given.states.items()},
    )
    change(made)
    return made


def test_too_few_losses_fail(right):
    small, expected = right
    for count, red in ((50, ["100 steps"]), (9, ["10 steps", "100 steps"])):
        got = changed(expected, lambda t, n=count: t.losses.__delitem__(slice(n, None)))
        results = judge.compared(got, expected, small)
        assert [r.name for r in results if r.status == "failed"] == red


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_fails_wherever_it_stands(right, bad):
    small, expected = right
    key = "decoder.fc.weight"

    def everywhere(t):
        t.outputs["decoder"] = np.full_like(t.outputs["decoder"], bad)
        for losses in t.losses:
            losses["loss"] = bad
        t.states[1][f"optimizer.{key}.m"] = np.full_like(t.states[1][key], bad)
        t.states[10] = {k: a * bad for k, a in t.states[10].items()}

    results = {r.name: r for r in judge.compared(changed(expected, everywhere), expected, small)}
    red = [name for name, r in results.items() if r.status == "failed"]
    assert red == ["forward", "loss", "gradients", "10 steps", "100 steps"]
    assert "decoder gives numbers that are NaN or infinite" in results["forward"].message
    one = np.array([1.0, bad])
    assert difference.relative(one, np.ones(2)) == np.inf
    assert difference.relative(np.ones(3), np.ones(2)) == np.inf
    assert difference.relative(np.array([3.0, 4.0]), np.zeros(2)) == 5.0
    assert difference.relative(np.array([3.0, 5.0]), np.array([3.0, 4.0])) == pytest.approx(0.2)


def dropping_v(model, small, state):
    """A `write` that forgets Adam's second moment."""
    v = {k: a * 0 for k, a in state.items() if k.endswith(".v")}
    plain.write(model, small, {**state, **v})


@pytest.mark.parametrize("name", ["pytorch", "keras"])
def test_an_adapter_that_drops_what_an_optimiser_remembers_is_found(name, numpy_only, monkeypatch):
    """Whether it is the one that is checked or another on the way."""
    adapters = {f: SimpleNamespace(**vars(plain)) for f in ("pytorch", "keras")}
    monkeypatch.setattr(frameworks, "load", adapters.__getitem__)
    monkeypatch.setattr(frameworks, "installed", lambda: list(adapters))
    results = {r.name: r for r in check("ae", "pytorch")}
    assert results["checkpoint"].status == "passed"
    assert results["checkpoint"].message == "through pytorch, keras and back"
    adapters[name].write = dropping_v
    (red,) = (r for r in check("ae", "pytorch") if r.status == "failed")
    assert red.name == "checkpoint"
    told = {
        "pytorch": "changes when it is written and read again",
        "keras": "came back changed from keras",
    }
    assert red.message == f"optimizer.encoder.fc.weight.v {told[name]}"


def test_an_adapter_with_other_outputs_after_the_trip_is_found(numpy_only, monkeypatch):
    adapters = {f: SimpleNamespace(**vars(plain)) for f in ("pytorch", "keras")}
    adapters["keras"].evaluate = lambda network, x: network(x) * (1 + 2e-12)
    monkeypatch.setattr(frameworks, "load", adapters.__getitem__)
    monkeypatch.setattr(frameworks, "installed", lambda: list(adapters))
    (red,) = (r for r in check("ae", "pytorch") if r.status == "failed")
    assert (red.name, "outputs differ" in red.message) == ("checkpoint", True)


def test_every_step_of_a_check_has_a_batch_of_its_own():
    small = recipe.load_check(find("ae").recipe_file)
    small = msgspec.structs.replace(small, draws={"z": recipe.Draw("normal", [3])})
    first, second, again = (trace.batch(small, step) for step in (1, 2, 1))
    for name in ("images", "labels", "z"):
        assert np.array_equal(first[name], again[name])
        assert not np.array_equal(first[name], second[name])
    other = trace.batch(msgspec.structs.replace(small, seed=1), 1)
    assert not np.isclose(first["images"], other["images"]).any()
    assert first["images"].shape == (4, 3, 8, 12)
    assert -1 <= first["images"].min() < -0.9 and 0.9 < first["images"].max() <= 1


@pytest.fixture
def judged_by(tmp_path, monkeypatch):
    """Who would judge an answer to a question without a reference; nothing is run."""
    question = replace(find("ae"), folder=tmp_path)
    shutil.copy(find("ae").recipe_file, question.recipe_file)
    monkeypatch.setattr(frameworks, "load", lambda name: name)

    class Asked(Exception):
        pass

    def take(path, adapter, small):
        raise Asked(path, adapter)

    monkeypatch.setattr(trace, "take", take)

    def call(framework, file, installed):
        monkeypatch.setattr(frameworks, "installed", lambda: installed)
        with pytest.raises(Asked) as asked:
            check(question, framework, file)
        path, adapter = asked.value.args
        assert path == answer("ae", adapter)
        return adapter

    return call


def test_without_a_reference_another_framework_judges(judged_by, tmp_path):
    both = ["pytorch", "keras"]
    assert judged_by("pytorch", None, both) == "keras"
    assert judged_by("keras", None, both) == "pytorch"
    file = tmp_path / "mine.py"
    assert judged_by("pytorch", file, both) == "pytorch"  # ours judges somebody's
    assert judged_by("pytorch", file, ["pytorch"]) == "pytorch"
    for framework, installed in (("pytorch", ["pytorch"]), ("keras", [])):
        with pytest.raises(UserError, match=f"ae in {framework} with: install a second framework"):
            judged_by(framework, None, installed)


def test_the_reference_judges_where_there_is_one(monkeypatch):
    monkeypatch.setattr(frameworks, "load", lambda name: pytest.fail("a framework judges"))
    assert judge._judge(find("ae"), "pytorch", True) == (plain, REFERENCE)


def test_the_command_shows_the_stages_and_fails_with_them(numpy_only, tmp_path, capsys):
    planted, stage, said = PLANTED["a count that no checkpoint holds"]
    for more, code in (("", 0), (CHANGED + planted, 1)):
        with pytest.raises(SystemExit) as left:
            cli.main(["check", "ae", str(mine(tmp_path, more))])
        own, whole, *more = capsys.readouterr().out.split("\n\n")
        assert ["knock next" in text for text in more] == [True][code:]  # what can be done now
        head, *own = own.splitlines()
        *lines, count = whole.splitlines()
        assert left.value.code == code
        assert own[:3] == ["  ✓ losses", "  ✓ step", "  ✓ sampling"]
        assert own[3:] == [] or "right by itself, but together they are not: checkpoint: " in own[3]
        assert len(own) == 3 + code
        assert head == f"01 ae in PyTorch: {tmp_path / 'mine_pytorch.py'}"
        marks = {line[4:16].strip(): (line[2], line) for line in lines}
        assert list(marks) == [stage for stage in difference.TOLERANCE if stage != "switches"]
        assert marks["parameters"][0] == "✓" and marks["batch norm"][0] == "–"
        if code:
            assert marks[stage][0] == "✗" and said in marks[stage][1]
            assert count == "  6 passed, 1 failed"
        else:
            assert count == "  7 passed, 0 failed"


def test_what_was_wrong_before_the_training_is_no_fault_of_a_checkpoint(numpy_only, tmp_path):
    code = "    def reconstruct(self, images): return super().reconstruct(images) + self.more\n"
    code += "    more = 1\n    def before(self, batch): self.more = 0\n"
    code += "    def result(self, losses):\n        self.more = 1\n        return losses\n"
    results = check("ae", "pytorch", mine(tmp_path, CHANGED + code))
    assert [r.name for r in results if r.status == "failed"] == ["forward"]


def test_a_file_cannot_end_its_check(numpy_only, tmp_path, capsys):
    """With exit code 0 and no table, as if all were well."""
    for more in (
        "import os\nos._exit(0)\n",
        CHANGED + "    def begin(self): import os; os._exit(0)\n",
    ):
        with pytest.raises(SystemExit) as left:
            cli.main(["check", "ae", str(mine(tmp_path, more))])
        assert left.value.code in (1, 2)
        said = capsys.readouterr()
        assert "it ends the program: sys.exit(0)" in said.out + said.err


def test_a_command_for_all_frameworks_fails_with_any(monkeypatch):
    """Each has a process of its own, and gets the seed."""
    monkeypatch.setattr(frameworks, "installed", lambda: ["pytorch", "keras", "chainer"])
    asked = []

    def answered(words):
        asked.append(words[words.index("knock") + 1 :])
        return SimpleNamespace(returncode=int("keras" in words))

    monkeypatch.setattr(subprocess, "run", answered)
    with pytest.raises(SystemExit) as left:
        cli.main(["check", "ae", "--ours", "--seed", "5"])
    assert left.value.code == 1
    names = ("pytorch", "keras", "chainer")
    assert asked == [["check", "ae", "--ours", "--framework", n, "--seed", "5"] for n in names]


def test_wrong_numbers_may_be_infinite_and_alike():
    bad = np.array([1.0, np.nan, 3.0])
    assert explain_numbers.alike(bad, bad) and not explain_numbers.close(bad, bad)
    assert not explain_numbers.close(np.array([1.0, 2.0]), np.array([np.inf, 2.0]))
    assert explain_numbers.alike(np.array([1.0, np.inf, 3.0]), bad)
    assert not explain_numbers.alike(np.array([1.0, 2.0, 3.0]), bad)
    assert not explain_numbers.alike(bad, np.array([1.0, 2.0, 3.0]))
    assert not explain_numbers.alike(np.array([1.0, np.nan, 3.1]), bad)
    assert explain_numbers.alike(np.float64("nan"), np.float64("nan"))
    assert not explain_numbers.alike(np.float64("nan"), np.float64(1.0))
    assert not explain_numbers.alike(bad[:2], bad)


def test_a_single_number_is_no_networks_output():
    got, expected = np.array(0.0), np.array(-0.1)
    assert explain_numbers.change_of_output(got, expected) is None
    assert explain_numbers.of_output("kernel", got, expected) == "kernel gives 0, expected -0.1"
    assert explain_numbers.change_of_output(np.zeros((2, 2)), -np.ones((2, 2)))


def test_an_output_may_differ_as_much_as_the_recipe_allows_and_no_more():
    small = recipe.load_check(find("ae").recipe_file)
    loose = msgspec.structs.replace(small, loose={"reconstruct": 1e-9})
    expected = trace.take(REFERENCE, plain, small, looked_at=(1,))
    for off, of_all, of_loose in (
        (1e-13, "passed", "passed"),
        (1e-10, "failed", "passed"),
        (1e-8, "failed", "failed"),
    ):
        got = trace.take(REFERENCE, plain, small, looked_at=(1,))
        got.outputs["reconstruct"] = got.outputs["reconstruct"] * (1 + off)
        for one, status in ((small, of_all), (loose, of_loose)):
            (forward,) = (r for r in judge.compared(got, expected, one) if r.name == "forward")
            assert forward.status == status, (off, one.loose)
        got.outputs["encoder"] = got.outputs["encoder"] * (1 + 1e-11)
        (forward,) = (r for r in judge.compared(got, expected, loose) if r.name == "forward")
        assert forward.status == "failed"
