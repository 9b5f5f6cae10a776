"""An error of a learner's code is told with its line, the shapes there, and the keys there are.

That it is so in each framework is tested in test_check.py, where all of them are imported.
"""

import linecache

from knock.scripts import raised

import numpy as np
import pytest


def told(tmp_path, text, call="step(batch)", name="a.py", **given):
    """What is said of the error that a script raises when it is called."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    linecache.clearcache()
    code = compile(text, str(path), "exec")
    space = {"batch": {"images": np.zeros((4, 3, 9, 14)), "noise": np.zeros((4, 7))}, **given}
    exec(code, space)
    with pytest.raises(Exception) as met:  # noqa: B017, PT011  # each has its own
        eval(call, space)
    return raised.describe(met.value, path)


def test_a_missing_key_is_told_with_the_keys_that_are_there(tmp_path):
    text = "def step(batch):\n    x = 1\n    return batch['image'] + x\n"
    assert told(tmp_path, text) == (
        "KeyError: 'image' (line 3: return batch['image'] + x; batch has images, noise)"
    )
    inner = "def step(batch):\n    return {'z': 3}[batch.pop('z', 'y')]\n"
    assert told(tmp_path, inner).endswith("batch has images, noise)")
    large = "def step(batch):\n    return large['x']\nlarge = {str(n): n for n in range(99)}\n"
    assert told(tmp_path, large) == "KeyError: 'x' (line 2: return large['x'])"


def test_the_shapes_of_the_tensors_in_the_line_are_told(tmp_path):
    text = (
        "def step(batch):\n"
        "    images, noise = batch['images'], batch['noise']\n"
        "    size = 3\n"
        "    return size * noise @ batch['images']  # 4×3\n"
    )
    said = told(tmp_path, text)
    assert "(line 4: return size * noise @ batch['images']; noise = (4, 7) float64, " in said
    assert said.endswith("batch['images'] = (4, 3, 9, 14) float64)")


def test_a_call_over_several_lines_is_one_line_and_knows_all_its_variables(tmp_path):
    text = (
        "def step(batch):\n"
        "    a, b = batch['noise'], batch['images'][0, 0].astype('float32')\n"
        "    return len(\n"
        "        a,\n"
        "        b,\n"
        "    )\n"
    )
    assert told(tmp_path, text).endswith(
        "(line 3: return len(; a = (4, 7) float64, b = (9, 14) float32)"
    )


def test_attributes_are_looked_up_and_nothing_of_the_learners_is_run(tmp_path):
    text = (
        "class Net:\n"
        "    def __init__(self): self.weight, self.fine = batch['noise'], True\n"
        "    @property\n"
        "    def trap(self): self.fine = False\n"
        "    def step(self):\n"
        "        return self.weight @ None @ self.trap\n"
        "net = Net()\n"
    )
    assert told(tmp_path, text, "net.step()").endswith(
        "(line 6: return self.weight @ None @ self.trap; self.weight = (4, 7) float64)"
    )
    space: dict = {"batch": {"noise": np.zeros((4, 7))}}
    path = tmp_path / "a.py"
    exec(compile(text, str(path), "exec"), space)
    with pytest.raises(ValueError, match="matmul") as met:
        space["net"].step()
    raised.describe(met.value, path)
    assert space["net"].fine


def test_a_long_line_is_cut_and_a_file_that_is_gone_has_none(tmp_path):
    long = f"def step(batch): return 1 / {' + '.join('0' * 60)}\n"
    said = told(tmp_path, long)
    assert said.endswith("…)") and len(said) < 140
    path = tmp_path / "gone.py"
    code = compile("def step(): return 1 / 0\n", str(path), "exec")
    space: dict = {}
    exec(code, space)
    with pytest.raises(ZeroDivisionError) as met:
        space["step"]()
    assert raised.describe(met.value, path) == "ZeroDivisionError: division by zero (line 1)"


def test_a_cell_of_a_running_notebook_is_named(tmp_path):
    text = "# written\n# %% In [3]\nimport math\n# %% In [7]\n\ndef step(batch): return 1 / 0\n"
    assert told(tmp_path, text) == (
        "ZeroDivisionError: division by zero (In [7], line 2: def step(batch): return 1 / 0)"
    )


HOSTILE = {
    "raises": (
        "__str__ = lambda self: 1 / 0",
        "E, which raises ZeroDivisionError when it is asked",
    ),
    "is no text": ("__str__ = lambda self: 7", "E, which raises TypeError when it is asked"),
    "interrupts": (
        "def __str__(self): raise KeyboardInterrupt",
        "E, which raises KeyboardInterrupt when it is asked",
    ),
    "is a text of its own": (
        "__str__ = lambda self: type('S', (str,), {'strip': None})('so')",
        "E: so",
    ),
    "lies": ("__class__ = int", "E"),
    "is long": ("__str__ = lambda self: 'x' * 10**7", f"E: {'x' * (raised._LONGEST - 3)}…"),
    "is empty": ("", "E"),
}


@pytest.mark.parametrize("kind", ["Exception", "SyntaxError", "SystemExit"])
@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_an_error_does_when_it_is_asked_it_is_told_with_its_line(tmp_path, name, kind):
    body, said = HOSTILE[name]
    path = tmp_path / "a.py"
    text = f"class E({kind}):\n    {body or 'x = 1'}\ndef step():\n    raise E\n"
    path.write_text(text, encoding="utf-8")
    space = {}
    exec(compile(text, str(path), "exec"), space)
    try:
        space["step"]()
    except BaseException as error:
        found = raised.describe(error, path)
    if kind == "Exception":
        assert found.startswith(said) and found.endswith(" (line 4: raise E)")
    assert len(found) < raised._LONGEST + 200
