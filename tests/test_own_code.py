"""A part counts by its own code: what a file does elsewhere gives it no point, and takes none.

Each file is checked as the grader does it, but in this process, where it is not worth a sandbox.
"""

import tempfile
from functools import cache
from pathlib import Path

from knock import frameworks
from knock import recipe as recipes
from knock.check import parts, trace
from knock.check.judge import Standard
from knock.check.own_code import OwnCode
from knock.frameworks import numpy as plain
from knock.grade.grading import TEN
from knock.questions import all_questions, find
from knock.scripts import starter
from knock.scripts.bindings import keep_the_rest, may_be_anew
from knock.scripts.source import Source
from knock.scripts.splice import splice
from knock.scripts.transplant import transplant
from tests.test_cli import needs_torch
from tests.test_other_ways import SEQUENTIAL

import pytest

GAN = find("gan")
PARTS = list(GAN.parts)
RIGHT = GAN.answer("pytorch").read_text(encoding="utf-8")
OURS = Source.parse(GAN.answer("pytorch"), RIGHT)
WHOSE = {one.name: one.part for one in starter.places(RIGHT, GAN.parts)}


@pytest.fixture(autouse=True)
def ten_steps(monkeypatch):
    """A tenth of the time, and enough for all that is planted here."""
    monkeypatch.setattr(trace, "LOOKED_AT", (1, 2, 10))


@cache
def standard():
    return Standard.by(plain, GAN.reference_file, recipes.load_check(GAN.recipe_file))


def states(text):
    """The status of each part of a file, as the grader would see it."""
    adapter, full = frameworks.load("pytorch"), standard()
    short = full.of_ten_steps()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gan_pytorch.py"
        file.write_text(text, encoding="utf-8")
        mine = Source.read(file)

        def run(code, looked_at=()):
            return trace.take(file, adapter, full.recipe, code, looked_at, right=full.expected)

        def take(names, pause):
            return run(None if names is None else splice(mine, OURS, names))

        def in_ours(names):
            return run(transplant(mine, OURS, names), TEN)

        def changed(other, names):
            there = Source.parse(file, other)
            code = compile(other, str(file), "exec") if names is None else None
            return run(code or splice(there, OURS, names), TEN)

        own = OwnCode(short, mine, OURS, WHOSE, in_ours, changed)
        report = parts.examine(full, mine, OURS, GAN.parts, take, own=own)
    assert [one.name for one in report.parts] == PARTS
    return {one.name: one.status for one in report.parts}, report


def empty(text=RIGHT, *kept):
    """Our answer, of which each part but some says nothing: `return 0`."""
    lines = text.split("\n")
    for place in reversed(starter.places(text, GAN.parts)):
        if place.part not in kept and not place.name.endswith("__init__"):
            first, last = place.node.body[0].lineno, place.node.body[-1].end_lineno
            lines[first - 1 : last] = [" " * (place.node.col_offset + 4) + "return 0"]
    return "\n".join(lines)


COPIES = RIGHT.replace("class ", "class Copy").replace("def called", "def copy_called")
COPIES = COPIES[COPIES.index("class CopyGenerator") : COPIES.index("def train(")]
"""Right copies of everything, of other names."""

REBIND = """
Generator.forward = CopyGenerator.forward
Discriminator.forward = CopyDiscriminator.forward
called_real, called_fake = copy_called_real, copy_called_fake
GAN.train_step = lambda self, batch: CopyGAN.train_step(self, batch)
GAN.generate = lambda self, noise: CopyGAN.generate(self, noise)
"""


def at_the_end(code, text=None):
    """A file of empty parts with something before its last block, and the copies that it uses."""
    text = text or empty()
    place = text.index("def train(run")
    return text[:place] + COPIES + code + "\n\n" + text[place:]


AGREE = """
class Nothing(nn.Module):
    def forward(self, *given): return torch.zeros(1)
GAN.train_step = lambda self, batch: {"discriminator": 0.0, "generator": 0.0}
GAN.generate = lambda self, noise: noise
Generator.forward = lambda self, noise: noise
Discriminator.forward = lambda self, images: images
called_real = called_fake = lambda logits: logits.sum()
"""


def method(code, owner="GAN", text=None):
    """A file of empty parts with something more in one of its classes."""
    text = text or empty()
    head = f"class {owner}(nn.Module):\n"
    assert head in text
    return text.replace(head, head + "".join(f"    {one}\n" for one in code.splitlines()))


def at_init(code):
    """The same with something at the end of `GAN.__init__`."""
    last = next(one for one in empty().split("\n") if one.startswith("        self.g_optimizer ="))
    more = "".join(f"\n        {one}" for one in code.splitlines())
    return at_the_end("", empty().replace(last, last + more))


def headed(old, new, more=""):
    """The same with another line before a class or function, and copies that come first."""
    text = empty()
    assert text.count(old) == 1, old
    text = text.replace(old, new)
    first = text.index("class Generator(")
    return text[:first] + COPIES + more + "\n\n" + text[first:]


STEP = "    def train_step(self, batch):\n"
MADE = "self.generator = Generator("

BY_ARGUMENTS = """
import argparse

READ = argparse.ArgumentParser()
for name in ("train_step", "generate"):
    READ.add_argument(f"--{name}", action="store_const", const=CopyGAN.__dict__[name])
READ.parse_args(["--train_step", "--generate"], GAN)
"""

REBOUND = {
    "a parser of arguments": BY_ARGUMENTS,
    "lambdas": REBIND,
    "setattr": """
for name in ("train_step", "generate"):
    setattr(GAN, name, getattr(CopyGAN, name))
""",
    "a special name": "type.__setattr__(GAN, 'train_step', CopyGAN.train_step)",
    "globals": """
globals()["called_real"], globals()["called_fake"] = copy_called_real, copy_called_fake
""",
    "vars of a module": "import sys\nvars(sys.modules[__name__])['GAN'] = CopyGAN",
    "a subclass of the same name": "class GAN(CopyGAN):\n    pass",
    "a value of the same name": "GAN = type('GAN', (CopyGAN,), {})",
    "a loop": "for GAN in [CopyGAN]:\n    pass",
    "an if": "if len(COPIED) < 9:\n    class GAN(CopyGAN): pass\n".replace("COPIED", "'x'"),
    "a walrus": "print(GAN := CopyGAN)",
    "with": "import contextlib\nwith contextlib.nullcontext(CopyGAN) as GAN: pass",
    "except": "try:\n    1 / 0\nexcept ZeroDivisionError:\n    GAN = CopyGAN",
    "match": "match CopyGAN:\n    case GAN: pass",
    "del": "del GAN\nclass GAN(CopyGAN): pass",
    "global": "def bind():\n    global GAN\n    GAN = CopyGAN\n\n\nbind()",
    "exec": "exec('GAN = CopyGAN')",
    "code": "GAN.train_step.__code__ = CopyGAN.train_step.__code__",
    "a module's class": """
import sys
import types

class Module(types.ModuleType):
    GAN = property(lambda self: CopyGAN)

COPY = GAN
del GAN
sys.modules[__name__].__class__ = Module
""",
    "a module's __getattr__": """
del GAN

def __getattr__(name):
    return {"GAN": CopyGAN}[name]
""",
    "a hook of the framework": """
def hook(network, given, output):
    if isinstance(network, Generator | Discriminator):
        return (CopyGenerator if isinstance(network, Generator) else CopyDiscriminator).forward(
            network, *given)

torch.nn.modules.module.register_module_forward_hook(hook)
""",
    "an alias": "it = GAN\nit.train_step, it.generate = CopyGAN.train_step, CopyGAN.generate",
    "a mock": "from unittest import mock\nmock.patch.object(GAN, 'train_step', "
    "CopyGAN.train_step).start()",
    "functools": """
import functools

PAIRS = [(GAN, CopyGAN), (Generator, CopyGenerator), (Discriminator, CopyDiscriminator)]
NAMES = ("train_step", "generate", "forward")
DONE = [functools.update_wrapper(one, other, NAMES, ()) for one, other in PAIRS]
""",
    "getattr under another name": """
find = getattr
DONE = find(find(copy_called_real, "__globals__"), "update")({"GAN": CopyGAN})
""",
    "a text that finds an attribute": """
import operator

DONE = operator.attrgetter("__globals__")(copy_called_real).update(GAN=CopyGAN)
""",
    "an annotation": """
import typing

def told(x: "globals().update(GAN=CopyGAN)"):
    pass

DONE = typing.get_type_hints(told)
""",
    "a framework that runs a text": """
import numpy as np

TEXT = "one.train_step, one.generate = other.train_step, other.generate"
DONE = np.testing.runstring(TEXT, {"one": GAN, "other": CopyGAN})
""",
    "frames": "import inspect\ninspect.currentframe().f_globals['GAN'] = CopyGAN",
    "the base": "nn.Module.__getattribute__ = lambda self, name: (\n"
    "    object.__getattribute__(self, name))\nGAN.__bases__ = (CopyGAN,)",
}

ATTACKS = {
    **{f"bound anew by {how}": at_the_end(code) for how, code in REBOUND.items()},
    "copies that agree with each other": at_the_end(AGREE),
    "an init that makes others": at_the_end(
        "", empty().replace(MADE, "self.generator = CopyGenerator(")
    ),
    "networks that no part has, and that agree": at_the_end(AGREE).replace(
        MADE, "self.generator = (lambda *_: Nothing())("
    ),
    "an init that binds its methods": at_init(
        "copy = CopyGAN(recipe)\nself.copy = copy\nself.train_step = copy.train_step\n"
        "self.generate = copy.generate"
    ),
    "an init that binds its methods by a text": at_init(
        "import operator\nown = lambda batch: CopyGAN.train_step(self, batch)\n"
        "operator.methodcaller('__setattr__', 'train_step', own)(self)"
    ),
    "an init that says what a network calls": at_init(
        "called = lambda noise: CopyGenerator.forward(self.generator, noise)\n"
        "self.generator._call_impl = called"
    ),
    "another class": at_init("self.__class__ = CopyGAN"),
    "another class's method, bound by the class": at_init(
        "type(self).train_step = CopyGAN.train_step"
    ),
    "a network around an empty one": at_the_end(
        "class Around(nn.Module):\n"
        "    def __init__(self, inner, shape, z):\n"
        "        super().__init__()\n"
        "        self.inner = [inner]\n"
        "        right = CopyGenerator(shape, z)\n"
        "        self.fc1, self.fc2, self.fc3 = right.fc1, right.fc2, right.fc3\n"
        "        self.pixels, self.right = right.pixels, [right]\n"
        "    def forward(self, noise):\n"
        "        return self.right[0](noise) + self.inner[0](noise)\n",
        empty().replace(
            'self.generator = Generator(recipe.image_shape, recipe.constants["z"])',
            "given = recipe.image_shape, recipe.constants['z']\n"
            "        self.generator = Around(Generator(*given), *given)",
        ),
    ),
    "a metaclass": headed(
        "class GAN(nn.Module):",
        "class GAN(nn.Module, metaclass=Meta):",
        "class Meta(type):\n    def __call__(cls, recipe): return CopyGAN(recipe)\n",
    ),
    "__new__": headed(
        "class GAN(nn.Module):",
        "class GAN(nn.Module):\n    def __new__(cls, recipe): return CopyGAN(recipe)\n",
    ),
    "__getattribute__": headed(
        "class GAN(nn.Module):",
        "class GAN(nn.Module):\n    def __getattribute__(self, name):\n"
        "        if name in ('train_step', 'generate'):\n"
        "            return getattr(CopyGAN, name).__get__(self)\n"
        "        return super().__getattribute__(name)\n",
    ),
    "__init_subclass__": headed(
        "class GAN(nn.Module):",
        "class GAN(Base):",
        "class Base(nn.Module):\n    def __init_subclass__(cls):\n"
        "        cls.train_step = CopyGAN.train_step\n",
    ),
    "__set_name__": headed(
        "class GAN(nn.Module):",
        "class GAN(nn.Module):\n    named = Named()\n",
        "class Named:\n    def __set_name__(self, owner, name):\n"
        "        owner.train_step = CopyGAN.train_step\n",
    ),
    "a base's __getattribute__": headed(
        "class Generator(nn.Module):",
        "class Generator(Base):",
        "class Base(nn.Module):\n    def __getattribute__(self, name):\n"
        "        if name == 'forward': return CopyGenerator.forward.__get__(self)\n"
        "        return super().__getattribute__(name)\n",
    ),
    "a decorator": headed(
        STEP, "    @instead\n" + STEP, "def instead(f): return CopyGAN.train_step\n"
    ),
    "a decorator that wraps and does not use": headed(
        STEP,
        "    @instead\n" + STEP,
        "import functools\ndef instead(f):\n    @functools.wraps(f)\n    def g(self, batch):\n"
        "        f(self, batch)\n        return CopyGAN.train_step(self, batch)\n    return g\n",
    ),
    "a decorator that is a lambda": headed(STEP, "    @(lambda f: CopyGAN.train_step)\n" + STEP),
    "a decorator of a class": headed(
        "class GAN(nn.Module):",
        "@instead\nclass GAN(nn.Module):",
        "def instead(cls): return CopyGAN\n",
    ),
    "a decorator that others bring": headed(
        STEP,
        "    @functools.partial(functools.reduce, lambda *_: CopyGAN.train_step, [0])\n" + STEP,
        "import functools\n",
    ),
    "a default": headed(
        "    def train_step(self, batch):",
        "    def train_step(self, batch, bound=bind()):",
        "def bind():\n    torch.nn.Module.__call__ = CopyGenerator.__call__\n",
    ),
    "a class's own attribute": headed(
        STEP,
        STEP + "        return 0\n\n    train_step = CopyGAN.train_step\n\n    def unused(self):\n",
    ),
    "a class's own method, twice": headed(
        "class Generator(nn.Module):",
        "class Generator(nn.Module):\n    def __call__(self, noise):\n"
        "        return self.forward(noise)\n\n    forward = CopyGenerator.forward\n",
    ),
    "a part that binds another": headed(
        "    def generate(self, noise):\n        return 0",
        "    def generate(self, noise):\n        GAN.train_step = CopyGAN.train_step\n"
        "        return CopyGAN.generate(self, noise)",
    ),
    "no code at all": empty(),
}

EARNED = {"a part that binds another": {"sampling"}}
"""What an attack's file does by its own code."""


@needs_torch
@pytest.mark.parametrize("name", ATTACKS)
def test_a_part_whose_own_code_is_not_what_runs_gets_no_point(name):
    found, _ = states(ATTACKS[name])
    assert {part for part, status in found.items() if status == "done"} == EARNED.get(name, set())


@needs_torch
@pytest.mark.parametrize(
    "name",
    [
        "bound anew by lambdas",
        "bound anew by an alias",
        "copies that agree with each other",
        "networks that no part has, and that agree",
        "a metaclass",
        "a decorator that wraps and does not use",
        "a part that binds another",
    ],
)
def test_nor_where_the_file_as_a_whole_is_wrong(name):
    rate = "self.generator.parameters(), "
    found, report = states(ATTACKS[name].replace(f"{rate}g.lr", f"{rate}3 * g.lr"))
    assert not report.passed
    assert {part for part, status in found.items() if status == "done"} <= EARNED.get(name, set())


def inside(old, new, text=RIGHT):
    assert old in text, old
    return text.replace(old, new)


HELPED = inside(
    "class Generator(",
    "SLOPE = 0.2\n\n\ndef leaky(h):\n    return F.leaky_relu(h, SLOPE)\n\n\nclass Generator(",
    RIGHT.replace("F.leaky_relu(self.fc1(noise), 0.2)", "leaky(self.fc1(noise))"),
)
REORDERED = RIGHT.replace(
    RIGHT[RIGHT.index("def called_real") : RIGHT.index("class GAN(")], ""
).replace(
    "class Generator(",
    RIGHT[RIGHT.index("def called_real") : RIGHT.index("class GAN(")] + "class Generator(",
)
OWN_NAMES = (
    RIGHT.replace("self.image_shape", "self.shape_of_a_picture")
    .replace("d.betas)\n", "d.betas)\n        self.scale = 2\n")
    .replace("return 2 * self.generator(noise)", "return self.scale * self.generator(noise)")
    .replace("fake = 2 * self", "fake = self.scale * self")
)
WRAPPED = inside(
    STEP,
    "    @counted\n" + STEP,
    inside(
        "class GAN(",
        "def counted(f):\n    @functools.wraps(f)\n    def g(*given):\n        g.calls += 1\n"
        "        return f(*given)\n    g.calls = 0\n    return g\n\n\nclass GAN(",
        RIGHT.replace("import math\n", "import functools\nimport math\n"),
    ),
)
INHERITED = inside(
    "class GAN(nn.Module):",
    "class Base(nn.Module):\n    @torch.no_grad()\n    def generate(self, noise):\n"
    "        return 2 * self.generator(noise) - 1\n\n\nclass GAN(Base):",
    RIGHT.replace(RIGHT[RIGHT.index("    @torch.no_grad()") : RIGHT.index("def train(run")], "\n"),
)
SETTINGS = inside(
    "class GAN(",
    "@dataclasses.dataclass(frozen=True)\nclass Settings:\n    low: float = -1.0\n"
    "    high: float = 1.0\n\n    def fit(self, pictures):\n"
    "        return (self.high - self.low) * pictures + self.low\n\n\nSETTINGS = Settings()\n\n\n"
    "class GAN(",
    RIGHT.replace("import math\n", "import dataclasses\nimport math\n").replace(
        "return 2 * self.generator(noise) - 1", "return SETTINGS.fit(self.generator(noise))"
    ),
)
BUILT = (
    RIGHT[: RIGHT.index("class Generator(")]
    + """
def Generator(shape, z):
    sizes = [z, 128, 256, 512]
    hidden = [[nn.Linear(a, b), nn.LeakyReLU(0.2)] for a, b in zip(sizes, sizes[1:])]
    end = [nn.Linear(512, math.prod(shape)), nn.Sigmoid(), nn.Unflatten(1, shape)]
    return nn.Sequential(*sum(hidden, []), *end)


class Discriminator(nn.Sequential):
    def __init__(self, shape):
        super().__init__(
            nn.Flatten(), nn.Linear(math.prod(shape), 512), nn.LeakyReLU(0.2),
            nn.Linear(512, 256), nn.LeakyReLU(0.2), nn.Linear(256, 1))


"""
    + RIGHT[RIGHT.index("def called_real") :]
)

OWN_LOSSES = (
    RIGHT.replace("called_real", "loss_of_real")
    .replace("called_fake", "loss_of_fake")
    .replace("Generator(", "Maker(")
)
"""A file with names of its own, for all that may have them."""

LOGGED = inside(
    "class Maker(",
    """
os.environ["OMP_NUM_THREADS"] = str(1)
warnings.filterwarnings("ignore")
logging.basicConfig(level=logging.WARNING, format="%(message)s")
sys.path.append(str(pathlib.Path(__file__).parent))
torch.backends.cudnn.benchmark = True
logger, DEBUG = logging.getLogger(__name__), os.environ.get("DEBUG") == "1"
HISTORY = collections.defaultdict(list)
try:
    from tqdm import tqdm
except ImportError:
    tqdm = None


class Maker(""",
    inside(
        STEP,
        STEP + "        HISTORY['t'].append(time.perf_counter())\n"
        "        logger.info('%d %s', len(HISTORY['t']), sys.version_info[0])\n",
        OWN_LOSSES,
    ).replace(
        "import math\n",
        "import collections, logging, math, os, pathlib, sys, time, warnings\n\n"
        "os.environ['KMP_DUPLICATE_LIB_OK'] = 'TRUE'\n",  # before the framework, as it must be
    ),
)
"""And with what people do before and in a step, besides training."""

TYPED = inside(
    "class GAN(",
    """
class Mode(Enum):
    TRAIN = "train"


class Pair(NamedTuple):
    real: Tensor
    noise: Optional[Tensor] = None


@dataclasses.dataclass
class Config:
    factor: int = 3
    offsets: list[int] = dataclasses.field(default_factory=lambda: [1])
    mode: Mode = Mode.TRAIN

    def __post_init__(self):
        self.seen = 0


CONFIG, STEPS = Config(), 0
SETTINGS = Config()
SETTINGS.factor = 2
STATE = {"step": 0}


class GAN(""",
    inside(
        "        real = batch",
        "        global STEPS\n        STEPS += 1\n        STATE['step'] += 1\n"
        "        SETTINGS.seen = GAN.steps = STEPS\n        pair = Pair(batch['images'])\n"
        "        assert pair.real is not None and CONFIG.mode is Mode.TRAIN\n        real = batch",
        inside(
            "train_step(self, batch)", "train_step(self, batch: Mapping[str, Tensor])", OWN_LOSSES
        ),
    )
    .replace("2 * self.generator", "SETTINGS.factor * self.generator")
    .replace("class GAN(nn.Module):", "class GAN(nn.Module):\n    steps = 0\n\n")
    .replace(
        "import math\n",
        "from __future__ import annotations\n\nimport dataclasses\nimport math\n"
        "from enum import Enum\nfrom typing import TYPE_CHECKING, NamedTuple, Optional\n\n"
        "if TYPE_CHECKING:\n    from collections.abc import Mapping\n\n"
        "    from torch import Tensor\n",
    ),
)
"""Settings that change, types, and annotations that mean nothing when the file runs."""

DECORATED = inside(
    STEP,
    "    @timed\n    @logged('step')\n" + STEP,
    inside(
        "class Maker(",
        """
from functools import lru_cache, partial, reduce, wraps
import functools, itertools, operator, time


def timed(function):
    @wraps(function)
    def inner(*args, **kwargs):
        begun = time.perf_counter()
        result = function(*args, **kwargs)
        inner.seconds = time.perf_counter() - begun
        return result
    return inner


def logged(message):
    def decorate(function):
        @functools.wraps(function)
        def inner(self, *args):
            return function(self, *args)
        return inner
    return decorate


@lru_cache(maxsize=None)
def total(shape):
    return reduce(operator.mul, shape, 1)


def compose(*functions):
    return lambda x: reduce(lambda value, f: f(value), functions, x)


fit = compose(partial(operator.mul, 2), lambda x: x - 1)


class Maker(""",
        OWN_LOSSES,
    )
    .replace("2 * self.generator(noise) - 1", "self.fit(self.generator(noise))")
    .replace('2 * self.generator(batch["noise"]) - 1', 'self.fit(self.generator(batch["noise"]))')
    .replace("self.d_optimizer =", "self.fit = fit\n        self.d_optimizer =")
    .replace("math.prod(image_shape)", "total(tuple(image_shape))"),
)
"""Decorators and functions that are put together, and an attribute of one's own that needs them."""

HONEST = {
    "names of one's own, with logging, settings and the system's modules": LOGGED,
    "names of one's own, with types and settings that change": TYPED,
    "names of one's own, with decorators and functions that are put together": DECORATED,
    "ours": RIGHT,
    "another order": REORDERED,
    "helpers and constants": HELPED,
    "names of one's own": OWN_NAMES,
    "a decorator with functools.wraps": WRAPPED,
    "inheritance": INHERITED,
    "a dataclass": SETTINGS,
    "networks that are built": BUILT,
    "another build": SEQUENTIAL,
    "annotations": "from __future__ import annotations\n"
    + RIGHT.replace("(self, noise):", "(self, noise: torch.Tensor) -> torch.Tensor:"),
    "a module that reaches far": RIGHT.replace(
        "import math\n", "import math\nimport os\nimport sys\n"
    ),
    "a loss that is a lambda": inside(
        RIGHT[RIGHT.index("def called_fake") : RIGHT.index("class GAN(")],
        "called_fake = lambda logits: F.softplus(logits).mean()\n\n\n",
    ),
    "a loss that is put where it is used": inside(
        "called_fake(fake_logits)",
        "F.softplus(fake_logits).mean()",
        RIGHT.replace(RIGHT[RIGHT.index("def called_fake") : RIGHT.index("class GAN(")], ""),
    ),
    "setattr for layers": inside(
        "self.fc1 = nn.Linear(z, 128)", 'setattr(self, "fc1", nn.Linear(z, 128))'
    ),
    "a loop of one's own": inside("def train(run, model):", "def train(run, model, more=None):"),
    "no last block": RIGHT[: RIGHT.index("if __name__")],
    "a line that runs": inside("class Generator(", "torch.manual_seed(0)\n\n\nclass Generator("),
}


@needs_torch
@pytest.mark.parametrize("name", HONEST)
def test_a_right_file_of_another_build_keeps_all_its_points(name):
    found, report = states(HONEST[name])
    assert report.passed
    assert found == dict.fromkeys(PARTS, "done")


@needs_torch
@pytest.mark.parametrize(
    "name",
    [
        "helpers and constants",
        "names of one's own",
        "a decorator with functools.wraps",
        "another build",
        "a loss that is put where it is used",
        "networks that are built",
        "names of one's own, with logging, settings and the system's modules",
        "names of one's own, with decorators and functions that are put together",
    ],
)
def test_and_where_one_part_is_wrong_all_others(name):
    wrong = inside('"generator": g', '"generator": 2 * g', HONEST[name])
    found, report = states(wrong)
    absent = {"a loss that is put where it is used": ["losses"]}.get(name, [])
    others = "another build", "names of one's own, with"
    absent += ["networks", "losses"] if name.startswith(others) else []
    assert not report.passed
    assert found == {
        part: "failed" if part == "step" else "unknown" if part in absent else "done"
        for part in PARTS
    }


@needs_torch
def test_parts_that_are_right_beside_a_wrong_rest_keep_their_points():
    found, report = states(RIGHT.replace("g.lr, g.betas", "3 * g.lr, g.betas"))
    assert not report.passed and report.rest
    assert found == dict.fromkeys(PARTS, "done")


NO_SIGNS = [
    "import os, sys, pickle, inspect, importlib",
    "import os\nos.environ['A'] = str(1)\nos.makedirs(os.path.join('a', 'b'), exist_ok=True)",
    "import sys\nprint(sys.argv, file=sys.stderr)\nsys.setrecursionlimit(9000)",
    "import logging\nH = logging.StreamHandler()\nH.setFormatter(logging.Formatter('%(message)s'))",
    "from pathlib import Path\nHERE = Path(__file__).resolve().parent",
    "import re\nWORD = re.compile('a+')",
    "import json\nTEXT = json.loads('[1]')",
    "import gc\ngc.collect()",
    "import argparse\nA = argparse.ArgumentParser()\nB = A.parse_args([])\nB.more = 1",
    "import types\nC = types.SimpleNamespace(a=1)\nC.a = max(1, 2)",
    "class A:\n    seen = 0\n    def f(self):\n        A.seen = max(A.seen, 1)",
    "import matplotlib.pyplot as plt\nplt.rcParams['figure.figsize'] = (4, 4)\nplt.show()",
    "torch.backends.cudnn.deterministic = True",
    "STEPS = 0\ndef f():\n    global STEPS\n    STEPS += len('a')",
    "import abc\nclass A(metaclass=abc.ABCMeta):\n    @abc.abstractmethod\n    def f(self): ...",
    "from collections import namedtuple\nclass A(namedtuple('A', 'x y')):\n    pass",
    "import functools\ndef f(g):\n    @functools.wraps(g)\n    def h(*a):\n        return g(*a)\n"
    "    return h",
]
SIGNS = [
    "import os\nF = os.sys",
    "import os\nF = os",
    "import sys\nF = sys.modules",
    "import sys\nsys.path.insert(0, '.')",
    "import own_module",
    "from . import other",
    "import pickle\npickle.loads(b'')",
    "import pickle as json\ndef f():\n    import json\njson.loads(b'')",
    "import json\njson = torch\njson.loads('')",
    "from unittest.mock import patch as wraps\n@wraps('a.b')\ndef f(): pass",
    "import functools\nfunctools.wraps(GAN, ('generate',), ())(Generator)",
    "from functools import wraps\nF = wraps",
    "from functools import wraps\n@wraps(GAN, ('generate',))\ndef f(): pass",
    "import argparse\nA = argparse.ArgumentParser()\nA.parse_args([], GAN)",
    "import argparse\nA = argparse.ArgumentParser()\nA.parse_args(namespace=GAN)",
    "import argparse\nF = argparse.ArgumentParser().parse_args",
    "nn.Module.forward = max(1, 2)",
    "nn.Module._call_impl = max(1, 2)",
    "A = GAN\nA.other = max(1, 2)",
    "A = [GAN]\nA[0].other = max(1, 2)",
    "def dict(): return GAN\nA = dict()\nA.other = max(1, 2)",
    "def f():\n    global GAN\n    GAN = 1",
    "def f():\n    global nn\n    nn = 1",
    "class A(metaclass=type): pass",
    "class A(type('B', (), {})): pass",
    "from torch.storage import pickle as json",
]


@pytest.mark.parametrize("code", NO_SIGNS)
def test_what_an_answer_may_do_beside_its_parts_is_no_sign(code):
    assert may_be_anew(Source.parse(OURS.path, f"{RIGHT}\n{code}\n"), OURS, WHOSE) == ""


@pytest.mark.parametrize("code", SIGNS)
def test_what_reaches_other_code_is_told_with_its_line(code):
    first = RIGHT.count("\n") + 2
    found = may_be_anew(Source.parse(OURS.path, f"{RIGHT}\n{code}\n"), OURS, WHOSE)
    assert found in {f"line {first + extra}" for extra in range(code.count("\n") + 1)}


@needs_torch
def test_a_part_in_doubt_says_what_to_do():
    _, report = states(ATTACKS["bound anew by an alias"])
    step = next(part for part in report.parts if part.name == "step")
    assert "may put other code in place of yours" in step.message
    assert "line " in step.message and "Leave out" in step.message


@pytest.mark.parametrize("question", all_questions(), ids=lambda one: one.name)
def test_our_answers_and_filled_starters_need_no_proof(question):
    """So a class of files that were begun with a starter is checked as fast as without it."""
    for framework in question.answered_in:
        path = question.answer(framework)
        ours = Source.read(path)
        whose = [one.name for one in starter.places(ours.text, question.parts)]
        begun = starter.make(ours.text, question.parts, "knock check")
        more = begun.replace("def train(", "def own(x):\n    return x\n\n\ndef train(")
        for text in (ours.text, begun, more):
            mine = Source.parse(path, text)
            assert keep_the_rest(mine, ours, whose) and not may_be_anew(mine, ours, whose)
