"""Makes Chainer 7.8.1, its last release, run with NumPy 2. Import this before Chainer.

Every patch below takes the text of one of Chainer's modules and returns it corrected; an import
hook applies the patches before Python compiles the text. So nothing changes on disk, or in the
namespace of NumPy or anything else; line numbers stay the same, and no module is imported earlier
than usual.

These patches are about right results. `speed` makes Chainer faster.
"""

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Callable, Sequence
from types import CodeType, ModuleType

Patch = Callable[[str], str]
PATCHES: dict[str, tuple[str, Patch]] = {}
"""The name of a patch → the module that it corrects, and the function; read on import."""


def _patches(module: str) -> Callable[[Patch], Patch]:
    def register(patch: Patch) -> Patch:
        PATCHES[patch.__name__] = (module, patch)
        return patch

    return register


def _replace(source: str, old: str, new: str) -> str:
    """`source` with every `old` replaced by `new`. Raises ImportError if there is none."""
    if old not in source:
        raise ImportError(f"this is not Chainer 7.8.1: it has no {old!r} to patch")
    return source.replace(old, new)


@_patches("chainer._environment_check")
def environment_check(source: str) -> str:
    """`import chainer` fails: pkg_resources (setuptools 82) and numpy.distutils no longer exist.

    The module only prints warnings about versions of other packages; nobody needs them.
    """
    return "def check():\n    pass\n"


@_patches("chainer.testing.helper")
def testing_helper(source: str) -> str:
    """`import chainer.gradient_check` fails: chainer.testing imports pkg_resources, too.

    Only the decorators `with_requires` and `without_requires` use it.
    """
    return _replace(source, "import pkg_resources", "pkg_resources = None")


@_patches("chainer.functions.array.as_strided")
def as_strided(source: str) -> str:
    """`import chainer` and the gradient of as_strided fail: NumPy 2 has no `np.sctypes`."""
    source = _replace(source, "np.sctypes['int']", "(np.int8, np.int16, np.int32, np.int64)")
    return _replace(source, "np.sctypes['float']", "(np.float16, np.float32, np.float64)")


@_patches("chainer.functions.array.resize_images")
def resize_images(source: str) -> str:
    """F.resize_images raises AttributeError: `numpy.float` no longer exists."""
    return _replace(source, "dtype=numpy.float)", "dtype=float)")


@_patches("chainer.distributions.categorical")
def categorical(source: str) -> str:
    """Categorical.log_prob raises TypeError: `numpy.meshgrid` returns a tuple, no longer a list."""
    return _replace(source, "self.log_p[mg + [", "self.log_p[list(mg) + [")


@_patches("chainer.functions.connection.deconvolution_2d")
def deconvolution_2d(source: str) -> str:
    """A transposed convolution of raw noise z raises in backward, on any NumPy.

    If the weight needs a gradient but the input does not, `_set_cover_all` gets the two arrays
    instead of their shapes.
    """
    return _replace(source, "self._set_cover_all(x, W)", "self._set_cover_all(x.shape, W.shape)")


@_patches("chainer.functions.activation.softplus")
def softplus_gradient(source: str) -> str:
    """The gradient of softplus(x), σ(x), is 0 in float32 below x = −17, instead of about exp(x).

    Chainer computes 1 − 1 / (1 + exp(x)), which cancels, and overflows with a warning above x = 88.
    The cross-entropy of a GAN uses softplus. Here σ(x) = exp(−softplus(−x)), on any NumPy.
    """
    source = _replace(
        source,
        "gx = (1 - 1 / (1 + numpy.exp(self.beta * x))) * gy",
        "gx = numpy.exp(-numpy.logaddexp(0, -self.beta * x)) * gy",
    )
    return _replace(
        source, "gx = (1 - 1 / (1 + exp(beta * x))) * gy", "gx = gy / (1 + exp(-beta * x))"
    )


@_patches("chainer.reporter")
def summary_in_float64(source: str) -> str:
    """Summary's mean and standard deviation are silently wrong: it adds in float32.

    In NumPy 1 a Python float plus a float32 scalar was a float64; in NumPy 2 it is a float32.
    """
    return _replace(
        source,
        "            self._x += weight * value\n",
        "            value = backend.get_array_module(value).asarray(value, 'd'); "
        "self._x += weight * value\n",
    )


@_patches("chainer.optimizer")
def plain_hyperparameters(source: str) -> str:
    """A learning rate that is a `np.float64` silently makes every update use float64.

    In NumPy 2 a NumPy scalar can decide the dtype of an operation; a Python float never does.
    """
    return source + (
        "\n\ndef _set_plain(self, name, value):\n"
        "    value = value.item() if isinstance(value, numpy.generic) else value\n"
        "    object.__setattr__(self, name, value)\n\n\n"
        "Hyperparameter.__setattr__ = _set_plain\n"
    )


@_patches("chainer.functions.math.clip")
def plain_clip_bounds(source: str) -> str:
    """F.clip with `np.float64` bounds turns a float32 array into float64 on a GPU."""
    for name in ("x_min", "x_max"):
        source = _replace(
            source,
            f"        self.{name} = {name}\n",
            f"        self.{name} = getattr({name}, 'item', lambda: {name})()\n",
        )
    return source


@_patches("chainer.backends.cuda")
def cuda_needs_a_device(source: str) -> str:
    """`chainer.cuda.available` is True if CuPy is installed without a driver or a device."""
    return _replace(
        source,
        "\n\n    available = True\n",
        "\n    if not cuda.is_available(): raise RuntimeError('CuPy finds no CUDA device')\n"
        "    available = True\n",
    )


@_patches("chainer.backends.cuda")
def no_cudnn(source: str) -> str:
    """Chainer warns "cuDNN is not enabled, reinstall CuPy": CuPy 14 has no cuDNN to install."""
    return _replace(
        source,
        "_cudnn_disabled_by_user = int(",
        "_cudnn_disabled_by_user = _cupy_major >= 14 or int(",
    )


class _Loader(importlib.machinery.SourceFileLoader):
    """Reads a module's text, applies its patches, and compiles it.

    It neither reads nor writes the cache of compiled files, which belongs to the text on disk.
    """

    def get_code(self, fullname: str) -> CodeType:
        path = self.get_filename(fullname)
        source = importlib.util.decode_source(self.get_data(path))
        for module, patch in PATCHES.values():
            if module == fullname:
                source = patch(source)
        return compile(source, path, "exec", dont_inherit=True)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the modules that have a patch, in the same places as Python's own finder."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if all(module != fullname for module, _ in PATCHES.values()):
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(fullname, spec.origin)
        return spec


def install() -> None:
    """Apply the patches when Chainer is imported; calling it again changes nothing.

    Raises ImportError if Chainer has already been imported without them: then it is too late.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    if "chainer" in sys.modules:
        raise ImportError(
            "Chainer was imported before knock could patch it for NumPy 2; "
            "import knock.frameworks.chainer first"
        )
    # A failed import of Chainer leaves modules that still refer to the half-made package.
    for name in [name for name in sys.modules if name.split(".")[0] in ("chainer", "chainerx")]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Finder())


install()
