"""Keep the pictures of a comparison here, small, each with a JSON that says how to make it again.

knock compare ae --out runs/ae && python answers_image/keep.py runs/ae

A second word is what their names begin with, where it is not the question's: vae_mnist. The folder
may also be that of a knock sweep: its sheet is kept, and a JSON with the scores of all of its runs.
"""

import csv
import json
import shutil
import sys
from pathlib import Path

from knock.errors import UserError
from knock.training import animation, measured, pictures, record, sheet, sweep, sweep_table

import msgspec

HERE = Path(__file__).resolve().parent
FILMED = "pytorch"  # of the frameworks' runs, which look alike, one is shown moving


def keep(folder: Path, called: str | None = None) -> list[Path]:
    """Copy the sheet, and every framework's result with its JSON. Raises UserError if not there."""
    if (folder / sweep.PLAN).is_file():
        return keep_sweep(folder, called)
    runs = {path.parent.name: record.read_run(path.parent) for path in folder.glob("*/run.json")}
    if not runs:
        raise UserError(f"{folder} is no folder of knock compare")
    question = next(iter(runs.values()))["question"]
    called = called or question
    kept = [Path(shutil.copy(folder / "compare.png", HERE / f"{called}_compare.png"))]
    for framework, told in sorted(runs.items()):
        name = HERE / f"{called}_{framework}"
        kept.append(Path(shutil.copy(folder / framework / "result.png", f"{name}.png")))
        seconds = sum(stretch["seconds"] for stretch in told["history"])
        made = {
            "question": question,
            "framework": framework,
            "dataset": told["recipe"]["dataset"],
            "preset": told["recipe"]["preset"],
            "seed": told["recipe"]["seed"],
            "dtype": told["recipe"]["dtype"],
            "constants": told["recipe"]["constants"],
            "steps": told["step"],
            "minutes": round(seconds / 60, 2),
            "losses": told["losses"],
            "device": told["history"][-1]["device"],
            "versions": told["history"][-1]["versions"],
        }
        if (scores := folder / framework / "test.json").is_file():  # of knock run --test
            made["scores"] = json.loads(scores.read_text(encoding="utf-8"))
        if framework == FILMED and "generate" in told["recipe"]["methods"]:
            kept.append(film(folder / framework, told["step"], Path(f"{name}.gif")))
        if seen := measured.read(folder / framework):  # of knock score
            numbers = msgspec.to_builtins(seen.scores)
            made["measured"] = {
                "pictures": seen.pictures,
                "test pictures": seen.eyes.test,
                "examiner": seen.eyes.accuracy,
                **{name: value for name, value in numbers.items() if value not in (None, {})},
            }
        path = Path(f"{name}.json")
        path.write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
        kept.append(path)
    return kept


def keep_sweep(folder: Path, called: str | None = None) -> list[Path]:
    """Copy the sheet of a sweep, and write its plan with the numbers of each run beside it."""
    plan = json.loads((folder / sweep.PLAN).read_text(encoding="utf-8"))
    name = HERE / f"{called or plan['question']}_sweep"
    sheet = Path(shutil.copy(folder / sweep_table.SHEET, f"{name}.png"))
    with open(folder / sweep_table.TABLE, encoding="utf-8", newline="") as file:
        runs = [{key: value for key, value in row.items() if value} for row in csv.DictReader(file)]
    path = Path(f"{name}.json")
    path.write_text(json.dumps({**plan, "runs": runs}, indent=2) + "\n", encoding="utf-8")
    return [sheet, path]


def film(run: Path, until: int, path: Path) -> Path:
    """Write how two lines of samples changed while they were trained, or a line for each class."""
    rows = record.read_pictures(run / "result.safetensors")
    made = [name for name in rows if name not in sheet.GIVEN]
    first, last = ("sample", "sample") if "sample" in rows else (made[0], made[-1])
    enlarge = pictures.enlargement(rows[first].shape[1])
    top, _ = pictures.band(rows, first, pictures.ACROSS)
    start, bottom = pictures.band(rows, last, pictures.ACROSS)
    if len(rows[last]) > pictures.ACROSS:
        bottom += bottom - start
    box = (top * enlarge, bottom * enlarge)
    left = pictures.names_width(rows, enlarge)
    animation.excerpt(path, run, box, until, left, enlarge)
    return path


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: python answers_image/keep.py FOLDER-OF-A-COMPARISON [NAME]")
    for path in keep(Path(sys.argv[1]), *sys.argv[2:]):
        print(path)
