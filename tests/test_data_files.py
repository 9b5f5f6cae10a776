"""Files in the formats of MNIST and CIFAR-10: read as defined, otherwise refused."""

import gzip
import hashlib
import logging
import struct
import tarfile
import tracemalloc
from dataclasses import replace

from knock import data
from knock.data import cifar10, idx
from knock.errors import UserError
from tests import data_fixtures as made

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def no_own_data(monkeypatch, tmp_path):
    """Hide the user's data folder and the cache of this machine."""
    monkeypatch.delenv("KNOCK_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "no-cache"))
    idx._warn_once.cache_clear()


def refusal(name, folder, split="train") -> str:
    with pytest.raises(UserError) as caught:
        data.load(name, (1, 32, 32), split, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("subfolder", ["", "mnist"])
def test_mnist_is_read_packed_or_unpacked_in_the_folder_or_a_subfolder(tmp_path, packed, subfolder):
    made.write_idx(tmp_path / subfolder, packed=packed)
    found = data.load("mnist", (1, 32, 32), "train", tmp_path)
    assert found.images.shape == (12, 32, 32, 1) and found.border == "constant"
    assert found.images[:, 16, 16, 0].tolist() == list(range(12))
    assert (found.images[:, :2] == 0).all()  # padded, not stretched
    assert found.labels.tolist() == [n % 10 for n in range(12)]
    assert found.labels.dtype == np.int64 and found.classes == tuple("0123456789")


def test_names_with_a_dot_are_read_too(tmp_path):
    made.write_idx(tmp_path, packed=False)
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_name(path.name.replace("-idx", ".idx")))
    assert len(data.load("mnist", (1, 28, 28), "test", tmp_path)) == 12


def test_a_gzip_without_its_ending_is_read_too(tmp_path):
    made.write_idx(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_suffix(""))
    assert len(data.load("mnist", (1, 28, 28), "train", tmp_path)) == 12


def test_the_data_folder_is_searched_by_set(monkeypatch, tmp_path):
    made.write_idx(tmp_path / "fashion_mnist", count=7)
    made.write_idx(tmp_path / "mnist", count=3)
    monkeypatch.setenv("KNOCK_DATA", str(tmp_path))
    assert len(data.load("fashion_mnist", (1, 28, 28))) == 7
    assert len(data.load("mnist", (1, 28, 28))) == 3


def test_a_missing_file_is_named(tmp_path):
    assert "train-images-idx3-ubyte" in refusal("mnist", tmp_path)
    made.write_idx(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").unlink()
    assert "lacks train-labels-idx1-ubyte" in refusal("mnist", tmp_path)


IMAGES = np.zeros((12, 28, 28), np.uint8)


def idx_header(*numbers: int) -> bytes:
    return struct.pack(f">{len(numbers)}I", *numbers)


BAD_IMAGES = {
    "cut": (made.idx_bytes(IMAGES)[:-1], "incomplete"),
    "cut in the header": (idx_header(0x0803, 12), "incomplete"),
    "empty": (b"", "incomplete"),
    "too long": (made.idx_bytes(IMAGES) + b"\0", "longer than the 12 images"),
    "labels": (made.idx_bytes(np.zeros(12)), "0x00000801"),
    "other numbers": (idx_header(0x0D03, 12, 28, 28) + bytes(12 * 784 * 4), "0x00000d03"),
    "a web page": (b"<!DOCTYPE html><html><body>Not found</body></html>", "not an IDX file"),
    "no pictures": (idx_header(0x0803, 0, 28, 28), "announces 0×28×28"),
    "other size": (idx_header(0x0803, 12, 32, 32) + bytes(12 * 1024), "announces 12×32×32"),
    "huge": (idx_header(0x0803, 2**32 - 1, 28, 28), "announces 4294967295×28×28"),
    "fewer": (made.idx_bytes(IMAGES[:5]), "has 5 pictures"),
}


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("case", BAD_IMAGES)
def test_idx_files_of_another_form_are_refused(tmp_path, case, packed):
    content, message = BAD_IMAGES[case]
    made.write_idx(tmp_path, packed=packed)
    path = tmp_path / f"train-images-idx3-ubyte{'.gz' if packed else ''}"
    path.write_bytes(gzip.compress(content) if packed else content)
    found = refusal("mnist", tmp_path)
    assert message in found and str(path) in found


def test_a_cut_gzip_is_refused(tmp_path):
    made.write_idx(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    for length in (1, 2, 12, 40, len(path.read_bytes()) - 1):
        made.write_idx(tmp_path)
        path.write_bytes(path.read_bytes()[:length])
        assert str(path) in refusal("mnist", tmp_path)


def test_a_damaged_gzip_is_refused(tmp_path):
    made.write_idx(tmp_path)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[-6] ^= 255  # in the checksum
    path.write_bytes(content)
    assert "damaged" in refusal("mnist", tmp_path)


def test_a_label_above_9_is_refused(tmp_path):
    made.write_idx(tmp_path, packed=False)
    labels = np.arange(12)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(made.idx_bytes(labels))
    assert "has the label 11, but labels are 0 to 9" in refusal("mnist", tmp_path)


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    made.write_idx(tmp_path)
    bomb = gzip.compress(made.idx_bytes(IMAGES) + bytes(200_000_000), 1)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(bomb)
    tracemalloc.start()
    message = refusal("mnist", tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "longer than" in message and peak < 20_000_000


def test_a_header_that_claims_many_pictures_takes_no_memory_for_them(tmp_path):
    made.write_idx(tmp_path, packed=False)
    claim = idx_header(0x0803, idx.MAX_COUNT, 28, 28)
    (tmp_path / "train-images-idx3-ubyte").write_bytes(claim)
    tracemalloc.start()
    message = refusal("mnist", tmp_path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "incomplete" in message and peak < 20_000_000


def test_files_of_other_origin_are_used_with_one_warning(tmp_path, caplog):
    made.write_idx(tmp_path)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            data.load("mnist", (1, 28, 28), "train", tmp_path)
    assert len(caplog.records) == 2  # pictures and labels, each once
    assert "not the file published with mnist" in caplog.text


def test_published_files_that_were_packed_again_are_recognised(tmp_path, caplog, monkeypatch):
    made.write_idx(tmp_path)
    digests = {
        hashlib.sha256(gzip.decompress(p.read_bytes())).hexdigest() for p in tmp_path.iterdir()
    }
    known = replace(idx.PUBLISHED["mnist"], contents=frozenset(digests))
    monkeypatch.setitem(idx.PUBLISHED, "mnist", known)
    with caplog.at_level(logging.WARNING):
        idx.load(known, (1, 28, 28), "train", tmp_path)
        assert not caplog.records
        # and one set's files do not pass for another's
        with pytest.raises(UserError, match="is a file of mnist, not of fashion_mnist"):
            data.load("fashion_mnist", (1, 28, 28), "train", tmp_path)


@pytest.mark.parametrize("folder", ["", "cifar-10-batches-bin", "cifar10/cifar-10-batches-bin"])
def test_cifar_is_read_from_every_usual_place(tmp_path, folder):
    made.write_cifar(tmp_path / folder)
    train, test = (data.load("cifar10", (3, 32, 32), s, tmp_path) for s in ("train", "test"))
    assert train.images.shape == (20, 32, 32, 3) and test.images.shape == (4, 32, 32, 3)
    assert train.labels.tolist() == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4 + [5] * 4
    assert (train.images[:, 0] == (255, 0, 0)).all()  # the top row is red
    assert (train.images[:, 1:] == 0).all()
    assert train.classes[0] == "airplane" and train.border == "reflect"


def test_cifar_is_read_from_its_archive_alike(tmp_path):
    made.write_cifar(tmp_path / "bins")
    made.write_cifar_archive(tmp_path / "cifar-10-binary.tar.gz", tmp_path / "bins")
    for split in ("train", "test"):
        packed = data.load("cifar10", (3, 32, 32), split, tmp_path)
        plain = data.load("cifar10", (3, 32, 32), split, tmp_path / "bins")
        np.testing.assert_array_equal(packed.images, plain.images)
        np.testing.assert_array_equal(packed.labels, plain.labels)


def test_cifar_in_another_size_and_grey(tmp_path):
    made.write_cifar(tmp_path)
    assert data.load("cifar10", (3, 16, 24), "test", tmp_path).image_shape == (3, 16, 24)
    grey = data.load("cifar10", (1, 32, 32), "test", tmp_path)
    assert (grey.images[:, 0] == 76).all()  # 0.299 · 255


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (made.cifar_records(4)[:-1], "incomplete"),
        (b"", "0 bytes"),
        (made.cifar_records(4, label=10), "has class 10"),
        (b"\x80\x04}" + bytes(1000), "binary version"),
    ],
)
def test_cifar_files_of_another_form_are_refused(tmp_path, content, message):
    made.write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").write_bytes(content)
    found = refusal("cifar10", tmp_path)
    assert message in found and "data_batch_3.bin" in found
    archive = made.write_cifar_archive(tmp_path / "cifar-10-binary.tar.gz", tmp_path)
    for path in tmp_path.glob("*.bin"):
        path.unlink()
    found = refusal("cifar10", tmp_path)
    assert message in found and "data_batch_3.bin" in found and str(archive) in found


def test_a_missing_cifar_file_is_named(tmp_path):
    assert "cifar-10-binary.tar.gz" in refusal("cifar10", tmp_path)
    made.write_cifar(tmp_path)
    (tmp_path / "data_batch_4.bin").unlink()
    assert "data_batch_4.bin" in refusal("cifar10", tmp_path)


def test_a_cut_archive_is_refused(tmp_path):
    archive = tmp_path / "cifar-10-binary.tar.gz"
    made.write_cifar_archive(archive, made.write_cifar(tmp_path / "bins"))
    content = archive.read_bytes()
    for length in (0, 1, 9, 300, len(content) - 1):
        archive.write_bytes(content[:length])
        found = refusal("cifar10", tmp_path)
        assert str(archive) in found and "incomplete or damaged" in found


def test_an_archive_of_the_pickled_version_is_refused(tmp_path):
    pickled = tmp_path / "cifar-10-batches-py"
    pickled.mkdir()
    (pickled / "data_batch_1").write_bytes(b"\x80\x04")
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as tar:
        tar.add(pickled, arcname=pickled.name)
    assert "binary version" in refusal("cifar10", tmp_path)


def test_nothing_of_an_archive_is_written_or_followed(tmp_path):
    outside = tmp_path / "outside.bin"
    outside.write_bytes(made.cifar_records(1))
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as tar:
        link = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        tar.addfile(link)
    before = sorted(tmp_path.rglob("*"))
    assert "has no test_batch.bin" in refusal("cifar10", tmp_path, "test")
    assert sorted(tmp_path.rglob("*")) == before


def test_an_enormous_file_in_an_archive_is_not_read(tmp_path):
    class Zeros:
        def read(self, count):
            return bytes(count)

    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        member = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        member.size = 3073 * (cifar10.MAX_RECORDS + 1)
        tar.addfile(member, Zeros())
    tracemalloc.start()
    message = refusal("cifar10", tmp_path, "test")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "test_batch.bin" in message and peak < 20_000_000
