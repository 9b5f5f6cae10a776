"""Chainer with NumPy 2: every patch is still needed and works; every speed-up changes nothing.

Each question below shows one fault. This file also runs as a script: once without the patches, to
see that the faults are there, and once with them, to see that they are gone.
"""

import json
import subprocess
import sys
import types
import warnings
from pathlib import Path

from knock.frameworks.chainer import compat

import numpy as np
import pytest

if __name__ != "__main__":
    pytest.importorskip("chainer")
    from knock.frameworks import chainer as framework  # noqa: F401  # installs the speed-ups
    from knock.frameworks.chainer import optimizers, speed


# ---- The questions to Chainer, with and without the patches -------------------------------------


def as_strided():
    import chainer.functions as F
    from chainer import Variable

    x = Variable(np.arange(6.0))
    F.sum(F.as_strided(x, (2, 2), (1, 1), 0)).backward()
    return x.grad.tolist()


def resize_images():
    import chainer.functions as F

    return F.resize_images(np.arange(4, dtype="f").reshape(1, 1, 2, 2), (3, 3)).array[0, 0].tolist()


def categorical():
    import chainer

    one = chainer.distributions.Categorical(p=np.array([[0.25, 0.75], [0.5, 0.5]], "f"))
    return np.exp(one.log_prob(np.array([1, 0])).array).tolist()


def deconvolution_2d():
    import chainer.links as L

    link = L.Deconvolution2D(1, 1, 2, initialW=1)
    link.cleargrads()
    y = link(np.full((1, 1, 1, 1), 3, "f"))
    y.grad = np.arange(4, dtype="f").reshape(1, 1, 2, 2)
    y.backward()
    return link.W.grad[0, 0].tolist()


def softplus_gradient():
    import chainer.functions as F
    from chainer import Variable

    x = Variable(np.array([-20, 0, 100], "f"))
    F.sum(F.softplus(x)).backward()
    return x.grad.tolist()


def summary_in_float64():
    import chainer

    summary = chainer.reporter.Summary()
    for value in np.array([99.997, 100.003] * 500, "f"):
        summary.add(value)
    return float(summary.make_statistics()[1])


def plain_hyperparameters():
    import chainer

    optimizer = chainer.optimizers.SGD(lr=np.float64(0.1))
    return str((optimizer.lr * np.zeros(1, "f")).dtype)


def plain_clip_bounds():
    from chainer.functions.math import clip

    cuda, clip.cuda = clip.cuda, types.SimpleNamespace(cupy=np)  # with NumPy's rules for dtypes
    try:
        (y,) = clip.Clip(np.float64(-1), np.float64(1)).forward_gpu((np.zeros(1, "f"),))
        return str(y.dtype)
    finally:
        clip.cuda = cuda


PROBES = (
    as_strided,
    resize_images,
    categorical,
    deconvolution_2d,
    softplus_gradient,
    summary_in_float64,
    plain_hyperparameters,
    plain_clip_bounds,
)


def ask(question):
    """The answer, or the exception in words."""
    try:
        return question()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def import_fresh(name="chainer"):
    """Import it as in a new process. Returns its warnings."""
    for known in list(sys.modules):
        if known.split(".")[0] in ("chainer", "chainerx"):
            del sys.modules[known]
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", SyntaxWarning)
        __import__(name)
    return [str(one.message) for one in said]


def with_cupy(has_device):
    """(chainer.cuda.available, the warnings) if CuPy 14 is installed."""
    import unittest.mock

    cupy = unittest.mock.MagicMock(__version__="14.2.0", ndarray=type("ndarray", (), {}))
    cupy.cuda.is_available.return_value = has_device
    cupy._util.PerformanceWarning = Warning
    for name in (
        "cupy",
        "cupy._util",
        "cupy.cuda",
        "cupy.cuda.cublas",
        "cupyx",
        "cupyx.scipy",
        "cupyx.scipy.linalg",
        "cupyx.scipy.special",
    ):
        found = cupy
        for part in name.split(".")[1:] if name.startswith("cupy.") else []:
            found = getattr(found, part)
        sys.modules[name] = found
    sys.modules["cupy.cudnn"] = sys.modules["cupy.cuda.cudnn"] = None
    import_fresh()
    import chainer

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        if chainer.cuda.available:
            chainer.cuda.check_cuda_available()
    return chainer.cuda.available, [str(one.message) for one in said]


def as_installed_today():
    """Hide what old versions of setuptools and NumPy had."""
    sys.modules["pkg_resources"] = sys.modules["numpy.distutils"] = None


def answers_without_patches():
    as_installed_today()
    patches = dict(compat.PATCHES)
    keep = compat.PATCHES
    keep.clear()
    answers = {"import": ask(import_fresh)}
    # Just enough to import Chainer: the half of a patch that the import needs.
    half = ("np.sctypes['int']", "(np.int8, np.int16, np.int32, np.int64)")
    keep["as_strided"] = (patches["as_strided"][0], lambda source: source.replace(*half))
    answers["environment_check"] = ask(import_fresh)
    keep["environment_check"] = patches["environment_check"]
    import_fresh()
    answers |= {probe.__name__: ask(probe) for probe in PROBES}
    answers["testing_helper"] = ask(lambda: import_fresh("chainer.gradient_check"))
    answers["cuda_needs_a_device"] = ask(lambda: with_cupy(False))
    answers["no_cudnn"] = ask(lambda: with_cupy(True))
    return answers


def answers_with_patches():
    as_installed_today()
    answers = {"import": ask(import_fresh), "environment_check": None}
    answers |= {probe.__name__: ask(probe) for probe in PROBES}
    answers["testing_helper"] = ask(lambda: import_fresh("chainer.gradient_check"))
    answers["numpy"] = [name for name in ("sctypes", "float") if name in vars(np)]
    answers["cuda_needs_a_device"] = ask(lambda: with_cupy(False))
    answers["no_cudnn"] = ask(lambda: with_cupy(True))
    return answers


if __name__ == "__main__":
    wanted = {"without": answers_without_patches, "with": answers_with_patches}[sys.argv[1]]
    print("\n" + json.dumps(wanted()))
    sys.exit()


# ---- The answers ---------------------------------------------------------------------------------


def run_as_script(which):
    done = subprocess.run(
        [sys.executable, Path(__file__), which], capture_output=True, encoding="utf-8", timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def without():
    return run_as_script("without")


@pytest.fixture(scope="module")
def patched():
    return run_as_script("with")


def test_every_patch_has_a_question(without, patched):
    assert set(compat.PATCHES) <= set(without)
    assert set(compat.PATCHES) <= set(patched)


def test_import_needs_the_patches_and_is_silent_with_them(without, patched):
    assert "sctypes" in without["import"]
    assert "No module named" in without["environment_check"]
    assert patched["import"] == []
    assert patched["numpy"] == []  # nothing was put into NumPy's namespace


def test_gradient_check_can_be_imported(without, patched):
    assert "pkg_resources" in without["testing_helper"]
    assert patched["testing_helper"] == []


def test_as_strided_has_a_gradient(without, patched):
    assert "sctypes" in without["as_strided"]
    assert patched["as_strided"] == [1, 2, 1, 0, 0, 0]


def test_resize_images_resizes(without, patched):
    assert "AttributeError" in without["resize_images"]
    assert patched["resize_images"] == [[0, 0.5, 1], [1, 1.5, 2], [2, 2.5, 3]]


def test_categorical_has_a_log_probability(without, patched):
    assert "TypeError" in without["categorical"]
    np.testing.assert_allclose(patched["categorical"], [0.75, 0.5], rtol=1e-6)


def test_transposed_convolution_of_raw_noise_has_a_weight_gradient(without, patched):
    assert "Error" in without["deconvolution_2d"]
    assert patched["deconvolution_2d"] == [[0, 3], [6, 9]]


def test_gradient_of_softplus_keeps_its_precision(without, patched):
    assert without["softplus_gradient"][0] == 0
    np.testing.assert_allclose(patched["softplus_gradient"], [np.exp(-20), 0.5, 1], rtol=1e-6)


def test_summary_adds_up_in_float64(without, patched):
    assert not np.isclose(without["summary_in_float64"], 0.003, rtol=0.1)
    np.testing.assert_allclose(patched["summary_in_float64"], 0.003, rtol=1e-2)


@pytest.mark.parametrize("name", ["plain_hyperparameters", "plain_clip_bounds"])
def test_a_numpy_scalar_does_not_decide_the_dtype(without, patched, name):
    assert without[name] == "float64"
    assert patched[name] == "float32"


def test_cupy_without_a_device_is_not_available(without, patched):
    assert without["cuda_needs_a_device"][0] is True
    assert patched["cuda_needs_a_device"] == [False, []]


def test_cupy_without_cudnn_gives_no_warning(without, patched):
    assert "cuDNN is not enabled" in without["no_cudnn"][1][0]
    assert patched["no_cudnn"] == [True, []]


def test_installing_twice_changes_nothing():
    before = list(sys.meta_path)
    compat.install()
    assert sys.meta_path == before


def test_chainer_imported_before_is_refused(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", sys.meta_path[-1:])
    with pytest.raises(ImportError, match="import knock.frameworks.chainer first"):
        compat.install()


def test_another_chainer_is_refused():
    for name in set(compat.PATCHES) - {"environment_check", "plain_hyperparameters"}:
        with pytest.raises(ImportError, match=r"not Chainer 7\.8\.1"):
            compat.PATCHES[name][1]("import numpy\n")


# ---- The speed-ups -------------------------------------------------------------------------------


@pytest.fixture
def stock(monkeypatch):
    """A function that restores Chainer's own methods for the rest of the test."""
    own = {
        (speed.Convolution2DFunction, "_forward_cpu_core"): speed._convolution_by_one,
        (speed.Convolution2DGradW, "_forward_cpu_core"): speed._weight_gradient_by_one,
        (speed.Deconvolution2DFunction, "_forward_cpu_core"): speed._transposed_by_one,
        (speed.MaxPoolingND, "forward_cpu"): speed._pool_any,
        (speed.MaxPoolingNDGrad, "forward_cpu"): speed._pool_any_gradient,
    }

    def put_back():
        for (where, name), method in own.items():
            monkeypatch.setattr(where, name, method)

    return put_back


def everything(function, arrays):
    """The value, the gradients, and the gradients of a function of the gradients."""
    import chainer
    import chainer.functions as F

    variables = [chainer.Variable(array.copy()) for array in arrays]
    y = function(*variables)
    weighed = F.sum(y * np.cos(np.arange(y.size)).reshape(y.shape))
    first = chainer.grad([weighed + F.sum(y * y)], variables, enable_double_backprop=True)
    second = chainer.grad([sum(F.sum(g * g) for g in first)], variables)
    return [v.array for v in (y, *first, *second) if v is not None]


def assert_same_as_stock(function, arrays, stock):
    ours = everything(function, arrays)
    stock()
    theirs = everything(function, arrays)
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-13 * np.abs(other).max())


def arrays(*shapes):
    random = np.random.default_rng(0)
    return [random.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("side", [18, 7])  # many positions, and few
@pytest.mark.parametrize(("kernel", "options"), [(3, {"pad": 1}), (5, {"stride": 2, "pad": 2})])
def test_convolution_is_the_same(stock, side, kernel, options):
    import chainer.functions as F

    given = arrays((2, 3, side, side + 1), (4, 3, kernel, kernel), (4,))
    assert_same_as_stock(lambda x, W, b: F.convolution_2d(x, W, b, **options), given, stock)


@pytest.mark.parametrize("options", [{"dilate": 2}, {"cover_all": True, "stride": 3}])
def test_convolution_is_the_same_in_unusual_ways(stock, options):
    import chainer.functions as F

    given = arrays((2, 3, 29, 30), (4, 3, 2, 3))
    assert_same_as_stock(lambda x, W: F.convolution_2d(x, W, **options), given, stock)


@pytest.mark.parametrize("side", [9, 4])
@pytest.mark.parametrize(("kernel", "pad"), [(1, 0), (3, 0), (3, 1), (3, 2), (2, 2)])
def test_transposed_convolution_of_stride_1_is_the_same(stock, side, kernel, pad):
    import chainer.functions as F

    given = arrays((2, 3, side, side + 1), (3, 4, kernel, kernel), (4,))
    assert_same_as_stock(lambda x, W, b: F.deconvolution_2d(x, W, b, 1, pad), given, stock)


@pytest.mark.parametrize("side", [9, 4])
@pytest.mark.parametrize(("kernel", "pad", "out_pad"), [(2, 0, 0), (4, 1, 0), (5, 2, 1)])
def test_transposed_convolution_is_the_same(stock, side, kernel, pad, out_pad):
    import chainer.functions as F

    size = [(n - 1) * 2 - 2 * pad + kernel + out_pad for n in (side, side + 1)]
    given = arrays((2, 3, side, side + 1), (3, 4, kernel, kernel), (4,))
    assert_same_as_stock(lambda x, W, b: F.deconvolution_2d(x, W, b, 2, pad, size), given, stock)


@pytest.mark.parametrize(("height", "options"), [(6, {}), (7, {}), (7, {"stride": 1, "pad": 1})])
def test_max_pooling_is_the_same(stock, height, options):
    import chainer.functions as F

    (x,) = arrays((2, 3, height, 8))
    assert_same_as_stock(lambda x: F.max_pooling_2d(x, 2, **options), [x], stock)


def test_max_pooling_gives_a_tie_to_the_first(stock):
    import chainer.functions as F

    x = np.round(arrays((2, 3, 6, 8))[0])
    assert_same_as_stock(lambda x: F.max_pooling_2d(x, (3, 2)), [x], stock)


def test_maps_are_contiguous():
    import chainer.functions as F

    x, W, V = (a.astype("f") for a in arrays((2, 3, 16, 16), (4, 3, 3, 3), (4, 3, 2, 2)))
    y = F.convolution_2d(x, W, pad=1).array
    assert y.flags.c_contiguous
    assert y.dtype == np.float32
    assert F.deconvolution_2d(y, V, stride=2).array.dtype == np.float32


@pytest.mark.parametrize("slope", [0.2, 0.0, -0.5, 1.5, np.float64(0.2)])
def test_leaky_relu_is_its_formula(slope):
    import chainer
    import chainer.functions as F

    x = chainer.Variable(np.array([-2, -1, 0, 3], "f"))
    y = F.leaky_relu(x, slope)
    y.grad = np.array([1, 2, 3, 4], "f")
    y.backward()
    assert y.dtype == x.grad.dtype == np.float32
    np.testing.assert_array_equal(y.array, np.array([-2 * slope, -slope, 0, 3], "f"))
    np.testing.assert_array_equal(x.grad, np.array([slope, 2 * slope, 3 * slope, 4], "f"))


@pytest.mark.parametrize("size", [1, 16384, 40000])
def test_adam_in_blocks_is_adam(size, monkeypatch):
    def follow():
        import chainer

        link = chainer.Link()
        with link.init_scope():
            link.w = chainer.Parameter(arrays((size,))[0])
        optimizer = optimizers.Adam(0.01).setup(link)
        for step in range(3):
            link.w.grad = arrays((step + 1, size))[0][-1]
            optimizer.update()
        return link.w.array

    ours = follow()
    monkeypatch.delattr(optimizers.AdamRule, "update_core_cpu")
    np.testing.assert_allclose(ours, follow(), rtol=1e-12)
