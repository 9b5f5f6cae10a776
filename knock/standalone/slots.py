"""The lines of a script that depend on the question's recipe."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from knock import recipe as recipes
from knock.questions import Question
from knock.recipe import Draw, Network, Recipe, kinds, layers
from knock.recipe.kinds import Size

import msgspec

_WIDTH = 100
_QUOTE, _QUOTES = "'", '"'
_OTHER = {"adam": "betas", "rmsprop": "alpha", "sgd": "momentum"}
"""What the answers read of an optimiser's settings, beside its learning rate."""


@dataclass(frozen=True)
class Facts:
    """A question, its recipe as the script has it, and whether the framework's maps are N×H×W×C."""

    question: Question
    recipe: Recipe
    channels_last: bool

    @classmethod
    def of(cls, question: Question, channels_last: bool) -> "Facts":
        """With the data set `folder`, where the question has it."""
        sets: dict[str, Any] = recipes.read(question.recipe_file)["data"]
        dataset = "folder" if "folder" in sets else None
        return cls(question, recipes.load(question.recipe_file, dataset), channels_last)

    @property
    def has_levels(self) -> bool:
        """Whether there is a network for each level of a picture's pyramid."""
        return bool(self.recipe.levels)

    @property
    def has_rounds(self) -> bool:
        """Whether a step may have several batches: it does, or some draws are for all of them."""
        return self.recipe.train.rounds > 1 or any(d.rounds for d in self.recipe.draws.values())

    @property
    def is_spectral(self) -> bool:
        """Whether there are layers that keep a vector u."""
        every = (one for network in self.recipe.networks.values() for one in network.layers)
        return any(getattr(one, "spectral", False) for one in every)

    @property
    def has_blocks(self) -> bool:
        """Whether there are residual blocks: networks with parts that have layers in them."""
        tables: dict[str, Any] = recipes.read(self.question.recipe_file)["networks"]
        return any(
            one["layer"] == "add" for table in tables.values() for one in table.get("layers", ())
        )

    @property
    def means(self) -> dict[str, dict[str, Any]]:
        """The networks that are like others, by name; some only with some constants."""
        tables: dict[str, Any] = recipes.read(self.question.recipe_file)["networks"]
        return {name: one for name, one in tables.items() if "like" in one}

    @property
    def optional(self) -> list[str]:
        """Those of the means that the recipe has only with other constants."""
        return [name for name in self.means if name not in self.recipe.networks]

    @property
    def draws(self) -> dict[str, Draw]:
        """Every draw, those too that are only there with other constants."""
        tables: dict[str, Any] = recipes.read(self.question.recipe_file).get("draws", {})
        there = {k: msgspec.convert(v, Draw) for k, v in tables.items() if "when" in v}
        return self.recipe.draws | there

    @property
    def networks(self) -> dict[str, Network]:
        """The networks; of those that each level has, those of the two coarsest levels."""
        found = self.recipe.networks
        return {name: found[name] for name in found if not self.has_levels or name[-1] in "12"}

    @property
    def rates(self) -> dict[str, float]:
        """The options for learning rates: one if all optimisers agree, else one for each."""
        found = {name: one.lr for name, one in self.recipe.optimizers.items()}
        if len(set(found.values())) == 1:
            return {"lr": next(iter(found.values()))}
        if self.has_levels:
            return {"lr": found["d_optimizer2"], "coarsest_lr": found["d_optimizer1"]}
        return {name.replace("optimizer", "lr"): rate for name, rate in found.items()}


def constants(facts: Facts) -> Iterator[str]:
    """A field for each constant, with the recipe's own words, and for each learning rate."""
    words = facts.question.recipe_file.read_text(encoding="utf-8")
    for name, value in facts.recipe.constants.items():
        said = re.search(rf"^{name} = .*?# (.*)$", words, re.M)
        comment = f"  # {said[1]}" if said else ""
        shown = f'"{value}"' if isinstance(value, str) else repr(value)
        yield f"    {name}: {type(value).__name__} = {shown}{comment}"
    for name, rate in facts.rates.items():
        yield f"    {name}: float = {rate!r}"


def derived(facts: Facts, lesson: str) -> Iterator[str]:
    """What an answer reads of a recipe, but for the constants and the shape of the pictures."""
    optimizers = facts.recipe.optimizers
    first = next(iter(optimizers.values()))
    other = _OTHER[first.algorithm]
    if "recipe.train." in lesson:
        yield "        self.train = self"
    if facts.has_levels:
        coarsest = min(facts.recipe.levels[0])
        rate = "self.coarsest_lr if k == 1 else self.lr" if len(facts.rates) > 1 else "self.lr"
        settings = f"SimpleNamespace(lr={rate}, {other}={getattr(first, other)!r})"
        yield "        high, wide, side = self.height, self.width, min(self.height, self.width)"
        yield f"        sides = [n for k in range(8) if (n := {coarsest} << k) < side] + [side]"
        yield "        self.levels = [(high * n // side, wide * n // side) for n in sides]"
        yield "        self.optimizers = {}"
        yield "        for k in range(1, len(sides) + 1):"
        yield '            for name in (f"d_optimizer{k}", f"g_optimizer{k}"):'
        if len(settings) > 60:
            yield f"                lr = {rate}"
            settings = settings.replace(rate, "lr")
        yield f"                self.optimizers[name] = {settings}"
    elif len(facts.rates) == 1:
        pairs = ", ".join(f'"{name}": self' for name in optimizers)
        yield f"        self.{other} = {getattr(first, other)!r}"
        yield f"        self.optimizers = {{{pairs}}}"
    else:
        yield "        self.optimizers = {"
        for name, one in optimizers.items():
            rate = f"lr=self.{name.replace('optimizer', 'lr')}"
            yield f'            "{name}": SimpleNamespace({rate}, {other}={getattr(one, other)!r}),'
        yield "        }"


def networks(facts: Facts) -> Iterator[str]:
    """The networks of a model by name."""
    if facts.has_levels:
        yield "    networks = {}"
        yield "    for level in model.levels:"
        for part in dict.fromkeys(name.rstrip("12") for name in facts.networks):
            yield f'        networks[f"{part}{{level.k}}"] = level.{part}'
        return
    pairs = [f'"{name}": model.{name}' for name in facts.networks]
    line = f"    networks = {{{', '.join(pairs)}}}"
    if len(line) <= _WIDTH:
        yield line
    else:
        yield from ("    networks = {", *(f"        {pair}," for pair in pairs), "    }")
    for name in facts.optional:
        yield f'    if hasattr(model, "{name}"):'
        yield f'        networks["{name}"] = model.{name}'


def first(facts: Facts) -> Iterator[str]:
    """How the first value of a weight is drawn, by its name and the shape of `tensor`."""
    ways: dict[tuple[str, float], list[str]] = {}
    for name, one in facts.networks.items():
        ways.setdefault((one.init, one.init_std), []).append(name)
    rarest = min(ways, key=lambda way: len(ways[way]))
    word = "if"
    yield "        shape = tuple(tensor.shape)"
    if len(ways) > 1:
        yield f'        if len(shape) > 1 and name.startswith("{ways.pop(rarest)[0]}."):'
        yield from _drawn(*rarest, facts)
        word = "elif"
    yield f"        {word} len(shape) > 1:"
    yield from _drawn(*next(iter(ways)), facts)
    if facts.is_spectral:
        yield '        elif name.endswith(".u"):  # a direction'
        yield "            first = rng.normal(size=shape)"
        yield "            first /= np.linalg.norm(first)"
    yield "        else:  # a scale and a variance begin with 1, a bias and a mean with 0"
    yield '            first = np.full(shape, float(name.endswith(("weight", "var"))))'


def _drawn(init: str, std: float, facts: Facts) -> Iterator[str]:
    if init == "normal":
        yield f"            first = rng.normal(0, {std!r}, shape)"
        return
    kernel, ins, outs = ("shape[:-2]", -2, -1) if facts.channels_last else ("shape[2:]", 1, 0)
    if init == "glorot_uniform":  # Glorot & Bengio 2010, equation 16
        fans = f"(shape[{outs}] + shape[{ins}])"
    else:  # He et al. 2015, equation 10, as a uniform of the same variance
        every = [one for network in facts.networks.values() for one in network.layers]
        turned = any(isinstance(one, kinds.TransposedConv) for one in every)
        fans = f'shape[{outs} if "tconv" in name else {ins}]' if turned else f"shape[{ins}]"
    yield f"            limit = math.sqrt(6 / ({fans} * math.prod({kernel})))"
    yield "            first = rng.uniform(-limit, limit, shape)"


def draws(facts: Facts) -> tuple[list[str], list[str]]:
    """Every draw of the recipe in a batch's table, and the lines that go before the table."""
    before: list[str] = []
    table: list[str] = []
    for name, draw in facts.draws.items():
        numbered = facts.has_levels and name.startswith("noise") and name != "noise1"
        if draw.check or (numbered and name != "noise2"):
            continue
        sizes = [_size(one) for one in draw.shape]
        if facts.channels_last and len(sizes) in (3, 4):
            *many, channels, height, width = sizes
            sizes = [*many, height, width, channels]
        rows = "count * s.rounds" if draw.rounds else "count"
        rows = rows if draw.rows is None else _size(draw.rows)
        shape = f"({', '.join([rows, *sizes])})" if sizes else rows
        line = f'            "{name}": {_draw(draw, shape)},'
        if draw.fixed:
            line = line.replace("rng.", "np.random.default_rng(s.seed).")
        if draw.when:
            asked = " and ".join(f"s.{key} == {value!r}" for key, value in draw.when.items())
            before += [f"        {name} = {{}}", f"        if {asked.replace(_QUOTE, _QUOTES)}:"]
            before += [f"            {name} = {{{line.strip().removesuffix(',')}}}"]
            line = f"            **{name},"
        elif numbered:
            line = line.replace('"noise2"', 'f"noise{k}"').replace("s.height2, s.width2", "h, w")
            before += ["        noises = {", line.removesuffix(",")]
            before += ["            for k, (h, w) in enumerate(s.levels[1:], 2)", "        }"]
            line = "            **noises,"
        elif len(line) > _WIDTH:
            before.append(f"        {name} = {', '.join(sizes)}")
            line = f'            "{name}": {_draw(draw, f"({rows}, *{name})")},'
        table.append(line)
    if any(re.search(r"\bside\b", one) for one in before):
        before.insert(0, "        side = min(s.height, s.width)")
    return before, table


def _draw(draw: Draw, shape: str) -> str:
    match draw.distribution:
        case "normal":
            return f"rng.normal(size={shape})"
        case "integers":
            return f"rng.integers({draw.first}, {_size(draw.up_to)} + 1, {shape})"
        case "dropout":
            return f"(rng.random({shape}) >= {draw.rate!r}) / {1 - draw.rate!r}"
    return f"rng.uniform({draw.low!r}, {draw.high!r}, {shape})"


def _size(size: Size) -> str:
    """A size expression of a recipe in Python, with the names of Settings."""
    return re.sub(r"\b(?!min\b|side\b)([a-z]\w*)", r"s.\1", str(size)).replace(" / ", " // ")


def to_device(facts: Facts) -> Iterator[str]:
    """For Chainer, whose networks are made on the CPU."""
    if facts.has_levels:
        yield "    for level in model.levels:"
        yield "        level.generator.to_device(device)"
        yield "        level.discriminator.to_device(device)"
    else:
        held = (*facts.networks, *facts.recipe.pools)
        yield from (f"    model.{name}.to_device(device)" for name in held)
        for name in facts.optional:
            yield f'    if hasattr(model, "{name}"):'
            yield f"        model.{name}.to_device(device)"


def call_once(facts: Facts) -> Iterator[str]:
    """For Keras, which makes a network's weights at its first call, an optimiser's in `build`."""
    yield "    # The first call makes a network's weights."
    if facts.has_levels:
        yield "    for level in model.levels:"
        yield "        h, w = level.sides"
        yield "        asked, masks = [h, w, s.channels + 1 + s.classes], []"
        yield "        if level.k == 1:"
        yield "            asked, masks = [s.z + s.classes], [tf.ones([1])] * 2"
        yield "        level.generator(tf.zeros([1, *asked]))"
        yield "        level.discriminator(tf.zeros([1, h, w, s.channels + s.classes]), *masks)"
        yield "        level.d_optimizer.build(level.discriminator.trainable_variables)"
        yield "        level.g_optimizer.build(level.generator.trainable_variables)"
        return
    for name, network in layers.networks(facts.recipe).items():
        sizes = [_size(one) for one in facts.networks[name].input]
        shape = [*sizes[1:], sizes[0]] if len(sizes) == 3 else sizes
        count = sum(isinstance(one.layer, kinds.Dropout) for one in network.layers)
        more = f", *[tf.ones([1])] * {count}" if count else ""
        zeros = f"tf.zeros([1, {', '.join(shape)}])"
        if any(isinstance(one.layer, kinds.VirtualNorm) for one in network.layers):
            more += f", {zeros}"
        for sides in facts.networks[name].beside.values():
            more += f", tf.zeros([{', '.join(['1', *map(_size, sides)])}])"
        yield from _called("    ", f"model.{name}", zeros + more)
        for mean in (own for own in facts.optional if facts.means[own]["like"] == name):
            yield f'    if hasattr(model, "{mean}"):'
            yield from _called("        ", f"model.{mean}", zeros + more)
    for name, one in facts.recipe.optimizers.items():
        variables = [f"model.{own}.trainable_variables" for own in one.networks]
        joined = " + ".join(variables)
        if len(f"        {joined}") > _WIDTH:
            joined = "\n        + ".join(variables)
        yield from _called("    ", f"model.{name}.build", joined)


def _called(indent: str, what: str, arguments: str) -> Iterator[str]:
    """A call, in three lines where one would be too long."""
    if len(line := f"{indent}{what}({arguments})") <= _WIDTH:
        yield line
    else:
        yield from (f"{indent}{what}(", f"{indent}    {arguments}", f"{indent})")
