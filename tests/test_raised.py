"""An error of a learner's code is told with its line, the shapes there, and the keys there are.

That it is so in each framework is tested in test_check.py, where all of them are imported.
"""

import bdb
import itertools
import linecache
from types import SimpleNamespace

from knock import paths, recipe
from knock.questions import find
from knock.scripts import raised
from knock.scripts import said as sentences

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
    "is long": ("__str__ = lambda self: 'x' * 10**7", f"E: {'x' * (sentences._LONGEST - 3)}…"),
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
    assert len(found) < sentences._LONGEST + 200


# What a framework lays around its sentence


class InvalidType(Exception):
    """As Chainer's."""


class InvalidArgumentError(Exception):
    """As TensorFlow's."""


KERAS = (
    "Exception encountered when calling Reshape.call().\n\n\x1b[1mThe total size must be {}\x1b[0m"
    "\n\nArguments received by Reshape.call():\n  • inputs=tf.Tensor(shape=(4, 5))"
)
GRAPH = (
    'in user code:\n\n    File "/a.py", line 18, in step  *\n        return net(n)\n'
    '    File "/keras.py", line 122, in error_handler  **\n        raise e from None\n\n    {}\n'
)
NODE = (
    "Dimensions must be equal, but are 2 and 4 for '{{node mul}} = Mul[T=DT_DOUBLE](Exp, b)' with "
    "input shapes: [2,6], [4,3] and with computed input tensors: input[2] = <1>."
)
TOLD = {
    "Keras": (ValueError(KERAS.format(3)), "ValueError: The total size must be 3"),
    "Keras in a graph": (
        ValueError(GRAPH.format("ValueError: " + KERAS.format(3).replace("\n", "\n    "))),
        "ValueError: The total size must be 3",
    ),
    "a key in Keras": (
        KeyError("Exception encountered when calling N.call().\n\n\x1b[1mnose\x1b[0m\n\nArg"),
        "KeyError: 'nose'",
    ),
    "a key in a graph": (ValueError(GRAPH.format("KeyError: 'nose'")), "KeyError: 'nose'"),
    "a node": (
        ValueError(GRAPH.format("ValueError: " + NODE)),
        "ValueError: Dimensions must be equal, but are 2 and 4, with input shapes: [2,6], [4,3]",
    ),
    "a wrapped function": (
        InvalidArgumentError(
            "{{function_node __wrapped__MatMul_device_/job:localhost/device:CPU:0}} Matrix size-"
            "incompatible: In[0]: [4,8], In[1]: [9,5] [Op:MatMul] name: "
        ),
        "InvalidArgumentError: Matrix size-incompatible: In[0]: [4,8], In[1]: [9,5]",
    ),
    "a graph that runs": (
        InvalidArgumentError(
            "Graph execution error:\n\nDetected at node r defined at (most recent call last):\n"
            "<stack traces unavailable>\nInput is no matrix\n\t [[{{node r}}]] [Op:__inference_1]"
        ),
        "InvalidArgumentError: Input is no matrix",
    ),
    "Chainer": (
        InvalidType(
            "\nInvalid operation is performed in: Convolution2DFunction (Forward)\n\n"
            "Expect: in_types[0].shape[1] == in_types[1].shape[1] * 1\nActual: 1 != 3"
        ),
        "InvalidType: Convolution2DFunction needs input0.shape[1] == input1.shape[1], but has "
        "1 != 3",
    ),
    "Chainer's kinds": (
        InvalidType(
            "\nInvalid operation is performed in: F (Forward)\n\nExpect: t.dtype.kind == i\n"
            "Actual: f != i"
        ),
        "InvalidType: F needs t.dtype.kind == i, but has f != i (f: floats, i: whole numbers)",
    ),
    "a colon": (
        InvalidType("cannot broadcast:\nlhs.shape = (4, 3)\nrhs.shape = (4, 1)"),
        "InvalidType: cannot broadcast: lhs.shape = (4, 3), rhs.shape = (4, 1)",
    ),
    "two float types": (
        RuntimeError("mat1 and mat2 must have the same dtype, but got Float and Double"),
        "RuntimeError: mat1 and mat2 must have the same dtype, but got Float and Double: in a check"
        " all numbers are float64, so give yours the dtype of what you were given",
    ),
    "what to do": (
        ValueError("No gradients provided for any variable."),
        "ValueError: No gradients provided for any variable: is the loss computed "
        "on the tape, from these weights?",
    ),
    "advice that misleads": (
        ValueError(
            "Unknown variable: <Variable path=g/fc/kernel, shape=(2, 1), value=[[1.]\n [2.]]>. "
            "This optimizer can only be called for the variables it was originally "
            "built with. When working with a new set of variables, you should "
            "recreate a new optimizer instance."
        ),
        "ValueError: this optimizer was built with other variables than g/fc/kernel: apply each "
        "optimiser to the weights of its own networks, in every step the same",
    ),
    "a graph that is freed": (
        RuntimeError(
            "Trying to backward through the graph a second time (or directly access saved tensors "
            "after they have already been freed). Saved intermediate values of the graph are freed."
        ),
        "RuntimeError: Trying to backward through the graph a second time: the first call of "
        "backward has freed it",
    ),
    "a name of a checkpoint": (
        KeyError("exp_avg"),
        "KeyError: 'exp_avg': the optimiser finds in a checkpoint what another kind keeps: is it "
        "the recipe's kind?",
    ),
    "a debugger": (
        bdb.BdbQuit(),
        "BdbQuit: the debugger was left; it has no keyboard in knock watch, but in knock check",
    ),
    "input": (
        EOFError("EOF when reading a line"),
        "EOFError: EOF when reading a line: nobody answers; there is no keyboard in knock watch, "
        "but in knock check",
    ),
    "nothing": (ValueError(), "ValueError"),
}


@pytest.mark.parametrize(("error", "sentence"), TOLD.values(), ids=TOLD)
def test_of_a_frameworks_error_the_sentence_stays(error, sentence):
    assert sentences.said(error, sentences.whole(error)) == sentence


def test_whose_code_raised_is_said_before_the_error(tmp_path, monkeypatch):
    path, ours = tmp_path / "a.py", tmp_path / "answers" / "a.py"
    monkeypatch.setattr(paths, "ANSWERS", ours.parent)
    mine: dict = {}
    exec(compile("def f(x): return 1 / x\ndef g(h): return h()\n", str(path), "exec"), mine)
    given: dict = {"f": mine["f"]}
    exec(
        compile("def step(x): return f(x)\ndef other(): return {}['z']\n", str(ours), "exec"), given
    )

    def told(call) -> str:
        with pytest.raises(Exception) as met:  # noqa: B017, PT011  # each has its own
            call()
        return raised.told(met.value, path)

    assert told(lambda: mine["f"](0)).startswith("your code raises ZeroDivisionError: ")
    assert told(lambda: given["step"](0)).startswith("your code raises ZeroDivisionError: ")
    beside = "our code, which uses yours here, raises KeyError: 'z'"
    assert told(given["other"]).startswith(beside)
    called = told(lambda: mine["g"](given["other"]))  # theirs may have given it what is wrong
    assert called == "your code raises KeyError: 'z' (line 2)"
    assert told(lambda: mine["f"]()).startswith("the check cannot use it: TypeError: f() missing 1")


def test_what_ends_the_program_is_told_with_its_line(tmp_path):
    path = tmp_path / "a.py"
    path.write_text("def step(): exit()\n", encoding="utf-8")
    space: dict = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), space)
    with pytest.raises(SystemExit) as met:
        space["step"]()
    assert raised.told(met.value, path) == (
        "in your code, it ends the program: sys.exit(None) (line 1: def step(): exit())"
    )


def test_whole_tracebacks_are_kept_for_those_who_ask(tmp_path):
    with raised.whole_tracebacks() as kept:
        told(tmp_path, "def step(batch):\n    return batch['z']\n")
    told(tmp_path, "def step(batch):\n    return batch['y']\n")
    (text,) = kept
    assert text.startswith("Traceback (most recent call last):")
    assert text.endswith("KeyError: 'z'\n")


def test_where_there_is_no_tensor_the_sizes_are_told(tmp_path):
    text = "def step(batch):\n    h, small = 3, (0, 2, 24)\n    return small / h\n"
    assert told(tmp_path, text).endswith("; small = (0, 2, 24))")


def test_a_shape_without_an_end_is_none(tmp_path):
    text = "def step(batch):\n    return thing @ batch['noise']\n"
    thing = SimpleNamespace(shape=itertools.repeat(3), dtype="float64")
    assert told(tmp_path, text, thing=thing).endswith("; batch['noise'] = (4, 7) float64)")


def test_the_tables_of_the_recipe_and_lists_of_tensors_are_shown(tmp_path):
    text = "def step(recipe):\n    return recipe.constants['latent']\n"
    said = told(tmp_path, text, "step(recipe)", recipe=recipe.load_check(find("vae").recipe_file))
    assert said.endswith("recipe.constants has beta, hidden, z)")
    text = "def step(batch):\n    asked = [batch['noise'], batch['noise']]\n    return asked @ 3\n"
    assert told(tmp_path, text).endswith("asked = [(4, 7) float64, (4, 7) float64])")
