"""What was made with an earlier version still works: checkpoints, notebooks, learners' files."""

import ast
import json
import shutil
from pathlib import Path

from knock import frameworks
from knock.scripts.source import Source
from tests.helpers import knock_here

import numpy as np
import pytest
import safetensors.numpy

OLD = Path(__file__).parent / "fixtures" / "0.1.0"
RUN = ["--threads", "1", "--device", "cpu", "--quiet"]

needs_torch = pytest.mark.skipif("pytorch" not in frameworks.installed(), reason="needs PyTorch")
needs_chainer = pytest.mark.skipif("chainer" not in frameworks.installed(), reason="needs Chainer")


@pytest.fixture
def run(tmp_path) -> Path:
    return Path(shutil.copytree(OLD / "run", tmp_path / "run"))


@needs_torch
@needs_chainer
@pytest.mark.parametrize("framework", ["pytorch", "chainer"])
def test_an_old_run_goes_on(framework, run, tmp_path):
    before = safetensors.numpy.load_file(run / "checkpoint.safetensors")
    words = ["run", "convae", "--framework", framework, "--resume", "run", "--steps", "6", *RUN]
    done = knock_here(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = safetensors.numpy.load_file(run / "checkpoint.safetensors")
    assert after.pop("losses").shape == (2, 6)  # step and loss
    assert {k: v.shape for k, v in after.items()} == {k: v.shape for k, v in before.items()}
    assert (int(before["optimizer.step"]), int(after["optimizer.step"])) == (4, 6)
    told = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert [(one["from_step"], one["to_step"]) for one in told["history"]] == [(0, 4), (4, 6)]
    rows = (run / "losses.csv").read_text(encoding="utf-8").splitlines()
    assert rows[:5] == (OLD / "run" / "losses.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 7


@needs_torch
def test_an_old_run_is_shown_as_it_was(run, tmp_path):
    words = ["run", "convae", "--framework", "pytorch", "--test", "run", *RUN]
    done = knock_here(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (run / "test.png").exists()
    old = safetensors.numpy.load_file(OLD / "run" / "checkpoint.safetensors")
    new = safetensors.numpy.load_file(run / "checkpoint.safetensors")
    assert all(np.array_equal(old[name], new[name]) for name in old)


def mine(tmp_path: Path, name: str) -> str:
    (tmp_path / "my").mkdir()
    shutil.copy(OLD / name, tmp_path / "my")
    return f"my/{name}"


@needs_torch
def test_an_old_half_written_answer_is_checked_part_by_part(knock, tmp_path):
    code, out, _ = knock("check", "gan", mine(tmp_path, "gan_pytorch.py"))
    assert code == 1
    marks = [line.split()[:2] for line in out.splitlines()[1:]]
    assert marks == [["✓", "networks"], ["✓", "losses"], ["·", "step"], ["·", "sampling"]]


@needs_chainer
def test_an_old_finished_answer_passes(knock, tmp_path):
    code, out, err = knock("check", "gan", mine(tmp_path, "gan_chainer.py"))
    assert code == 0, out + err


@needs_torch
def test_an_old_notebook_is_read_and_its_imports_are_there(knock, tmp_path):
    file = mine(tmp_path, "ae_pytorch.ipynb")
    code, out, _ = knock("check", "ae", file)
    assert code == 1
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["·"] * 4, out
    cells = json.loads((tmp_path / file).read_text(encoding="utf-8"))["cells"]
    lines = "".join("".join([*c["source"], "\n"]) for c in cells if c["cell_type"] == "code")
    for line in lines.splitlines():
        if line.startswith("from knock"):
            exec(compile(ast.parse(line), file, "exec"), {})
    assert "from knock.notebook.cells import launch, show" in lines
    assert Source.read(tmp_path / file).bound >= {"Autoencoder", "Encoder", "Decoder"}
