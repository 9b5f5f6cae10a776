"""`knock join`: one run out of runs that trained a level each of the same recipe."""

from collections.abc import Sequence
from pathlib import Path

from knock import recipe as recipes
from knock.errors import UserError
from knock.files import free, make_folder, only_writer
from knock.paths import RUNS
from knock.recipe import Recipe, levels
from knock.training import checkpoint as checkpoints
from knock.training import loss_log, record
from knock.training.checkpoint import Checkpoint
from knock.training.folders import refuse_another_run

import msgspec


def join(sources: Sequence[Path], out: Path | None) -> Path:
    """Write a run with every level from the run that trained it; returns its folder.

    No level knows of another, so it is the run that trains all of them at once; frameworks may
    differ. Raises UserError where the runs do not belong together, or a level is missing.
    """
    found = {path: checkpoints.load(path) for path in sources}
    whole = _common_recipe(found)
    by_level = _by_level(found, len(whole.levels))
    first = found[sources[0]]
    folder = out or free(RUNS / f"{whole.question}_joined")
    refuse_another_run(folder)
    state = {
        key: array
        for level, (_, one) in by_level.items()
        for key, array in one.state.items()
        if levels.of_level(key.split(".")[0]) == level
    }
    made = Checkpoint(whole, first.step, state, first.framework, first.versions)
    checkpoints.require_fit(made, whole, folder)
    homes = [path if path.is_dir() else path.parent for path, _ in by_level.values()]
    known, losses = [record.read_run(home) for home in homes], _losses(homes, first.step)
    make_folder(folder)
    with only_writer(folder):
        loss_log.LossLog(folder, first.step, losses).close()
        checkpoints.save(folder / checkpoints.FILE_NAME, made)
        record.write_run(
            folder,
            record.of_checkpoint(
                made,
                history=[stretch for one in known for stretch in one.get("history", ())],
                losses={name: values[-1] for name, values in losses.items() if name != "step"},
                data_folder=next(filter(None, map(record.data_folder, known)), None),
            ),
        )
    return folder


def _common_recipe(found: dict[Path, Checkpoint]) -> Recipe:
    """The recipe of all the runs but for the level that each trained."""
    (first_path, first), *others = found.items()
    for path, one in found.items():
        if not one.recipe.constants.get("level"):
            raise UserError(f"{path} did not train one level alone; join takes runs of --level N")
    whole = _of_all_levels(first.recipe)
    for path, one in others:
        train = one.recipe.train.timed_as(whole.train)
        other = msgspec.structs.replace(_of_all_levels(one.recipe), train=train)
        if different := recipes.difference(whole, other):
            raise UserError(f"{path} and {first_path} are of two recipes: {different}")
        if one.step != first.step:
            raise UserError(
                f"{path} has taken {one.step} steps, {first_path} {first.step}; go on with the one "
                "that is behind: --resume"
            )
    return whole


def _of_all_levels(recipe: Recipe) -> Recipe:
    return msgspec.structs.replace(recipe, constants={**recipe.constants, "level": 0})


def _by_level(found: dict[Path, Checkpoint], count: int) -> dict[int, tuple[Path, Checkpoint]]:
    """Each level's run, the coarsest first."""
    trained: dict[int, tuple[Path, Checkpoint]] = {}
    for path, one in found.items():
        level = int(one.recipe.constants["level"])
        if level in trained:
            raise UserError(f"{trained[level][0]} and {path} both trained level {level}; name one")
        trained[level] = (path, one)
    missing = [str(level) for level in range(1, count + 1) if level not in trained]
    if missing:
        raise UserError(
            f"level {missing[0]} of {count} is trained by none of these runs: --level {missing[0]}"
        )
    return dict(sorted(trained.items()))


def _losses(homes: list[Path], step: int) -> loss_log.Columns:
    """All runs' losses side by side, up to a step; none where none were taken."""
    if not step:
        return {}
    columns: loss_log.Columns = {}
    for home in homes:
        columns |= {name: values[:step] for name, values in loss_log.read(home).items()}
    return columns
