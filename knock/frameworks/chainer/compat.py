"""What makes Chainer 7.8.1, the last there is, run beside NumPy 2. Import this before Chainer.

Every cure below takes the text of one of Chainer's modules and returns it mended; an import hook
passes the text through the cures on its way to the interpreter. So nothing on disk is changed, and
nothing in NumPy's or anybody else's namespace; lines keep their numbers, and no module is imported
earlier than it would be.

This file is about being right. What makes Chainer faster is in `chainer_speed`.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType

Cure = Callable[[str], str]
CURES: dict[str, tuple[str, Cure]] = {}
"""The name of a cure → the module that it mends, and the function; read as Chainer is imported."""


def _cures(module: str) -> Callable[[Cure], Cure]:
    def register(cure: Cure) -> Cure:
        CURES[cure.__name__] = (module, cure)
        return cure

    return register


def _replace(source: str, old: str, new: str) -> str:
    """`source` with every `old` made `new`. Raises ImportError when there is none to replace."""
    if old not in source:
        raise ImportError(f"this is not Chainer 7.8.1: it has no {old!r} to mend")
    return source.replace(old, new)


@_cures("chainer._environment_check")
def environment_check(source: str) -> str:
    """`import chainer` fails: pkg_resources (setuptools 82) and numpy.distutils are gone.

    The module only prints warnings about versions of other packages; none is worth keeping.
    """
    return "def check():\n    pass\n"


@_cures("chainer.testing.helper")
def testing_helper(source: str) -> str:
    """`import chainer.gradient_check` fails, for it imports chainer.testing: pkg_resources again.

    It is read by the decorators `with_requires` and `without_requires` only.
    """
    return _replace(source, "import pkg_resources", "pkg_resources = None")


@_cures("chainer.functions.array.as_strided")
def as_strided(source: str) -> str:
    """`import chainer` fails: NumPy 2 has no `np.sctypes`. So does the gradient of as_strided."""
    source = _replace(source, "np.sctypes['int']", "(np.int8, np.int16, np.int32, np.int64)")
    return _replace(source, "np.sctypes['float']", "(np.float16, np.float32, np.float64)")


@_cures("chainer.functions.array.resize_images")
def resize_images(source: str) -> str:
    """F.resize_images raises AttributeError: `numpy.float` is gone."""
    return _replace(source, "dtype=numpy.float)", "dtype=float)")


@_cures("chainer.distributions.categorical")
def categorical(source: str) -> str:
    """Categorical.log_prob raises TypeError: `numpy.meshgrid` returns a tuple, no longer a list."""
    return _replace(source, "self.log_p[mg + [", "self.log_p[list(mg) + [")


@_cures("chainer.functions.connection.deconvolution_2d")
def deconvolution_2d(source: str) -> str:
    """A transposed convolution of raw noise z raises in backward, on any NumPy.

    Where the weight needs a gradient and the input does not, `_set_cover_all` is given the two
    arrays instead of their shapes.
    """
    return _replace(source, "self._set_cover_all(x, W)", "self._set_cover_all(x.shape, W.shape)")


@_cures("chainer.functions.activation.softplus")
def softplus_gradient(source: str) -> str:
    """The gradient of softplus(x), σ(x), is 0 in float32 from x = −17 down, instead of exp(x).

    It is written 1 − 1 / (1 + exp(x)), which cancels, and overflows with a warning above x = 88:
    the cross-entropy of a GAN is made of it. Here σ(x) = exp(−softplus(−x)), on any NumPy.
    """
    source = _replace(
        source,
        "gx = (1 - 1 / (1 + numpy.exp(self.beta * x))) * gy",
        "gx = numpy.exp(-numpy.logaddexp(0, -self.beta * x)) * gy",
    )
    return _replace(
        source, "gx = (1 - 1 / (1 + exp(beta * x))) * gy", "gx = gy / (1 + exp(-beta * x))"
    )


@_cures("chainer.reporter")
def summary_in_float64(source: str) -> str:
    """Summary's mean and standard deviation are wrong, silently: it adds up in float32.

    Under NumPy 1 a Python float and a float32 scalar made a float64; under NumPy 2 a float32.
    """
    return _replace(
        source,
        "            self._x += weight * value\n",
        "            value = backend.get_array_module(value).asarray(value, 'd'); "
        "self._x += weight * value\n",
    )


@_cures("chainer.optimizer")
def plain_hyperparameters(source: str) -> str:
    """A learning rate that is a `np.float64` makes every update compute in float64, silently.

    NumPy 2 lets a NumPy scalar decide an operation's dtype; a Python float never does.
    """
    return source + (
        "\n\ndef _set_plain(self, name, value):\n"
        "    value = value.item() if isinstance(value, numpy.generic) else value\n"
        "    object.__setattr__(self, name, value)\n\n\n"
        "Hyperparameter.__setattr__ = _set_plain\n"
    )


@_cures("chainer.functions.math.clip")
def plain_clip_bounds(source: str) -> str:
    """F.clip between `np.float64` bounds makes float64 of a float32 array on a GPU."""
    for name in ("x_min", "x_max"):
        source = _replace(
            source,
            f"        self.{name} = {name}\n",
            f"        self.{name} = getattr({name}, 'item', lambda: {name})()\n",
        )
    return source


@_cures("chainer.backends.cuda")
def cuda_needs_a_device(source: str) -> str:
    """`chainer.cuda.available` is True where CuPy is installed without a driver or a device."""
    return _replace(
        source,
        "\n\n    available = True\n",
        "\n    if not cuda.is_available(): raise RuntimeError('CuPy finds no CUDA device')\n"
        "    available = True\n",
    )


@_cures("chainer.backends.cuda")
def no_cudnn(source: str) -> str:
    """Chainer warns "cuDNN is not enabled, reinstall CuPy": CuPy 14 has no cuDNN to install."""
    return _replace(
        source,
        "_cudnn_disabled_by_user = int(",
        "_cudnn_disabled_by_user = _cupy_major >= 14 or int(",
    )


class _Loader(importlib.machinery.SourceFileLoader):
    """Reads a module's text, applies its cures, and compiles it.

    Past the cache of compiled files, in both directions: it belongs to the text on disk.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = importlib.util.decode_source(self.get_data(path))
        for module, cure in CURES.values():
            if module == fullname:
                source = cure(source)
        return compile(source, path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that have a cure, where Python's own finder does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if all(module != fullname for module, _ in CURES.values()):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin)
        return spec


def install() -> None:
    """Have the cures applied when Chainer is imported; calling it again changes nothing.

    Raises ImportError if Chainer is there already, without them: that cannot be made good.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if "chainer" in sys.modules:
        raise ImportError(
            "Chainer was imported before knock could mend it for NumPy 2; "
            "import knock.frameworks.chainer first"
        )
    # An import of Chainer that failed leaves modules behind that hold on to the half-made package.
    for name in [name for name in sys.modules if name.split(".")[0] in ("chainer", "chainerx")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder())


install()
