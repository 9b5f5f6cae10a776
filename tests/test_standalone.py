"""Scripts that stand alone: the answer word for word, its numbers, and nothing of this package."""

import ast
import gzip
import json
import re
import shutil
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

from knock import frameworks, paths
from knock.errors import UserError
from knock.questions import all_questions
from knock.scripts.source import Source
from knock.standalone import parts
from knock.standalone.make import Script, make
from knock.training import checkpoint
from tests.helpers import run

import numpy as np
import pytest
from PIL import Image

TRAINED = [
    question for question in all_questions() if not question.opens and question.name != "metrics"
]
ALL = [(question, framework) for question in TRAINED for framework in question.answered_in]
MOST = {
    **{"alpha_gan": 135, "lapgan": 150, "improved_gan": 145, "gan_landscape": 132},
    **{"ddpm": 135, "flow_matching": 145, "cyclegan": 140, "vq_vae": 135},
}
"""Lines beyond 120: four networks with four rates; networks for each level; few labels that are
known and means of weights; blocks and a kept u; blocks and a mean, and guidance; four networks, two
pools and two kinds; four networks with two rates, one of them with another first weight."""


def name(value: object) -> str:
    return getattr(value, "name", str(value))


@cache
def scripts(framework: str) -> dict[str, Script]:
    """Every question's script in a framework, by the name of its file."""
    return {f"{q.name}_{framework}": make(q, framework) for q in TRAINED}


# Made


@pytest.mark.parametrize(("question", "framework"), ALL, ids=name)
def test_a_script_has_the_answer_word_for_word_and_imports_nothing_of_ours(question, framework):
    text = scripts(framework)[f"{question.name}_{framework}"].text
    answer = Source.read(question.answer(framework))
    there = Source.parse(Path("script.py"), text)
    for defined, node in answer.definitions.items():
        if defined != "train":
            assert ast.get_source_segment(answer.text, node) in text, defined
    assert ast.get_docstring(answer.tree).strip() in text
    imported = {name.split(".")[0] for name in imports(there.tree)}
    allowed = {"torch", "tensorflow", "keras", "chainer", "numpy", "PIL"}
    assert imported <= allowed | sys.stdlib_module_names
    assert "MIT licence" in text


def imports(tree: ast.Module) -> list[str]:
    return [
        (node.module if isinstance(node, ast.ImportFrom) else alias.name) or ""
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]


def filled(text: str) -> int:
    return sum(bool(line.strip()) for line in text.split("\n"))


@pytest.mark.parametrize(("question", "framework"), ALL, ids=name)
def test_it_adds_at_most_120_lines_to_the_answer_and_to_what_the_adapter_gives(question, framework):
    script = scripts(framework)[f"{question.name}_{framework}"]
    answer = question.answer(framework).read_text(encoding="utf-8")
    assert all(block in script.text for block in script.layers.split("\n\n\n"))
    added = filled(script.text) - filled(answer) - filled(script.layers)
    assert added <= MOST.get(question.name, 120)


def test_ruff_finds_nothing_in_any_script(tmp_path):
    if shutil.which("ruff", path=str(Path(sys.executable).parent)) is None:
        pytest.skip("needs ruff")
    for framework in frameworks.FRAMEWORKS:
        for stem, script in scripts(framework).items():
            (tmp_path / f"{stem}.py").write_text(script.text, encoding="utf-8")
    settings = f"--config={paths.ROOT / 'pyproject.toml'}"
    for words in (["check"], ["format", "--check"]):
        done = run("-m", "ruff", *words, settings, tmp_path, cwd=tmp_path)
        assert not done.returncode, done.stdout + done.stderr


# Run, where this package cannot be imported: one process for all scripts of a framework


@pytest.fixture(scope="module", params=frameworks.FRAMEWORKS)
def ran(request, tmp_path_factory) -> tuple[dict, Path]:
    framework = request.param
    if framework not in frameworks.installed():
        pytest.skip(f"needs {framework}")
    folder = tmp_path_factory.mktemp(framework)
    for stem, script in scripts(framework).items():
        (folder / f"{stem}.py").write_text(script.text, encoding="utf-8")
    random = np.random.default_rng(0)
    for number in range(10):
        for place, width in ((f"photos/{'ab'[number % 2]}", 40), ("pairs", 64)):
            (folder / place).mkdir(parents=True, exist_ok=True)
            pixels = random.integers(0, 256, (30, width, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / place / f"{number}.png")
    child = paths.ROOT / "tests" / "standalone_child.py"
    done = run(child, framework, folder, cwd=paths.ROOT)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), folder


def test_with_the_answers_first_weights_and_batch_it_has_the_answers_first_losses(ran):
    found, _ = ran
    assert len(found) == len(TRAINED)
    for stem, one in found.items():
        assert list(one["script"]) == list(one["answer"]), stem
        assert one["script"] == pytest.approx(one["answer"], rel=1e-12, abs=0), stem


def test_it_trains_three_steps_on_ten_pictures_without_this_package(ran):
    found, _ = ran
    files = ["checkpoint.safetensors", "step_000002.png", "step_000003.png"]
    for stem, one in found.items():
        wanted = {"files": files, "keys": one["keys"], "types": ["float32"], "shapes_fit": True}
        assert one["trained"] == wanted, stem


def test_what_a_script_cannot_use_is_refused_in_one_line(ran):
    found, folder = ran
    for stem, one in found.items():
        for code, said in one["refused"]:
            assert (code, said.count("\n")) == (2, 1), (stem, said)
            assert stem in said
    assert not (folder / "nowhere").exists()


def test_its_checkpoint_is_opened_like_that_of_a_run(ran):
    found, folder = ran
    for stem in found:
        opened = checkpoint.load(folder / "runs" / stem)
        checkpoint.require_fit(opened, opened.recipe, folder)
        assert opened.step == 3
        assert f"{opened.recipe.question}_{opened.framework}" == stem
        assert opened.recipe.image_shape == (3, 16, 32)


# The loader


def settings(data: Path, channels: int = 3) -> SimpleNamespace:
    return SimpleNamespace(data=str(data), channels=channels, height=8, width=12)


def picture(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (30, 20)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)


def test_pictures_come_from_a_folder_with_a_subfolder_for_each_class(tmp_path):
    picture(tmp_path / "red" / "1.png", (255, 0, 0))
    picture(tmp_path / "blue" / "1.png", (0, 0, 255))
    picture(tmp_path / "blue" / ".2.png", (0, 0, 255))
    images, labels, names = parts.pictures(settings(tmp_path))
    assert images.shape == (2, 8, 12, 3)
    assert images.dtype == np.uint8
    assert (labels.tolist(), names) == ([0, 1], ["blue", "red"])
    assert images[0, 0, 0].tolist() == [0, 0, 255]
    assert parts.pictures(settings(tmp_path, channels=1))[0].shape == (2, 8, 12, 1)


def test_a_photograph_comes_upright(tmp_path):
    turned = Image.Exif()
    turned[274] = 6  # the camera was held upright: the first column is the top row
    half = Image.new("RGB", (40, 40), "white")
    half.paste("black", (0, 0, 20, 40))
    half.save(tmp_path / "1.jpg", exif=turned)
    images, *_ = parts.pictures(settings(tmp_path, channels=1))
    assert images[0, 0].mean() < 50 < 200 < images[0, -1].mean()


@pytest.mark.parametrize("packed", [False, True])
def test_pictures_come_from_the_files_of_mnist(tmp_path, packed):
    pixels = np.arange(2 * 28 * 28, dtype=np.uint32).astype(np.uint8)
    for stem, head, content in (
        ("train-images-idx3-ubyte", 16, pixels.tobytes()),
        ("train-labels-idx1-ubyte", 8, bytes([7, 3])),
        ("t10k-labels-idx1-ubyte", 8, b""),
    ):
        raw = bytes(head) + content
        (tmp_path / f"{stem}{'.gz' * packed}").write_bytes(gzip.compress(raw) if packed else raw)
    own = SimpleNamespace(data=str(tmp_path), channels=1, height=28, width=28)
    images, labels, names = parts.pictures(own)
    assert (images.reshape(-1) == pixels).all()
    assert (labels.tolist(), names) == ([1, 0], ["3", "7"])


def test_pictures_come_from_the_digits_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    file = Path(datasets.__file__).parent / "data" / "digits.csv.gz"
    own = SimpleNamespace(data=str(file), channels=1, height=8, width=8)
    images, labels, names = parts.pictures(own)
    known = datasets.load_digits()
    assert (labels == known.target).all()
    assert names == list("0123456789")
    assert np.abs(images[..., 0] / 255 * 16 - known.images).max() < 0.1


def test_pairs_are_side_by_side_or_have_one_name_in_two_folders(tmp_path):
    both = Image.new("RGB", (40, 20), "red")
    both.paste("blue", (20, 0, 40, 20))
    (tmp_path / "one").mkdir()
    both.save(tmp_path / "one" / "1.png")
    picture(tmp_path / "two" / "A" / "1.png", (255, 0, 0))
    picture(tmp_path / "two" / "B" / "1.bmp", (0, 0, 255))
    for place in ("one", "two"):
        a, b = parts.pairs(settings(tmp_path / place))
        assert a.shape == b.shape == (1, 8, 12, 3)
        assert (a[0, 0, 0].tolist(), b[0, 0, 0].tolist()) == ([255, 0, 0], [0, 0, 255])
    picture(tmp_path / "two" / "A" / "2.png", (255, 0, 0))
    with pytest.raises(OSError, match="no pairs"):
        parts.pairs(settings(tmp_path / "two"))


# The command


def test_the_command_writes_the_script_and_says_how_to_run_it(knock, tmp_path):
    code, out, _ = knock("standalone", "gan", "--framework", "keras")
    assert code == 0
    assert (tmp_path / "gan_keras.py").read_text(encoding="utf-8") == scripts("keras")[
        "gan_keras"
    ].text
    assert "python gan_keras.py --data FOLDER" in out
    code, *_ = knock("standalone", "05", "--out", "mine_chainer.py")
    assert code == 0
    assert "import chainer" in (tmp_path / "mine_chainer.py").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["nothing"], "no question"),
        (["gan", "--framework", "jax"], "no framework"),
        (["gan", "--out", "there.py"], "exists already"),
        (["gan", "--out", "gan.txt"], "must name a Python file"),
        (["gan", "--out", "no/such/folder/gan.py"], "cannot write"),
        (["vae_latent"], "trains nothing"),
        (["metrics"], "no script that stands alone"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(knock, tmp_path, words, why):
    there = tmp_path / "there.py"
    there.write_text("mine")
    code, out, error = knock("standalone", *words)
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert why in error
    assert [path.name for path in tmp_path.iterdir()] == ["there.py"]
    assert there.read_text() == "mine"


# Its checkpoint


@pytest.mark.parametrize(
    ("described", "why"),
    [
        ({"script": "gan_pytorch", "step": "1", "settings": "[]"}, "cannot be read"),
        ({"script": "gan", "step": "1", "settings": "{}"}, "cannot be read"),
        ({"script": "gun_pytorch", "step": "1", "settings": "{}"}, "no question"),
    ],
)
def test_a_checkpoint_that_says_nonsense_is_refused(tmp_path, described, why):
    parts.save(str(tmp_path / "checkpoint.safetensors"), {}, described)
    with pytest.raises(UserError, match=why):
        checkpoint.load(tmp_path)


def test_a_checkpoint_with_other_arrays_is_refused(tmp_path):
    text = scripts("pytorch")["gan_pytorch"].text
    fields = dict(re.findall(r"^    (\w+): (?:int|float) = (\S+)", text, re.M))
    own = {key: json.loads(value) for key, value in fields.items()}
    about = {"script": "gan_pytorch", "step": "1", "settings": json.dumps(own)}
    array = np.zeros((3, 3), np.float32)
    parts.save(str(tmp_path / "checkpoint.safetensors"), {"generator.fc1.weight": array}, about)
    with pytest.raises(UserError, match=r"generator.fc1.weight is \(3, 3\)"):
        checkpoint.load(tmp_path)
