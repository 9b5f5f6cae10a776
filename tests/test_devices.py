"""Which device a framework computes on, and the one line where it has no such device."""

import importlib
from unittest import mock

from knock import frameworks
from knock.errors import UserError
from knock.frameworks.devices import cuda_index, require_mps

import pytest


@pytest.mark.parametrize(
    ("device", "count", "index"),
    [
        ("auto", 0, None),
        ("auto", 2, 0),
        ("cpu", 2, None),
        ("cuda", 1, 0),
        ("cuda:0", 1, 0),
        ("cuda:1", 2, 1),
    ],
)
def test_a_word_means_one_device(device, count, index):
    assert cuda_index(device, count, "PyTorch") == index


@pytest.mark.parametrize(
    ("device", "count", "said"),
    [
        ("cuda", 0, "Chainer finds no CUDA device here (it needs CuPy); use --device cpu"),
        ("cuda:1", 0, "Chainer finds no CUDA device here (it needs CuPy); use --device cpu"),
        ("cuda:1", 1, "Chainer finds no cuda:1 here, only cuda:0; use --device cpu"),
        ("cuda:7", 4, "Chainer finds no cuda:7 here, only cuda:0 to cuda:3; use --device cpu"),
        ("mps", 1, "Chainer cannot use an Apple GPU (mps), only PyTorch can; use --device cpu"),
    ],
)
def test_a_device_that_is_not_here_is_one_line(device, count, said):
    with pytest.raises(UserError) as caught:
        cuda_index(device, count, "Chainer", " (it needs CuPy)")
    assert str(caught.value) == f"{said}, or see knock doctor --devices"


@pytest.mark.parametrize(
    ("available", "dtype", "said"),
    [(False, "float32", "finds no Apple GPU"), (True, "float64", "has no float64; use --dtype")],
)
def test_an_apple_gpu_must_be_here_and_computes_in_float32_only(available, dtype, said):
    require_mps(True, "float32")
    with pytest.raises(UserError, match=said):
        require_mps(available, dtype)


@pytest.mark.parametrize("word", ["gpu", "cuda:", "cuda:x", "cuda:-1", "CUDA", "mps:0", "cuda:1²"])
def test_other_words_are_refused_before_anything_is_written(knock, tmp_path, word):
    words = ["--dataset", "digits", "--device", word, "--out", "run"]
    code, out, err = knock("run", "ae", "--framework", "pytorch", *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"must be auto, cpu, cuda, cuda:1 or mps, not {word!r}" in err
    assert not list(tmp_path.iterdir())


@pytest.fixture
def pytorch(monkeypatch):
    """The adapter on a machine with two CUDA devices and an Apple GPU; what it chose."""
    if "pytorch" not in frameworks.installed():
        pytest.skip("PyTorch is not installed")
    adapter = importlib.import_module("knock.frameworks.pytorch")
    torch, chosen = adapter.torch, []
    monkeypatch.setattr(adapter, "_device", adapter._device)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: f"number {index}")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    monkeypatch.setattr(torch, "set_default_device", chosen.append)
    yield adapter, chosen
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    ("device", "name", "default"),
    [
        ("auto", "number 0", "cuda:0"),
        ("cuda:1", "number 1", "cuda:1"),
        ("mps", "Apple GPU (mps)", "mps"),
        ("cpu", "CPU", None),
    ],
)
def test_pytorch_makes_its_tensors_on_the_device(pytorch, device, name, default):
    adapter, chosen = pytorch
    assert adapter.setup(device, "float32") == name
    assert [str(one) if one else None for one in chosen] == [default]
    assert str(adapter._device) == (default or "cpu")
    assert adapter.devices() == ["CPU", "number 0", "number 1", "Apple GPU (mps)"]


def test_pytorch_changes_nothing_where_it_refuses(pytorch):
    adapter, chosen = pytorch
    for device, dtype in (("cuda:2", "float32"), ("mps", "float64")):
        with pytest.raises(UserError):
            adapter.setup(device, dtype)
    assert not chosen and adapter.torch.get_default_dtype() == adapter.torch.float32


def test_chainer_computes_on_the_device_that_was_named(monkeypatch):
    if "chainer" not in frameworks.installed():
        pytest.skip("Chainer is not installed")
    adapter = importlib.import_module("knock.frameworks.chainer")
    asked = []
    monkeypatch.setattr(adapter, "_device", adapter._device)
    monkeypatch.setattr(adapter, "_cuda_count", lambda: 2)
    monkeypatch.setattr(adapter, "_cuda_name", lambda index: f"number {index}")
    monkeypatch.setattr(
        adapter.chainer, "get_device", lambda name: asked.append(name) or mock.Mock()
    )
    told = [adapter.setup(device, "float32") for device in ("auto", "cuda:1", "cpu")]
    assert told == ["number 0", "number 1", "CPU"]
    assert asked == ["@cupy:0", "@cupy:1", "@numpy"]
    assert adapter.devices() == ["CPU", "number 0", "number 1"]
