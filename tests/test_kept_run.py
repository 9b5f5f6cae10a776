"""The judge's long run is kept in the user's cache: once computed, never wrong, never too much."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor

from knock import kept, paths
from knock import recipe as recipes
from knock.check import kept_run, trace
from knock.check.judge import Standard
from knock.frameworks import numpy as plain
from knock.grade import conditions
from knock.questions import find

import numpy as np
import pytest

VAE = find("vae")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache folder of its own."""
    monkeypatch.setattr(paths, "cache", lambda: tmp_path / "cache")
    return kept_run.RUNS.folder


@pytest.fixture
def steps(monkeypatch):
    """How many steps each run of the judge takes."""
    taken = []

    def take(path, adapter, recipe, looked_at=()):
        taken.append(max(looked_at or trace.LOOKED_AT))
        return original(path, adapter, recipe, looked_at=looked_at)

    original = trace.take
    monkeypatch.setattr(trace, "take", take)
    return taken


def expected(path=VAE.reference_file, seed=0):
    return kept_run.expected(path, recipes.load_check(VAE.recipe_file, seed=seed))


def test_the_second_time_it_is_read_and_has_the_same_bits(steps, folder):
    first, second = expected(), expected()
    assert steps == [2, 100, 2]
    whole = trace.take(VAE.reference_file, plain, recipes.load_check(VAE.recipe_file))
    for found in (first, second):
        assert found.losses == whole.losses
        assert found.again == whole.again
        assert list(found.states) == list(whole.states) == [0, 1, 2, 10, 100]
        for step, state in found.states.items():
            networks = {k for k in whole.states[step] if k.split(".")[0] in ("encoder", "decoder")}
            assert networks and set(state) == (set(whole.states[step]) if step < 10 else networks)
            for key, array in state.items():
                assert array.dtype == whole.states[step][key].dtype
                assert np.array_equal(array, whole.states[step][key])
        for key, array in whole.outputs.items():
            assert np.array_equal(found.outputs[key], array)
    assert [file.parent for file in kept_run.RUNS.files()] == [folder]
    assert kept_run.RUNS.size() < 100_000


def test_another_recipe_reference_seed_size_or_version_never_meets_it(steps, tmp_path, monkeypatch):
    recipe = recipes.load_check(VAE.recipe_file)
    path = tmp_path / "reference.py"
    shutil.copy(VAE.reference_file, path)
    made = {kept_run._key(path, recipe)}
    for changed in (
        recipes.load_check(VAE.recipe_file, seed=1),
        recipes.load_check(VAE.recipe_file, other={"batch_size": 5}),
        recipes.load_check(VAE.recipe_file, other={"constants": {"beta": 0.25}}),
    ):
        made.add(kept_run._key(path, changed))
    path.write_text(path.read_text(encoding="utf-8") + "# changed\n", encoding="utf-8")
    made.add(kept_run._key(path, recipe))
    monkeypatch.setattr(np, "__version__", "99.0")
    made.add(kept_run._key(path, recipe))
    monkeypatch.setattr(kept, "code", lambda: b"another package")
    made.add(kept_run._key(path, recipe))
    monkeypatch.setattr(trace, "LOOKED_AT", (1, 2, 10))
    made.add(kept_run._key(path, recipe))
    assert len(made) == 8


def test_a_change_of_our_code_is_seen(tmp_path, monkeypatch):
    shutil.copytree(paths.PACKAGE / "check", tmp_path / "check")
    monkeypatch.setattr(paths, "PACKAGE", tmp_path)
    before = kept.code.__wrapped__()
    changed = tmp_path / "check" / "trace.py"
    text = changed.read_text(encoding="utf-8")
    changed.write_text(text.replace("1", "2", 1), encoding="utf-8")  # as long as before
    assert kept.code.__wrapped__() != before


def spoilt_in_the_middle(file):
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)


def sealed(data):
    return kept.hashlib.sha256(data).digest() + data


DAMAGE = {
    "one bit": spoilt_in_the_middle,
    "half": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "empty": lambda file: file.write_bytes(b""),
    "something else": lambda file: file.write_bytes(sealed(b"something else")),
    "another's arrays": lambda file: file.write_bytes(sealed(kept.save({"a": np.ones(2)}))),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_damaged_is_computed_again(case, steps):
    right = expected()
    (file,) = kept_run.RUNS.files()
    DAMAGE[case](file)
    found = expected()
    assert steps == [2, 100, 2, 100]
    assert found.losses == right.losses
    expected()
    assert steps[4:] == ([2, 100] if case == "a folder" else [2])


def test_a_run_that_begins_otherwise_is_not_used(steps):
    """As on two machines that share a folder, and round otherwise."""
    recipe = recipes.load_check(VAE.recipe_file)
    long = kept_run._of(trace.take(VAE.reference_file, plain, recipe), recipe)
    name = next(iter(long.losses[1]))
    long.losses[1][name] = np.nextafter(long.losses[1][name], 9.0)
    kept_run.RUNS.write(kept_run._key(VAE.reference_file, recipe), kept_run._arrays(long))
    steps.clear()
    assert expected().losses != long.losses
    assert steps == [2, 100]


def test_where_nothing_can_be_kept_it_is_computed(folder, steps):
    folder.parent.write_bytes(b"a file where the folder would be")
    assert expected().losses == expected().losses
    assert steps == [2, 100] * 2
    assert kept_run.RUNS.files() == [] and kept_run.RUNS.size() == 0


def test_a_folder_that_can_only_be_read_serves(steps, monkeypatch):
    expected()

    def refuse(*_):
        raise PermissionError

    monkeypatch.setattr(os, "utime", refuse)
    expected()
    assert steps == [2, 100, 2]


def test_the_ones_used_longest_ago_make_room(folder, monkeypatch):
    for seed in range(3):
        expected(seed=seed)
    one = kept_run.RUNS.size() // 3
    for age, file in enumerate(kept_run.RUNS.files()):
        os.utime(file, (age, age))
    oldest, second, _ = kept_run.RUNS.files()
    (folder / ".a.safetensors.x.part").write_bytes(bytes(one))  # left by a process that was killed
    os.utime(folder / ".a.safetensors.x.part", (0, 0))
    (folder / "notes.txt").write_bytes(bytes(10 * one))  # not ours
    expected(seed=files_seed(oldest))  # used again
    monkeypatch.setattr(kept_run.RUNS, "largest", 3 * one + one // 2)
    expected(seed=3)
    left = kept_run.RUNS.files()
    assert oldest in left and second not in left and len(left) == 3
    assert kept_run.RUNS.size() <= kept_run.RUNS.largest
    assert (folder / "notes.txt").exists()
    monkeypatch.setattr(kept_run.RUNS, "largest", 0)
    expected(seed=4)
    assert len(kept_run.RUNS.files()) == 1  # what was just computed stays, however large it is


def files_seed(file):
    return next(
        seed
        for seed in range(3)
        if kept_run._key(VAE.reference_file, recipes.load_check(VAE.recipe_file, seed=seed))
        == file.stem
    )


def test_many_may_write_the_same_at_once():
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: expected(), range(8)))
    assert all(one.losses == found[0].losses for one in found)
    assert len(kept_run.RUNS.files()) == 1


STEP = "def train_step(self, batch):\n"


@pytest.mark.parametrize(
    ("raises", "taken"),
    [("1 / 0", [2]), ("1 // (0 if batch['epoch'] > 0 else 1)", [2, 100])],
    ids=["at once", "in the second epoch"],
)
def test_a_judge_that_raises_is_not_kept(raises, taken, tmp_path, steps):
    path = tmp_path / "reference.py"
    text = VAE.reference_file.read_text(encoding="utf-8")
    assert STEP in text
    path.write_text(text.replace(STEP, f"{STEP}        {raises}\n"), encoding="utf-8")
    assert "ZeroDivisionError" in str(expected(path).errors)
    assert steps == taken
    assert kept_run.RUNS.files() == []


def test_grading_does_not_touch_it(steps):
    Standard.of(VAE, "pytorch", 0, ours=False)
    spoilt_in_the_middle(*kept_run.RUNS.files())
    seen = kept_run.RUNS.files()[0].stat().st_mtime_ns
    conditions._standard.__wrapped__(VAE.name, b"{}")
    assert steps == [2, 100, 100]
    assert kept_run.RUNS.files()[0].stat().st_mtime_ns == seen


def test_doctor_says_where_it_is_and_how_large(knock, folder):
    expected()
    code, printed, _ = knock("doctor")
    assert code == 0
    assert f"the judge's numbers: 0.0 MiB in {folder}" in printed
