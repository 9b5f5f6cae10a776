"""Every question is complete, and every known mistake in it is named: `knock verify`, in pieces."""

import os
import shutil

from knock import frameworks, paths
from knock.frameworks import numpy as plain
from knock.questions import Question, all_questions, find, mistakes
from knock.verify import folder
from knock.verify.report import report
from knock.verify.trial import Trial

import pytest

QUESTIONS = all_questions()
ANSWERS = [(question, framework) for question in QUESTIONS for framework in question.answered_in]
PLANTED = [
    (question, framework, mistake)
    for question in QUESTIONS
    for framework in frameworks.FRAMEWORKS
    for mistake in mistakes.of(question)
    if framework in mistake.made_in
]


def name(value: object) -> str:
    return str(getattr(value, "name", value))


@pytest.fixture(scope="module")
def trial():
    """A question in a framework. What its judge says is asked once for all of its mistakes."""
    made: dict[str, dict[str, Trial]] = {}

    def of(question: Question, framework: str) -> Trial:
        if frameworks.find(framework).missing:
            pytest.skip(f"{framework} is not installed")
        known = made.setdefault(question.name, {})
        if framework not in known:
            known[framework] = Trial.of(question, framework, next(iter(known.values()), None))
        return known[framework]

    return of


@pytest.mark.parametrize("look", folder.LOOKS)
@pytest.mark.parametrize("question", QUESTIONS, ids=name)
def test_a_question_is_complete(question, look):
    assert folder.LOOKS[look](question) == []


@pytest.mark.parametrize(("question", "framework"), ANSWERS, ids=name)
def test_our_answer_passes_every_stage(question, framework, trial):
    installed = [name for name in question.answered_in if not frameworks.find(name).missing]
    # One trip visits every framework, and each reads what the one before it wrote.
    assert trial(question, framework).answer(abroad=framework == installed[0]) == []


@pytest.mark.parametrize(("question", "framework"), ANSWERS, ids=name)
def test_a_starter_is_all_to_do_and_our_answer_with_our_parts_in_it(question, framework, trial):
    assert trial(question, framework).starter() == []


@pytest.mark.parametrize(("question", "framework", "mistake"), PLANTED, ids=name)
def test_a_planted_mistake_turns_its_stage_red_and_is_named(question, framework, mistake, trial):
    assert trial(question, framework).mistake(mistake).wrong == ""


# What is missing is found


@pytest.fixture
def copied(tmp_path, monkeypatch):
    """Question 01 in a repository of its own, to be damaged."""
    for one in ("questions", "answers"):
        shutil.copytree(paths.ROOT / one, tmp_path / one)
    for one in ("assets", "answers_image"):
        (tmp_path / one).mkdir()
        for path in (paths.ROOT / one).glob("*ae*"):
            if path.stem.removeprefix("draw_").split("_")[0] == "ae":
                shutil.copy(path, tmp_path / one)
    shutil.copy(paths.ROOT / "README.md", tmp_path)
    for which in ("QUESTIONS", "ANSWERS", "ANSWERS_IMAGE", "ASSETS", "ROOT"):
        at = tmp_path / getattr(paths, which).relative_to(paths.ROOT)
        monkeypatch.setattr(paths, which, at)
    return find("ae")


def test_of_a_whole_question_nothing_is_missing(copied):
    assert {found for look in folder.LOOKS.values() for found in look(copied)} == set()


def rewrite(old: str, new: str):
    def change(path):
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    return change


HERE = "questions/01_ae"
RIGHT = "np.square(difference).mean(), 2 * difference / difference.size"
WRONG = "np.abs(difference).mean(), np.sign(difference) / difference.size"
ABSOLUTE = "the differences are absolute instead of squared"
ROOT = """'''
root = np.sqrt(np.square(difference).mean())
    return root, difference / difference.size / root'''"""
DAMAGE = {
    "recipe": (f"{HERE}/recipe.toml", rewrite("lr =", "rate ="), "recipe.toml: "),
    "recipe of a preset": (
        f"{HERE}/recipe.toml",
        rewrite("[presets.quick]", "[presets.quick.train]\nstep = 1\n[presets.quick]"),
        "--preset quick --dataset newts: ",
    ),
    "page": (f"{HERE}/README.md", os.remove, "no file "),
    "page without a section": (
        f"{HERE}/README.md",
        rewrite("## The idea", "## Ideas"),
        "README.md: no section '## The idea'",
    ),
    "page without a picture": (
        f"{HERE}/README.md",
        rewrite("answers_image/ae_keras.png", "answers_image/ae_chainer.png"),
        "no link to ../../answers_image/ae_keras.png",
    ),
    "page that nothing leads to": (
        "README.md",
        rewrite(f"{HERE}/README.md", "README.md"),
        "README.md: no link to questions/01_ae/README.md",
    ),
    "links": (
        f"{HERE}/README.md",
        rewrite("../02_convae/README.md", "../02_conv/README.md"),
        "README.md: ../02_conv/README.md: no such file",
    ),
    "hints": (f"{HERE}/hints.md", os.remove, "no file "),
    "hints of two levels": (
        f"{HERE}/hints.md",
        rewrite("## 2 ·", "### 2 ·"),
        "hints.md: three levels are wanted",
    ),
    "hints for three frameworks": (
        f"{HERE}/hints.md",
        rewrite("Chainer", "another"),
        "says nothing of Chainer",
    ),
    "hints for another part": (
        f"{HERE}/hints.md",
        rewrite("### step", "### steps"),
        "has help below '### networks, losses, steps, sampling'; the parts: networks, losses, step",
    ),
    "figure": ("assets/draw_ae.py", os.remove, "no file "),
    "pictures": ("answers_image/ae_keras.json", os.remove, "ae_keras.json: keep what a run"),
    "pictures of another": (
        "answers_image/ae_keras.json",
        rewrite('"keras"', '"chainer"'),
        "it describes a run of ae_chainer",
    ),
    "answers": ("answers/ae_chainer.py", os.remove, "no file "),
    "mistakes": (f"{HERE}/mistakes.toml", os.remove, "write down what people get wrong"),
    "mistakes that cannot be read": (
        f"{HERE}/mistakes.toml",
        rewrite("stage =", "stages ="),
        "mistakes.toml: Object contains unknown field `stages`",
    ),
    "mistakes in another stage": (
        f"{HERE}/mistakes.toml",
        rewrite('stage = "loss"', 'stage = "losses"'),
        "the loss is summed: no stage 'losses'; parameters, forward",
    ),
    "mistakes without a name": (
        f"{HERE}/mistakes.toml",
        rewrite("summed over everything instead of averaged", "times as large"),
        "the loss is summed: 'times as large' does not say what was done",
    ),
    "mistakes that only the judge knows, without a name": (
        f"{HERE}/mistakes.toml",
        rewrite("the square root of the mean squared difference is used", "the numbers differ"),
        "a mistake with a row `numpy`: 'the numbers differ' does not say what was done",
    ),
    "mistakes in three frameworks": (
        f"{HERE}/mistakes.toml",
        rewrite('keras = [["ops.mean(", "ops.sum("]]\n', ""),
        "the loss is summed: plant it in keras, or say why it is not",
    ),
    "reference that a mistake no longer fits": (
        f"{HERE}/reference.py",
        rewrite("np.square(difference)", "(difference**2)"),
        "reference.py, when the square root of the mean squared difference is used: the mistake no "
        "longer fits the answer: 'return np.square(",
    ),
    "reference with two places for a mistake": (
        f"{HERE}/mistakes.toml",
        rewrite(f'"{RIGHT}"', '"images"'),
        f"{ABSOLUTE}: the mistake has 8 places, and must have one: 'images'",
    ),
    "reference that a mistake breaks": (
        f"{HERE}/mistakes.toml",
        rewrite("root = np.sqrt", "roots = np.sqrt"),
        "of the mean squared difference is used: NameError: name 'root' is not defined",
    ),
    "reference that a mistake does not change": (
        f"{HERE}/mistakes.toml",
        rewrite(WRONG, RIGHT),
        f"the same numbers come out when nothing is wrong, and when {ABSOLUTE}",
    ),
    "reference with two names for one mistake": (
        f"{HERE}/mistakes.toml",
        rewrite(ROOT, f'"return {WRONG}"'),
        f"the same numbers come out when {ABSOLUTE}, and when the square root",
    ),
    "reference with one name for two mistakes": (
        f"{HERE}/mistakes.toml",
        rewrite('"the square root of the mean squared difference is used"', f'"{ABSOLUTE}"'),
        f"two mistakes with the same words: {ABSOLUTE}",
    ),
    "reference that evaluates in other words": (
        f"{HERE}/reference.py",
        rewrite(
            "return self.decoder(self.encoder(images))",
            "return framework.evaluate((self.decoder), framework.evaluate(self.encoder, images))",
        ),
        "reference.py: write framework.evaluate(self.NETWORK, …)",
    ),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_missing_or_wrong_is_found(case, copied):
    path, damage, said = DAMAGE[case]
    damage(paths.ROOT / path)
    found = folder.LOOKS[case.split()[0]](copied)
    assert [one for one in found if said in one], found


@pytest.fixture
def numpy_only(copied, monkeypatch):
    """Every framework is plain NumPy, and its answer the plain one: fast, and always here."""
    answer = paths.ANSWERS / "ae_pytorch.py"
    shutil.copy(copied.reference_file, answer)
    monkeypatch.setattr(frameworks, "load", lambda name: plain)
    monkeypatch.setattr(frameworks, "installed", lambda: ["pytorch"])
    copied.mistakes_file.write_text(
        '[[mistakes]]\nname = "summed"\nstage = "loss"\nsaid = "summed over everything"\n'
        'pytorch = [["np.square(difference).mean()", "np.square(difference).sum()"]]\n'
        'tensorflow = "why"\nkeras = "not"\nchainer = "now"\n'
    )
    return copied, answer


def test_the_command_says_what_is_there(numpy_only, capsys):
    assert report(["ae"], None, False) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head == "01 ae: Autoencoder"
    tried = ["PyTorch: answer", "PyTorch: starter", "PyTorch: 1 mistakes named"]
    assert lines == [f"  ✓ {one}" for one in (*folder.LOOKS, *tried)]


def wrong(numpy_only, capsys) -> list[str]:
    """What the command finds fault with."""
    assert report(["ae"], "pytorch", False) == 1
    lines = capsys.readouterr().out.splitlines()
    place = next(k for k, line in enumerate(lines) if line.startswith("  ✗"))
    return lines[place : place + 2]


def test_an_answer_that_does_not_pass_is_found(numpy_only, capsys):
    rewrite("np.square(difference).mean()", "2 * np.square(difference).mean()")(numpy_only[1])
    said = wrong(numpy_only, capsys)
    assert said[0] == "  ✗ PyTorch: answer"
    assert said[1].startswith("      loss: loss is doubled")


def test_parts_that_name_nothing_of_the_answer_are_found(numpy_only, capsys):
    for name in ("reconstruction_loss", "Autoencoder."):
        rewrite(name, "Other.")(numpy_only[0].recipe_file)
    assert wrong(numpy_only, capsys)[0] == "  ✗ PyTorch: starter"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('mean()"', 'mean(0)"', "no longer fits the answer: 'np.square(difference).mean(0)'"),
        ('.sum()"', '.mean()"', "nothing is red; loss should be"),
        ('"loss"', '"gradients"', "loss is red (loss is summed over everything"),
        ('"loss"', '"forward"', "only loss is red (loss is summed over everything"),
        ("over everything", "over nothing", "not 'summed over nothing'"),
    ],
)
def test_a_mistake_that_is_not_as_told_is_found(old, new, said, numpy_only, capsys):
    rewrite(old, new)(numpy_only[0].mistakes_file)
    found = wrong(numpy_only, capsys)
    assert found[0] == "  ✗ PyTorch: 1 mistakes named"
    assert found[1].startswith("      summed: ") and said in found[1]


def test_the_table_says_what_came_back_and_why_nothing_did(numpy_only, monkeypatch, capsys):
    monkeypatch.setattr(frameworks, "installed", lambda: ["pytorch", "keras"])
    assert report(["ae"], None, True) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[1:5] == ["## 01 ae", "", "| mistake | PyTorch | Keras |", "| --- | --- | --- |"]
    assert told[5].startswith("| summed | ✓ loss: loss is summed over everything instead of ")
    assert told[5].endswith(" | – not |")


def test_unknown_questions_and_frameworks_are_one_line(knock):
    assert knock("verify", "nothing")[0] == 2
    code, out, err = knock("verify", "ae", "--framework", "jax")
    assert (code, out, err.count("\n")) == (2, "", 1)
