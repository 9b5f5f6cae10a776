"""A trained DCGAN, opened: what question 15's answers are asked, and what becomes of it.

Codes are chosen by what their pictures show: 4000 are made, named by a classifier that learnt from
the data set, and measured. So no concept has to be typed, and nobody picks the pretty ones.

What a submission is graded without is imported where it is used: NumPy's networks, and `trained`.
"""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knock import data, noise
from knock.data.batches import random_draws, to_pixels, to_unit
from knock.data.imageset import ImageSet, Labels, Pixels
from knock.files import write_atomically
from knock.frameworks.adapter import State
from knock.look import concepts, labels
from knock.recipe.weights import initial_weights
from knock.training import charts, pictures
from knock.training.look import Look
from knock.training.score import Classifier
from knock.training.table import Table

import msgspec
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Rows = dict[str, dict[str, float]]

TABLES = "tables.json"

_MADE = 4000
_AT_ONCE = 100  # pictures
_ENDS = 50  # pictures whose codes are one end of a direction
_OFTEN = 40  # pictures of a class, or no sum is tried with it
_CODES = (1, 3, 20)  # that a mean is taken of, in a sum
_PAPER = 3  # codes in the paper's sums
_SUMS = 3  # that are shown
_TURNED = 40  # noises, of which the first four are shown
_FITTED = 150  # pictures that a regression is fitted to; it is tried on as many others
_MAPS = 3  # of the most and of the least important ones, that are shown
_BEFORE = 12  # pictures that are shown before and after maps are dropped
_CHANCES = 8  # draws of the maps that are dropped by chance
_SEEN = 1000  # test pictures that the filters choose from
_FEATURES = 2000  # pictures of either set, at most, that features are taken of
_STATISTICS = 500  # pictures by which a random network gets its running statistics


@dataclass(frozen=True)
class _Made:
    """Pictures, uint8 N×H×W×C, of noises N×z; kinds: int64 N, -1 where nobody can name them."""

    noise: Array
    pixels: Pixels
    kinds: Labels

    def ranked(self, by: Array, kind: int | None = None) -> NDArray[np.int64]:
        """The places of all pictures, or of those of a kind, the one with the lowest `by` first."""
        order = np.argsort(by, kind="stable")
        return order if kind is None else order[self.kinds[order] == kind]


@dataclass(frozen=True)
class _Sum:
    """The places of three groups, and the nine pictures of first − second + third."""

    groups: Sequence[NDArray[np.int64]]
    pixels: Pixels


class Inside(Look):
    """A look into a DCGAN: what an answer's methods make of it, in pictures and in tables."""

    def make(self, model_class: Callable[..., Any]) -> Any:
        """The model with the checkpoint's weights."""
        self._model = super().make(model_class)
        return self._model

    def walk(self, model: Any) -> None:
        """Draw walk.png: a line for each way from one corner to the next."""
        given = model.walk(self._tensor(self._drawn["corners"]))
        self._sheet("walk", [("", to_pixels(self._adapter.to_numpy(given)))], 10)

    def arithmetic(self, model: Any) -> None:
        """Draw arithmetic.png: much ink − little ink of one class, plus little ink of another.

        The pairs are chosen by lot. The table has all of them: how many sums are still of the other
        class, and how many grey levels they gained, by how many codes each mean is of.
        """
        made = self._made
        found, counts = np.unique(made.kinds, return_counts=True)
        often = [int(kind) for kind in found[counts >= _OFTEN]]
        pairs = list(itertools.permutations(often, 2))
        if not pairs:
            print("arithmetic: the pictures do not show two classes often enough; left out")
            return
        rows: Rows = {}
        for count in _CODES:
            sums = {pair: self._sum(model, made, pair, count) for pair in pairs}
            name = "1 code" if count == 1 else f"{count} codes"
            rows[name] = self._judged(made, sums, {p: s.pixels[:1] for p, s in sums.items()})
            if count == _PAPER:
                ghosts = {pair: self._ghost(made, one) for pair, one in sums.items()}
                rows[f"{count} pictures"] = self._judged(made, sums, ghosts)
                lot = noise.permutation(self.recipe.seed, 0, "look/sums", len(pairs))[:_SUMS]
                self._draw_sums(made, {pairs[i]: sums[pairs[i]] for i in lot})
        title = f"{len(pairs)} sums: {self._much} A − {self._little} A + {self._little} B"
        self._table(Table("arithmetic", title, rows))

    def turn(self, model: Any) -> None:
        """Draw turn.png: from full left to full right. The table has the slant on the way."""
        made = self._made
        vector = self._found_directions["slant"]
        ranked = made.ranked(concepts.slant(made.pixels))
        left, right = made.noise[ranked[:_ENDS]], made.noise[ranked[-_ENDS:]]
        other = noise.normal(self.recipe.seed, 0, "look/direction", vector.shape)
        other *= np.linalg.norm(vector) / np.linalg.norm(other)
        codes = self._tensor(made.noise[:_TURNED])
        shares = [f"{t / 4:g}" for t in range(-4, 5)]
        rows: Rows = {}
        for name, ends in {
            "along slant": (left, right),
            "along another": (np.zeros_like(other)[None], other[None]),
        }.items():
            turned = model.turn(*(self._tensor(one) for one in ends), codes)
            pixels = to_pixels(self._adapter.to_numpy(turned))
            if name == "along slant":
                self._sheet("turn", [("", pixels[: 4 * len(shares)])], len(shares))
            slants = concepts.slant(pixels).reshape(-1, len(shares)).mean(0)
            rows[f"{name}: slant"] = dict(zip(shares, slants.tolist(), strict=True))
            kinds = self._named(pixels).reshape(-1, len(shares))
            if (kinds >= 0).all():
                same = (kinds == kinds[:, len(shares) // 2, None]).mean(0)
                rows[f"{name}: same class"] = dict(zip(shares, same.tolist(), strict=True))
        self._table(Table("turn", f"{_TURNED} noises, turned by t; pixels a pixel", rows))

    def forget(self, model: Any) -> None:
        """Draw hidden.png, important.png and forget.png: before and after maps are dropped.

        The object is all strokes of one direction. The table has what is left of the strokes, in
        pictures that the regression was not fitted to: after the maps that speak for the object are
        dropped, after as many that speak most against it, and after as many by chance.
        """
        made = self._made
        fitted, others = slice(0, _FITTED), slice(_FITTED, 2 * _FITTED)
        codes = self._tensor(made.noise[others])
        before = made.pixels[others]
        rows: Rows = {}
        found, sheet = {}, {"before": before[:_BEFORE]}
        maps, inside = {}, {}
        hidden = model.hidden(self._tensor(made.noise[fitted]))
        seen = self._adapter.to_numpy(model.hidden(codes))
        for name, turned in {"horizontal": False, "vertical": True}.items():
            here = self._where(made.pixels[fitted], seen.shape[2:], turned)
            if here.all() or not here.any():
                print(f"forget: the pictures show no {name} strokes; left out")
                return
            weights = self._adapter.to_numpy(model.important(hidden, self._tensor(here)))
            there = self._where(before, seen.shape[2:], turned)
            score = np.tensordot(seen, weights, ((1,), (0,)))
            told = _told_apart(score[there], score[~there])
            found[f"{name}, told {told:.0%}"] = weights
            maps[name], inside[name] = weights, there
            count = int((weights > 0).sum())
            lots = [
                noise.permutation(self.recipe.seed, lot, f"look/{name}", len(weights))
                for lot in range(_CHANCES)
            ]
            for what, orders in {
                "w > 0": [np.argsort(-weights, kind="stable")],
                "lowest w": [np.argsort(weights, kind="stable")],
                "by chance": lots,
            }.items():
                left = []
                for number, order in enumerate(orders):
                    dropped = np.isin(np.arange(len(weights)), order[:count]) * 2.0 - 1.0
                    drawn = model.forget(codes, self._tensor(dropped))
                    pixels = to_pixels(self._adapter.to_numpy(drawn))
                    left.append(_left(before, pixels))
                    if number == 0 and what != "lowest w":
                        sheet[f"{name}: {what}"] = pixels[:_BEFORE]
                across, along = np.mean(left, axis=0)
                rows[f"{name}: {what}"] = {
                    "maps": count,
                    "horizontal left": float(across),
                    "vertical left": float(along),
                }
        self._draw_hidden(before, seen, maps["horizontal"], inside["horizontal"])
        title = "weights of the hidden maps; told: an inside place is above an outside one"
        charts.bars(self._path("important"), title, found, "hidden map")
        self._sheet("forget", list(sheet.items()), _BEFORE)
        title = f"strokes left in {_FITTED} other pictures when maps are dropped"
        self._table(Table("forget", title, rows))

    def guided(self, model: Any) -> None:
        """Draw guided.png: what six filters see, of the trained network and of one as it began."""
        images = self.images[:_SEEN]
        rows = [("trained", model.guided(images))]
        with self._random():
            rows.append(("random", model.guided(images)))
        drawn = []
        for name, given in rows:
            both = self._adapter.to_numpy(given)
            chosen, back = np.split(both, 2)
            largest = np.abs(back).max((1, 2, 3), keepdims=True)
            drawn += [(name, to_pixels(chosen)), ("", to_pixels(back / np.maximum(largest, 1e-30)))]
        self._sheet("guided", drawn, len(drawn[0][1]))

    def features(self, model: Any) -> None:
        """Draw features.png: test pictures told right, by features and by how many have labels."""
        train = self._train
        if self._classifier is None:
            print(f"features: {train.name} has no two classes to tell apart; left out")
            return
        lots = [
            noise.permutation(self.recipe.seed, 0, "look/features", len(one))[:_FEATURES]
            for one in (train, self._test)
        ]
        known, answers = train.labels[lots[0]], self._test.labels[lots[1]]
        sets = [one.images[lot] for one, lot in zip((train, self._test), lots, strict=True)]
        given = {
            "pixels": [one.reshape(len(one), -1) / 255 for one in sets],
            "trained": [self._features(model, one) for one in sets],
        }
        with self._random():
            given["random"] = [self._features(model, one) for one in sets]
        rows = {
            name: labels.told(first, known, second, answers, self.recipe.seed)
            for name, (first, second) in given.items()
        }
        title = f"share of {len(answers)} test pictures told right by a linear machine"
        table = Table("features", title, rows)
        charts.lines(self._path("features"), table, "labels of each class", "told right")
        self._table(table)

    def directions(self) -> None:
        """Write the directions that were found beside the checkpoint, for `knock explore`."""
        from knock.trained import directions

        print(directions.write(self._home, self._found, self._found_directions))

    @functools.cached_property
    def _drawn(self) -> dict[str, Array]:
        return random_draws(self.recipe, 0)

    @functools.cached_property
    def _train(self) -> ImageSet:
        return data.load(self.recipe.dataset, self.recipe.image_shape, "train", self._folder)

    @functools.cached_property
    def _classifier(self) -> Classifier | None:
        """None where the data set has no two classes."""
        several = len(np.unique(self._train.labels)) > 1
        return Classifier.fit(self._train) if several else None

    def _named(self, pixels: Pixels) -> Labels:
        if self._classifier is None:
            return np.full(len(pixels), -1)
        return self._classifier.predict(pixels)

    @property
    def _much(self) -> str:
        return "thick" if self.recipe.image_shape[0] == 1 else "bright"

    @property
    def _little(self) -> str:
        return "thin" if self.recipe.image_shape[0] == 1 else "dark"

    def _pixels(self, codes: Array) -> Pixels:
        """The pictures of codes, N×z."""
        found = []
        for first in range(0, len(codes), _AT_ONCE):
            given = self._tensor(codes[first : first + _AT_ONCE])
            images = self._adapter.evaluate(self._model.generator, given)
            found.append(to_pixels(self._adapter.to_numpy(images)))
        return np.concatenate(found)

    @functools.cached_property
    def _made(self) -> _Made:
        """The pictures that codes are chosen by."""
        from knock.trained import draws

        codes = draws.of(self.recipe, self.recipe.seed, 0, _MADE, _MADE)["noise"]
        pixels = self._pixels(codes)
        return _Made(codes, pixels, self._named(pixels))

    @functools.cached_property
    def _found_directions(self) -> dict[str, Array]:
        """From the mean code of the lowest pictures to that of the highest."""
        made, found = self._made, {}
        for name, by in {
            "slant": concepts.slant(made.pixels),
            "thickness" if self._much == "thick" else "brightness": concepts.ink(made.pixels),
        }.items():
            ranked = made.ranked(by)
            ends = made.noise[ranked[-_ENDS:]], made.noise[ranked[:_ENDS]]
            found[name] = ends[0].mean(0) - ends[1].mean(0)
        return found

    def _sum(self, model: Any, made: _Made, pair: tuple[int, int], count: int) -> _Sum:
        one, other = (made.ranked(concepts.ink(made.pixels), kind) for kind in pair)
        groups = one[-count:], one[:count], other[:count]
        given = (self._tensor(made.noise[group]) for group in groups)
        images = model.arithmetic(*given, self._tensor(self._drawn["jitter"]))
        return _Sum(groups, to_pixels(self._adapter.to_numpy(images)))

    def _ghost(self, made: _Made, of: _Sum) -> Pixels:
        """The same sum of the pictures themselves, one picture."""
        first, second, third = (made.pixels[group].mean(0) for group in of.groups)
        found: Pixels = np.clip(first - second + third, 0, 255).round().astype(np.uint8)[None]
        return found

    def _judged(
        self,
        made: _Made,
        sums: Mapping[tuple[int, int], _Sum],
        given: Mapping[tuple[int, int], Pixels],
    ) -> dict[str, float]:
        wanted = np.array([other for _, other in given])
        pixels = np.concatenate(list(given.values()))
        began = [concepts.ink(made.pixels[sums[pair].groups[2]]).mean() for pair in given]
        return {
            "is a B": float((self._named(pixels) == wanted).mean()),
            "ink gained": float((concepts.ink(pixels) - began).mean()),
        }

    def _draw_sums(self, made: _Made, sums: Mapping[tuple[int, int], _Sum]) -> None:
        rows = []
        for pair, one in sums.items():
            first, second = (self._test.classes[kind] for kind in pair)
            words = [f"{self._much} {first}", f"- {self._little} {first}"]
            words.append(f"+ {self._little} {second}")
            for word, group in zip(words, one.groups, strict=True):
                mean = self._pixels(made.noise[group].mean(0, keepdims=True))
                rows.append((word, np.concatenate([made.pixels[group], mean])))
            rows += [("= of codes", one.pixels), ("= of pixels", self._ghost(made, one))]
        self._sheet("arithmetic", rows, len(rows[3][1]))

    def _where(self, pixels: Pixels, sides: Sequence[int], turned: bool) -> NDArray[np.bool_]:
        """Where strokes are horizontal, or with `turned` vertical: N×height×width."""
        both = concepts.strokes(pixels)
        this, other = both[::-1] if turned else both
        return concepts.where(this, other, sides[0], sides[1])

    def _draw_hidden(
        self, before: Pixels, seen: Array, weights: Array, inside: NDArray[np.bool_]
    ) -> None:
        """Pictures, where their horizontal strokes are, and the maps that say most about it."""
        high, wide = (
            whole // part for whole, part in zip(before.shape[1:3], seen.shape[2:], strict=True)
        )

        def enlarged(maps: Array) -> Pixels:
            shades = (255 * maps / max(float(maps.max()), 1e-30)).round().astype(np.uint8)
            return shades.repeat(high, 1).repeat(wide, 2)[..., None]

        count = pictures.ACROSS
        order = np.argsort(-weights, kind="stable")
        rows = [("picture", before[:count]), ("horizontal", enlarged(inside[:count]))]
        for place in (*order[:_MAPS], *order[-_MAPS:]):
            rows.append((f"w {weights[place]:+.1f}", enlarged(seen[:count, place])))
        self._sheet("hidden", rows, count)

    @contextlib.contextmanager
    def _random(self) -> Iterator[None]:
        """Within it, the model's discriminator has the weights that it began with."""
        other = {**self._state, **self._as_it_began}
        self._adapter.write(self._model, self.recipe, other)
        try:
            yield
        finally:
            self._adapter.write(self._model, self.recipe, self._state)

    @functools.cached_property
    def _as_it_began(self) -> State:
        """The discriminator's first weights; its running statistics are of training pictures.

        Else its batch normalisations would take 0 and 1 for them.
        """
        from knock.frameworks import numpy as plain

        state = dict(initial_weights(self.recipe))
        train = self._train
        chosen = noise.permutation(self.recipe.seed, 0, "look/statistics", len(train))
        x = to_unit(train.images[chosen[:_STATISTICS]], self.recipe.dtype)
        plain.setup("cpu", self.recipe.dtype)
        for module in plain.networks(self.recipe)["discriminator"].modules:
            begun = {name: f"discriminator.{module.name}.{name}" for name in module.values}
            for name, key in begun.items():
                module.values[name][...] = state[key]
            if isinstance(module, plain.BatchNorm):
                axes = (0, *range(2, x.ndim))
                module.values["running_mean"][...] = x.mean(axes)
                module.values["running_var"][...] = x.var(axes)
                module.training = False
            x = module(x)
            state |= {key: module.values[name] for name, key in begun.items()}
        return {key: one for key, one in state.items() if key.startswith("discriminator.")}

    def _features(self, model: Any, pixels: Pixels) -> Array:
        found = []
        for first in range(0, len(pixels), _AT_ONCE):
            given = self._given(pixels[first : first + _AT_ONCE])
            found.append(self._adapter.to_numpy(model.features(given)))
        return np.concatenate(found).astype(np.float64)

    def _sheet(self, name: str, rows: Sequence[tuple[str, Pixels]], across: int) -> None:
        enlarge = pictures.enlargement(self.recipe.image_shape[1])
        pictures.write_png(self._path(name), pictures.named(rows, across, enlarge))

    def _table(self, table: Table) -> None:
        """Print a table, and add it to tables.json."""
        print("\n".join(["", *table.lines(), ""]))
        self._tables[table.name] = table.numbers()
        text = msgspec.json.format(msgspec.json.encode(self._tables), indent=2)
        write_atomically(self.folder / TABLES, text + b"\n")

    @functools.cached_property
    def _tables(self) -> dict[str, dict[str, dict[str, float | None]]]:
        return {}


def _told_apart(above: Array, below: Array) -> float:
    """How often one of `above` is larger than one of `below`, 0 … 1: the area under the ROC."""
    ranks = np.concatenate([above, below]).argsort().argsort()[: len(above)]
    return float((ranks - (len(above) - 1) / 2).mean() / max(len(below), 1))


def _left(before: Pixels, after: Pixels) -> tuple[float, float]:
    """The share of horizontal strokes that is left, and that of vertical ones."""
    pairs = zip(concepts.strokes(before), concepts.strokes(after), strict=True)
    across, along = (float(new.sum() / max(float(old.sum()), 1e-30)) for old, new in pairs)
    return across, along
