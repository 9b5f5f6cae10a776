"""What an error says, in one line: a framework's sentence with its shapes, without its wrapping.

Each framework lays something else around it: Keras the arguments of every call, TensorFlow the
names of its own nodes, Chainer a heading above what it expected, and a graph all of its files.
"""

import re

ENTRY = re.compile(r'File "(.+)", line (\d+), in \S+ *(\**)$', re.MULTILINE)
"""A place that TensorFlow names; one star marks a function of which it has made another one."""

TRACED = "in user code:"
"""The first line of an error that TensorFlow found while it turned a function into a graph: then
come the places that it went through, and at the end the error."""

_KIND = re.compile(r"(\w+): ")
_BOLD = re.compile(r"\x1b\[1m(.*?)(?:\x1b\[0m|\Z)", re.DOTALL)
"""Keras prints an error's text in bold, after a line that names its kind and the called layer."""

_CALLING = re.compile(r"(\w+): Exception encountered when calling ")
"""That line, where TensorFlow has put the error into another one's text."""

_ARGUMENTS = re.compile(r"\s*Arguments received by .*", re.DOTALL)
"""What Keras writes below: all that a layer was called with."""

_NODES = [
    (re.compile(r"\{\{function_node [^}]*\}\}\s*"), ""),
    (re.compile(r"\s*\[\[\{\{node .*", re.DOTALL), ""),
    (re.compile(r"\s*\[Op:\w+\](?: name:.*)?$", re.DOTALL), ""),
    (re.compile(r"[.\s]*for '\{\{node .*?' (?=with input shapes)", re.DOTALL), ", "),
    (re.compile(r" and with (?:computed )?input tensors.*", re.DOTALL), ""),
    (
        re.compile(
            r"Unknown variable: <(?:Keras)?Variable path=([^,\s]+).*originally built with\..*",
            re.DOTALL,
        ),
        r"this optimizer was built with other variables than \1",
    ),
    (re.compile(r" \(or directly access saved tensors after .*", re.DOTALL), ""),
]
"""A framework's own names for its parts, its advice where that misleads, and what stays there."""

_IN_A_GRAPH = "Graph execution error:"
"""How TensorFlow begins where a graph that it had made fails later, when it runs."""

_EXPECTED = re.compile(
    r"\s*Invalid operation is performed in: (\S+) .*?Expect: (.*?)\nActual: (.*)", re.DOTALL
)
"""Chainer: which function, what must hold, and what was there instead."""

_INPUT = re.compile(r"in_types\[(\d)\]")
_FLOATS = re.compile(r"float32|\bFloat\b|\bfloat\b"), re.compile(r"float64|\bDouble\b|\bdouble\b")

_LONGEST = 400
"""Characters of an error's text that are shown: a tensor in it may have millions."""

_IN_A_WATCH = {
    "BdbQuit": "the debugger was left; it has no keyboard in knock watch, but in knock check",
    "EOFError": "nobody answers; there is no keyboard in knock watch, but in knock check",
}
"""What to do about errors by their kind: those who ask need somebody at the keyboard."""

_READ = 20_000
"""Characters at each end of an error's text that are read."""

_TO_DO = [
    (
        r"before Module.__init__\(\) call|(forget|forgot) to call `?super",
        "call super().__init__() first",
    ),
    (
        r"SymbolicTensor|symbolic .*Tensor|Using a symbolic",
        "within tf.function a tensor has no numbers yet: return and compute with tensors",
    ),
    (
        r"does not require grad",
        "no weight that learns leads here: is it detached, or under no_grad?",
    ),
    (r"only for scalar outputs", "a loss is one number: take a mean or a sum"),
    (
        r"No gradients provided|None values not supported",
        "is the loss computed on the tape, from these weights?",
    ),
    (
        r"'NoneType' object has no attribute '(namedparams|params|update)'",
        "call the optimiser's setup with the network first",
    ),
    (
        r"^'(momentum_buffer|exp_avg|exp_avg_sq|square_avg|step)'$",
        "the optimiser finds in a checkpoint what another kind keeps: is it the recipe's kind?",
    ),
    (r"optimizer got an empty parameter list", "no layer is an attribute of the network yet"),
    (r"backward through the graph a second time", "the first call of backward has freed it"),
    (
        r"was built with other variables",
        "apply each optimiser to the weights of its own networks, in every step the same",
    ),
]
"""Well-known sentences, and what to do."""


def whole(error: BaseException) -> str:
    """All of an error's text. It may raise whatever a method of the error's own class raises."""
    asked = error.msg if isinstance(error, SyntaxError) else error
    if isinstance(error, KeyError) and len(error.args) == 1 and "\n" in str(error.args[0]):
        asked = error.args[0]  # which str() would quote
    return str.__str__(str(asked)).strip()  # str may return a text of a class of its own


def kind_of(error: BaseException) -> str:
    """The name of an error's class, whatever a class of classes says it is."""
    return str(type.__dict__["__name__"].__get__(type(error)))


def cut(text: str) -> str:
    """At most so much of a text as is shown."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def said(error: BaseException, message: str) -> str:
    """The error's kind, what is wrong in a sentence, and what to do where that is known.

    `message` is all of its text, as `whole` gives it.
    """
    if isinstance(error, SystemExit):
        return cut(f"it ends the program: sys.exit({error.code!r})")
    if len(message) > 2 * _READ:
        message = f"{message[:_READ]}\n{message[-_READ:]}"
    kind, text = _sentence(error, message)
    found = cut(f"{kind}: {text}" if text else kind)
    more = _to_do(cut(text)) or _IN_A_WATCH.get(kind, "")
    return f"{found.rstrip('.')}: {more}" if more else found


def _sentence(error: BaseException, message: str) -> tuple[str, str]:
    """The kind of an error, and the sentence."""
    kind = kind_of(error)
    if message.startswith(TRACED):
        kind, message = _traced(message, kind)
    if bold := _BOLD.search(message):
        inner = _CALLING.findall(message[: bold.start()])
        kind, message = inner[-1] if inner else kind, bold[1].strip()
        if kind == "KeyError":
            message = repr(message)
    message = _ARGUMENTS.sub("", message)
    if expected := _EXPECTED.match(message):
        return kind, _chainers(*expected.groups())
    if message.startswith(_IN_A_GRAPH):
        lines = [one for one in message.splitlines()[1:] if one.strip()]
        message = next((one for one in reversed(lines) if not one.startswith((" ", "\t"))), "")
    for pattern, instead in _NODES:
        message = pattern.sub(instead, message)
    return kind, _first(message)


def _traced(message: str, kind: str) -> tuple[str, str]:
    """The error at the end of what TensorFlow says of a function, below the last place's line."""
    places = list(ENTRY.finditer(message))
    rest = message[places[-1].end() :] if places else message.removeprefix(TRACED)
    _, _, rest = rest.partition("\n\n")  # the lines of that place
    text = "\n".join(line.removeprefix("    ") for line in rest.splitlines()).strip()
    if named := _KIND.match(text):
        return named[1], text if _CALLING.match(text) else text[named.end() :]
    return kind, text


def _chainers(function: str, expected: str, actual: str) -> str:
    """Chainer's three lines as one sentence."""
    expected = " ".join(_INPUT.sub(r"input\1", expected).removesuffix(" * 1").split())
    actual = " ".join(actual.split())
    kinds = " (f: floats, i: whole numbers)" if ".dtype.kind" in expected else ""
    return f"{function} needs {expected}, but has {actual}{kinds}"


def _first(message: str) -> str:
    """The first line of a text; the whole paragraph where that line ends with a colon."""
    lines = message.strip().partition("\n\n")[0].splitlines()
    if not lines:
        return ""
    if lines[0].rstrip().endswith(":"):
        return " ".join([lines[0].strip(), ", ".join(line.strip() for line in lines[1:])]).strip()
    return lines[0].strip()


def _to_do(text: str) -> str:
    """What to do about a sentence that is well known; else empty."""
    for pattern, instead in _TO_DO:
        if re.search(pattern, text):
            return instead
    if all(one.search(text) for one in _FLOATS):
        return "in a check all numbers are float64, so give yours the dtype of what you were given"
    return ""
