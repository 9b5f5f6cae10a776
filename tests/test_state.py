"""What a run remembers: after a signal, of its data, and in each framework's own optimisers."""

import importlib
import signal

from knock import frameworks, questions, recipe
from knock.check.trace import batch, load
from knock.recipe.weights import initial_weights
from knock.scripts import load as answers
from knock.training import checkpoint, loss_log, recorder
from knock.training.record import read_run
from tests.helpers import answer, run_plain

import msgspec
import numpy as np
import PIL.Image
import pytest

AE = questions.find("ae")
SMALL = ["--batch-size", "2", "--size", "8", "--threads", "1", "--quiet"]
DIGITS = ["--dataset", "digits", *SMALL]


def same_state(a, b) -> bool:
    a, b = checkpoint.load(a).state, checkpoint.load(b).state
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_a_signal_ends_the_run_after_the_step_in_hand(number, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    caught = []

    def train(learner, model):
        for given in learner.batches():
            if learner.step == 3:
                signal.raise_signal(number)
            learner.log(model.train_step(given))

    def ours(*_):
        caught.append(number)

    before = signal.signal(number, ours)
    try:
        handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
        code = run_plain(*DIGITS, "--steps", "8", "--out", "a", train=train)
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    finally:
        signal.signal(number, before)
    assert (code, caught) == (130, [])
    assert "stopped after step 3; go on with: --resume a" in capsys.readouterr().out
    assert checkpoint.load(tmp_path / "a").step == 3
    assert loss_log.read(tmp_path / "a")["step"] == [1, 2, 3]
    assert run_plain("--resume", "a", "--quiet", "--steps", "8") == 0
    assert run_plain(*DIGITS, "--steps", "8", "--out", "whole") == 0
    assert same_state(tmp_path / "a", tmp_path / "whole")


def test_a_second_signal_is_the_programs_own_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recorder, "_AGAIN", 0.0)  # seconds: sooner, it counts as the same one
    caught = []

    def train(learner, model):
        for given in learner.batches():
            learner.log(model.train_step(given))
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, lambda *_: caught.append(1))
    try:
        assert run_plain(*DIGITS, "--steps", "8", "--out", "a", train=train) == 130
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught == [1]


def test_going_on_needs_no_word_about_the_data(tmp_path, monkeypatch):
    """Not even from another folder, again and again, nor for a look at the result."""
    (tmp_path / "mine").mkdir()
    for i in range(6):
        noise = np.random.default_rng(i).integers(0, 256, (8, 8, 3), np.uint8)
        PIL.Image.fromarray(noise).save(tmp_path / "mine" / f"{i}.png")
    monkeypatch.chdir(tmp_path)
    for name, steps in (("whole", "6"), ("a", "2")):
        assert run_plain("--data", "mine", *SMALL, "--steps", steps, "--out", name) == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for steps in ("4", "6"):
        assert run_plain("--resume", "../a", "--quiet", "--steps", steps) == 0
        assert read_run(tmp_path / "a")["data"] == str(tmp_path / "mine")
    assert same_state(tmp_path / "whole", tmp_path / "a")
    assert run_plain("--test", "../a") == 0


# What an answer would write in place of its Adam, for question 01: (framework, kind) to a function
# of the model, its variables, the recipe's settings, and the framework's module for answers.
OPTIMIZERS = {
    ("pytorch", "rmsprop"): lambda m, f, s: _torch("RMSprop")(_weights(m), s.lr, s.alpha),
    ("pytorch", "sgd"): lambda m, f, s: _torch("SGD")(_weights(m), s.lr, s.momentum),
    ("tensorflow", "rmsprop"): lambda m, f, s: f.RMSprop(m.variables, s.lr, s.alpha),
    ("tensorflow", "sgd"): lambda m, f, s: f.SGD(m.variables, s.lr, s.momentum),
    ("keras", "rmsprop"): lambda m, f, s: f.RMSprop(s.lr, s.alpha),
    ("keras", "sgd"): lambda m, f, s: f.SGD(s.lr, s.momentum),
    ("keras", "stock sgd"): lambda m, f, s: _keras("SGD")(s.lr, s.momentum),
    ("chainer", "rmsprop"): lambda m, f, s: _chainer("RMSprop")(s.lr, s.alpha).setup(m),
    ("chainer", "sgd"): lambda m, f, s: f.MomentumSGD(s.lr, s.momentum).setup(m),
    ("chainer", "stock sgd"): lambda m, f, s: _chainer("MomentumSGD")(s.lr, s.momentum).setup(m),
}
SETTINGS = {
    "adam": {"lr": 1e-2, "betas": (0.5, 0.99)},
    "rmsprop": {"lr": 1e-3, "alpha": 0.9},
    "sgd": {"lr": 0.5, "momentum": 0.75},
}
CASES = [(f, kind) for f in frameworks.FRAMEWORKS for kind in SETTINGS] + [
    case for case in OPTIMIZERS if case[1].startswith("stock")
]


def _torch(name):
    return getattr(importlib.import_module("torch.optim"), name)


def _keras(name):
    return getattr(importlib.import_module("keras.optimizers"), name)


def _chainer(name):
    return getattr(importlib.import_module("chainer.optimizers"), name)


def _weights(model):
    return [*model.encoder.parameters(), *model.decoder.parameters()]


class Learner:
    """01's answer in a framework, at the check's small sizes, with another optimiser."""

    def __init__(self, framework, kind):
        if frameworks.find(framework).missing:
            pytest.skip(f"{framework} is not installed")
        self.adapter = frameworks.load(framework)
        self.adapter.setup("cpu", "float64", 1)
        algorithm = kind.split()[-1]
        small = recipe.load_check(AE.recipe_file)
        settings = msgspec.structs.replace(
            small.optimizers["optimizer"], algorithm=algorithm, **SETTINGS[algorithm]
        )
        self.recipe = msgspec.structs.replace(small, optimizers={"optimizer": settings})
        self.model = answers.load(answer("ae", framework)).Autoencoder(self.recipe)
        if (framework, kind) in OPTIMIZERS:
            make = OPTIMIZERS[framework, kind]
            self.model.optimizer = make(self.model, self.adapter, settings)
        self.adapter.build(self.model, self.recipe)
        self.write(dict(initial_weights(self.recipe)))

    def read(self):
        return self.adapter.read(self.model, self.recipe)

    def write(self, state):
        self.adapter.write(self.model, self.recipe, state)

    def losses(self, *steps):
        taken = []
        for step in steps:
            given = self.adapter.to_device(batch(self.recipe, step))
            taken.append(float(self.adapter.to_numpy(self.model.train_step(given)["loss"])))
        return taken


@pytest.mark.parametrize(("framework", "kind"), CASES)
def test_what_is_read_and_written_goes_on_the_same(framework, kind):
    """Into a new model, and back into one that went another way; after steps, and before any."""
    first, other = Learner(framework, kind), Learner(framework, kind)
    begin = first.read()
    start = first.losses(1, 2, 3)
    state = first.read()
    after = first.losses(4, 5)
    assert [int(s["optimizer.step"]) for s in (begin, state, first.read())] == [0, 3, 5]
    slots = {"adam": "mv", "rmsprop": "v"}.get(kind, "m")
    assert {key[-1] for key in state if key.startswith("optimizer.encoder")} == set(slots)
    for slot in slots:
        assert all(state[key].any() for key in state if key.endswith(f".{slot}"))
    for _ in range(2):
        other.write(state)
        written = other.read()
        assert written.keys() == state.keys()
        close = 1e-15 if kind.startswith("stock") else 0  # they keep −lr·m
        assert all(np.allclose(written[key], state[key], rtol=close, atol=0) for key in state)
        assert np.allclose(other.losses(4, 5), after, rtol=close, atol=0)
        assert int(other.read()["optimizer.step"]) == 5
    other.write(begin)
    assert other.losses(1, 2, 3) == start


@pytest.mark.parametrize(("framework", "kind"), CASES)
def test_what_is_read_is_what_the_recipe_s_algorithm_remembers(framework, kind):
    """By hand, from how the weights change."""
    learner = Learner(framework, kind)
    settings = learner.recipe.optimizers["optimizer"]
    states = [learner.read()]
    for step in (1, 2):
        learner.losses(step)
        states.append(learner.read())
    for key in (k for k in states[0] if not k.startswith("optimizer.")):
        w = [state[key] for state in states]
        m, v = ([state.get(f"optimizer.{key}.{slot}") for state in states] for slot in "mv")
        if settings.algorithm == "sgd":
            wanted = [(w[i] - w[i + 1]) / settings.lr for i in (0, 1)]
            assert np.allclose(m[1], wanted[0], rtol=1e-9, atol=1e-12)
            assert np.allclose(m[2], wanted[1], rtol=1e-9, atol=1e-12)
        elif settings.algorithm == "rmsprop":  # √v is |g|·√(1−α) after one step
            g = np.sqrt(v[1] / (1 - settings.alpha))
            assert np.allclose(abs(w[0] - w[1]), settings.lr * g / (np.sqrt(v[1]) + 1e-8))
            assert (v[2] >= settings.alpha * v[1] * (1 - 1e-12)).all()
        else:
            one, two = settings.betas
            assert np.allclose(v[1] / (1 - two), (m[1] / (1 - one)) ** 2)
            g = (m[2] - one * m[1]) / (1 - one)
            assert np.allclose(v[2], two * v[1] + (1 - two) * g**2)


@pytest.mark.parametrize("kind", SETTINGS)
def test_every_framework_goes_on_from_every_other_s_state(kind):
    """In a circle, two steps each, beside the first framework alone."""
    names = frameworks.installed()
    if len(names) < 2:
        pytest.skip("needs two frameworks")
    alone, state, losses = Learner(names[0], kind), None, []
    for place, name in enumerate([*names, names[0]]):
        learner = Learner(name, kind)
        if state is not None:
            learner.write(state)
        losses += learner.losses(2 * place + 1, 2 * place + 2)
        state = learner.read()
    assert np.allclose(losses, alone.losses(*range(1, len(losses) + 1)), rtol=1e-12, atol=0)
    wanted = alone.read()
    assert all(np.allclose(state[key], wanted[key], rtol=1e-9, atol=1e-13) for key in wanted)


@pytest.mark.parametrize("framework", ["tensorflow", "keras"])
def test_without_a_graph_every_call_runs_the_code_itself_and_afterwards_none_does(framework):
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")
    adapter, seen = frameworks.load(framework), []

    @adapter.tf.function
    def step():
        seen.append("called")

    with pytest.raises(ZeroDivisionError), adapter.eagerly():
        step()
        step()
        raise ZeroDivisionError
    assert len(seen) == 2
    step()  # makes the graph
    step()
    assert len(seen) == 3


@pytest.mark.parametrize("framework", ["tensorflow", "keras"])
def test_a_check_computes_a_graph_as_it_is_written_and_a_run_may_rewrite_it(framework):
    """Two constant factors are made into one, which rounds otherwise."""
    if frameworks.find(framework).missing:
        pytest.skip(f"{framework} is not installed")
    adapter, x = frameworks.load(framework), np.linspace(0.0, 1.0, 1000)

    def product(x):
        return x * 0.1 * 0.7

    def in_a_graph():
        return adapter.to_numpy(adapter.tf.function(product)(adapter.to_device({"x": x})["x"]))

    path, small = AE.answer(framework), recipe.load_check(AE.recipe_file)
    for _ in range(2):  # each is undone by the other
        load(path, adapter, small)
        assert (in_a_graph() == product(x)).all()
        adapter.setup("cpu", "float64", 1)
        assert (in_a_graph() != product(x)).any()
