"""Is it a part's own code that gives the right numbers, and not other code of the same file?

A file that is graded may bind a part's name anew, so that its own function never runs. In most
files nothing can do that: they have our code around the parts, and new names at most. Of the others
each part is tried in our answer, with nothing of the file but what the part uses. An honest file of
another build may not fit there. If it shows no sign of names that are bound anew, its functions are
made to return a little more, one by one: where the numbers change, they come from there.
"""

import ast
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from knock.check.early import failure
from knock.check.judge import Standard
from knock.check.trace import Trace
from knock.errors import UserError
from knock.scripts.bindings import keep_the_rest, may_be_anew, stored, without_signs
from knock.scripts.source import Source
from knock.scripts.splice import is_whole
from knock.scripts.transplant import moved

InOurs = Callable[[Collection[str]], Trace]
"""Runs our answer for a few steps with the file's functions of these names in it. Raises UserError
where that does not load."""

Changed = Callable[[str, Collection[str] | None], Trace]
"""Runs the file for a few steps with another text; with names, with our functions in place of
them. Raises UserError where that does not load."""


@dataclass(frozen=True)
class OwnCode:
    """What is known of a file; `whose` has the part of each of our functions.

    `standard` is for as many steps as `in_ours` and `changed` take.
    """

    standard: Standard
    mine: Source
    ours: Source
    whose: Mapping[str, str]
    in_ours: InOurs
    changed: Changed
    tried: dict[frozenset[str], tuple[str, bool]] = field(default_factory=dict)

    @cached_property
    def plain(self) -> bool:
        """Whether nothing in the file can come between a part's name and its code."""
        return not self.anew and keep_the_rest(self.mine, self.ours, self.whose)

    @cached_property
    def anew(self) -> str:
        """Where there is a sign that a name may be bound anew, as "line 12"; "" if nowhere."""
        return may_be_anew(self.mine, self.ours, self.whose)

    @cached_property
    def least(self) -> Source | None:
        """The file without the statements that are such a sign, if none is left then."""
        if not self.anew:
            return self.mine
        text = without_signs(self.mine, self.ours, self.whose)
        found = Source.parse(self.mine.path, text)
        return None if may_be_anew(found, self.ours, self.whose) else found

    def doubt(self, part: str, whole: bool) -> str:
        """Why a part whose numbers are right may not count; "" if its own code gives them.

        They are right in the `whole` file, or with our functions instead of all other parts.
        """
        if self.plain:
            return ""
        names = self.names(part)
        if not names:  # what is not there is right as far as the whole is
            return self._bound_otherwise(part)
        if whole and not self.anew and not self.alone(self.names(*self.whose.values()))[0]:
            return ""
        wrong, _ = self.alone(names)
        if not wrong or self._matter(names, whole):
            return ""
        if self.anew:
            return (
                f"{self.anew} may put other code in place of yours, and in our answer yours does "
                f"not do: {wrong}. Leave out what that line does, or use only the names on the page"
            )
        return f"its numbers come from other code of the file; by its own, {wrong}"

    def _bound_otherwise(self, part: str) -> str:
        """What to do about the names of a part that are not there by def or class, if anything."""
        mine = {name for name, _ in stored(self.mine.tree.body, "")}
        written = self.mine.definitions
        for name, other in self.whose.items():
            owner = name.split(".")[0]
            there = name in mine or (owner in mine and owner not in written)
            if other == part and self.anew and there:
                return f"write {name} with def or class, at the file's or its class's own level"
        return ""

    def alone(self, names: Collection[str]) -> tuple[str, bool]:
        """What is wrong with our answer where it has the file's functions of these names.

        And whether that is for numbers, and not because they do not run there.
        """
        known = frozenset(names)
        if known not in self.tried:
            try:
                got = self.in_ours(names)
            except UserError as error:
                self.tried[known] = str(error), False
            else:
                wrong = failure(self.standard.judge(got, travel=False))
                self.tried[known] = wrong, not got.errors
        return self.tried[known]

    def names(self, *parts: str) -> list[str]:
        """The functions of some parts that the file has, of a class that is a part all of ours."""
        bound = self.mine.bound
        whole = {
            node.name
            for node in self.ours.tree.body
            if isinstance(node, ast.ClassDef) and is_whole(node, self.whose)
        }
        return [
            name
            for name, part in self.whose.items()
            if part in parts and (name in bound or name.split(".")[0] in bound & whole)
        ]

    def _matter(self, names: Sequence[str], whole: bool) -> bool:
        """Whether the numbers change with what each of some functions returns.

        That is asked of the file without what could be a sign, where it is right too.
        """
        others = None if whole else sorted(self.whose.keys() - set(names))
        if self.least is None or (self.least is not self.mine and self._wrong(self.least, others)):
            return False
        asked = [one for one in names if one in self.least.definitions]
        asked = [name for name in asked if not name.endswith("__init__")]
        return bool(asked) and all(self._matters(self.least, name, others) for name in asked)

    def _matters(self, file: Source, name: str, others: Collection[str] | None) -> bool:
        try:
            got = self.changed(moved(file, name), others)
        except UserError:
            return False
        return not got.errors and bool(failure(self.standard.judge(got, travel=False)))

    def _wrong(self, file: Source, others: Collection[str] | None) -> bool:
        try:
            return bool(failure(self.standard.judge(self.changed(file.text, others), travel=False)))
        except UserError:
            return True
