"""Any file a user may have: read correctly, or refused in one line that names it."""

import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

from knock.data import images
from knock.errors import UserError
from tests import data_fixtures as made

import cv2
import numpy as np
import pytest
from PIL import Image


def refusal(path, read=lambda path: images.read(path, 3)) -> str:
    """The message that refuses a file; it is one line and names the file."""
    with pytest.raises(UserError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


def png_header(width: int, height: int) -> bytes:
    """A PNG that has only its header, with correct checksums."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    end = b"IEND"
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
        + struct.pack(">I", 0) + end + struct.pack(">I", zlib.crc32(end))
    )  # fmt: skip


FORMS = {
    "JPEG": {},
    "progressive": {"form": "JPEG", "progressive": True},
    "PNG": {},
    "BMP": {},
    "GIF": {},
    "WEBP": {"lossless": True},
    "TIFF": {},
    "packed TIFF": {"form": "TIFF", "compression": "tiff_lzw"},
}


@pytest.mark.filterwarnings("ignore")  # of Pillow, on half a TIFF
@pytest.mark.parametrize("name", FORMS)
def test_a_file_cut_anywhere_is_refused_or_whole(tmp_path, name):
    options = dict(FORMS[name])
    data = made.encoded(made.noisy_picture(), options.pop("form", name), **options)
    path = tmp_path / "picture.jpg"
    path.write_bytes(data)
    whole = images.read(path, 3)
    # all lengths would take seconds: try the ends, where decoders forgive, and a few between
    lengths = {*range(1, 40), *range(40, len(data), max(1, len(data) // 60))}
    refused = 0
    for length in sorted(lengths | set(range(len(data) - 20, len(data)))):
        path.write_bytes(data[:length])
        try:
            found = images.read(path, 3)
        except UserError as error:
            assert str(path) in str(error)
            refused += 1
        else:
            np.testing.assert_array_equal(found, whole)
    assert refused > 50


def test_a_cut_jpeg_is_called_incomplete(tmp_path):
    path = tmp_path / "cut.jpg"
    data = made.encoded(made.noisy_picture(), "JPEG")
    path.write_bytes(data[: len(data) * 2 // 3])
    assert "is incomplete" in refusal(path)


def test_a_png_with_a_flipped_bit_is_called_damaged(tmp_path):
    path = tmp_path / "flipped.png"
    data = bytearray(made.encoded(made.noisy_picture(), "PNG"))
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    assert "is damaged" in refusal(path)


@pytest.mark.parametrize("side", [9_000, 50_000])
def test_a_header_that_asks_for_gigabytes_is_refused_before_they_are_allocated(tmp_path, side):
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(side, side))
    tracemalloc.start()
    message = refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "80 million pixels" in message
    assert peak < 20_000_000


def chunk(kind: bytes, body: bytes) -> bytes:
    """A chunk of a PNG."""
    data = kind + body
    return struct.pack(">I", len(body)) + data + struct.pack(">I", zlib.crc32(data))


NOTES = {
    "that unpacks to 50 MB": chunk(b"zTXt", b"Note\0\0" + zlib.compress(bytes(50_000_000))),
    "of 3 MB": chunk(b"tEXt", b"Note\0" + b"a" * 3_000_000),
    "that is a profile of 3 MB": chunk(b"iCCP", b"p\0\0" + zlib.compress(bytes(3_000_000))),
    "with a wrong digest": chunk(b"tEXt", b"Note\0hello")[:-1] + b"!",
}


@pytest.mark.parametrize("name", NOTES)
def test_a_note_in_a_png_takes_no_pixel_away(tmp_path, name):
    data = made.encoded(made.noisy_picture(), "PNG")
    path = tmp_path / "note.png"
    path.write_bytes(data)
    whole = images.read(path, 3)
    path.write_bytes(data[:33] + NOTES[name] + data[33:])  # after the header
    tracemalloc.start()
    np.testing.assert_array_equal(images.read(path, 3), whole)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 12_000_000


def segment(marker: int, body: bytes) -> bytes:
    """A segment of a JPEG."""
    return bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body


@pytest.mark.filterwarnings("ignore")  # of Pillow, on what it cannot read
def test_whatever_a_jpeg_s_notes_are_its_pixels_are_read(tmp_path):
    """Also where they are turned: a broken orientation turns nothing."""
    path, bad = tmp_path / "notes.jpg", 0
    good = made.encoded(made.noisy_picture(16, 24), "JPEG")
    path.write_bytes(good)
    whole = images.read(path, 3)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F], exif[0x011A] = 1, "a camera", 72.0
    exif[0x8769] = {0x9000: b"0230", 0x829A: 0.01}
    block = exif.tobytes()
    for turn in range(120):
        body = bytearray(block)
        for place in made.RNG.integers(6, len(body), 4):
            body[place] = made.RNG.integers(0, 256)
        marker = (0xE1, 0xE2, 0xED, 0xFE)[turn % 4 if turn > 80 else 0]
        mpf = b"MPF\0" + bytes(body[6:]) if marker == 0xE2 else bytes(body)
        path.write_bytes(good[:2] + segment(marker, mpf) + good[2:])
        found = images.read(path, 3)
        bad += found.shape != whole.shape or (found != whole).any()
    assert bad < 8  # some orientations are still whole, and others than before


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_last_two_bytes_has_all_pixels(tmp_path, progressive):
    path = tmp_path / "cut.jpg"
    data = made.encoded(made.noisy_picture(), "JPEG", progressive=progressive)
    path.write_bytes(data)
    whole = images.read(path, 3)
    for end in (1, 2):
        path.write_bytes(data[:-end])
        np.testing.assert_array_equal(images.read(path, 3), whole)
    scans = [place for place in range(len(data)) if data[place : place + 2] == b"\xff\xda"]
    for place in scans[1:]:  # a progressive picture is coarse without any of them
        cut = data.rindex(b"\xff\xc4", 0, place)
        path.write_bytes(data[:cut])
        assert "is incomplete" in refusal(path)


@pytest.mark.parametrize("name", ["a.avif", "a.jp2", "a.ppm", "a.jfif", "a.apng", "a.DIB"])
def test_whatever_pillow_reads_is_read(tmp_path, name):
    if Path(name).suffix.lower() not in images.endings():
        pytest.skip("this Pillow does not read it")
    form = {".apng": "PNG", ".jfif": "JPEG"}.get(Path(name).suffix)
    Image.new("RGB", (32, 24), (200, 30, 60)).save(tmp_path / name, form)
    assert images.is_picture(tmp_path / name)
    found = images.read(tmp_path / name, 3)
    assert found.shape == (24, 32, 3) and abs(found.astype(int) - (200, 30, 60)).max() <= 6


def test_a_jpeg_header_that_asks_for_gigabytes_is_refused(tmp_path):
    data = bytearray(made.encoded(made.noisy_picture(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 50_000, 50_000)
    path = tmp_path / "huge.jpg"
    path.write_bytes(data)
    assert "too large" in refusal(path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "empty.png"
    path.touch()
    assert "is empty" in refusal(path)


@pytest.mark.parametrize("data", [b"hello, I am a text", b"\0" * 500, b"%PDF-1.4 " * 9])
def test_what_is_not_a_picture_is_refused(tmp_path, data):
    path = tmp_path / "text.jpg"
    path.write_bytes(data)
    assert "is not a picture" in refusal(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert "No such file" in refusal(tmp_path / "none.png")
    (tmp_path / "folder.png").mkdir()
    assert "cannot read" in refusal(tmp_path / "folder.png")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF"])
def test_the_name_may_differ_from_the_format(tmp_path, form):
    path = tmp_path / "picture.jpg"
    path.write_bytes(made.encoded(Image.new("RGB", (30, 20), (200, 30, 60)), form))
    found = images.read(path, 3)
    assert found.shape == (20, 30, 3) and found.dtype == np.uint8
    assert abs(found.astype(int) - (200, 30, 60)).max() <= 4


def test_red_is_in_channel_0(tmp_path):
    red = images.read(made.write_picture(tmp_path / "red.png", colour=(255, 0, 0)), 3)
    np.testing.assert_array_equal(red[0, 0], [255, 0, 0])


def test_sixteen_bits_lose_the_lower_eight(tmp_path):
    wide = np.array([[0, 255, 256, 40_000, 65_535]], np.uint16)
    both = {"grey": wide, "colour": np.stack([wide] * 3, axis=-1)}
    for name, array in ((f"{n}{end}", a) for n, a in both.items() for end in (".png", ".tif")):
        cv2.imwrite(str(tmp_path / name), array)
        found = images.read(tmp_path / name, 3)
        np.testing.assert_array_equal(found[0, :, 0], [0, 0, 1, 156, 255])


def test_grey_becomes_colour_and_colour_grey(tmp_path):
    Image.new("L", (3, 2), 77).save(tmp_path / "grey.png")
    found = images.read(tmp_path / "grey.png", 3)
    assert found.shape == (2, 3, 3) and (found == 77).all()
    made.write_picture(tmp_path / "green.png", colour=(0, 255, 0))
    found = images.read(tmp_path / "green.png", 1)
    assert found.shape == (20, 30, 1) and (found == 150).all()  # 0.587 · 255


def test_transparent_pixels_become_white(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert (images.read(tmp_path / "clear.png", 3) == 255).all()
    Image.new("RGBA", (4, 4), (255, 0, 0, 128)).save(tmp_path / "half.png")
    np.testing.assert_array_equal(images.read(tmp_path / "half.png", 3)[0, 0], [255, 127, 127])


def test_a_palette_gives_its_colours(tmp_path):
    palette = Image.new("RGB", (4, 4), (10, 200, 30)).convert("P", palette=Image.Palette.ADAPTIVE)
    palette.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(images.read(tmp_path / "palette.png", 3)[0, 0], [10, 200, 30])
    palette.save(tmp_path / "clear.gif", transparency=palette.getpixel((0, 0)))
    assert (images.read(tmp_path / "clear.gif", 3) == 255).all()


def test_cmyk_is_not_read_inverted(tmp_path):
    Image.new("RGB", (16, 16), (255, 0, 0)).convert("CMYK").save(tmp_path / "print.jpg")
    red, green, blue = images.read(tmp_path / "print.jpg", 3)[8, 8].astype(int)
    assert red > 245 and green < 10 and blue < 10


STORED = {
    1: lambda seen: seen,
    2: lambda seen: seen[:, ::-1],
    3: lambda seen: seen[::-1, ::-1],
    4: lambda seen: seen[::-1],
    5: lambda seen: seen.transpose(1, 0, 2),
    6: lambda seen: np.rot90(seen),  # a camera held on its side: to be turned clockwise
    7: lambda seen: seen[::-1, ::-1].transpose(1, 0, 2),
    8: lambda seen: np.rot90(seen, -1),
}
"""How a picture lies in a file, by the orientation that the file's EXIF data tell."""


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_picture_is_seen_as_its_camera_was_held(tmp_path, orientation, form):
    seen = np.zeros((16, 32, 3), np.uint8)
    seen[:8, :8], seen[8:, 24:] = 255, 128  # white above left, grey below right
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](seen)))
    exact = {"lossless": True} if form == "WEBP" else {}
    (tmp_path / "a.jpg").write_bytes(made.encoded(stored, form, exif=exif, **exact))
    found = images.read(tmp_path / "a.jpg", 3)
    assert found.shape == seen.shape
    assert abs(found.astype(int) - seen).max() <= (3 if form == "JPEG" else 0)


def test_of_several_pictures_in_a_file_the_first_is_read(tmp_path):
    first, second = (Image.new("RGB", (8, 8), colour) for colour in ((0, 0, 255), (255, 0, 0)))
    for name in ("a.gif", "a.tiff", "a.webp", "a.png"):
        first.save(tmp_path / name, save_all=True, append_images=[second], lossless=True)
        assert images.read(tmp_path / name, 3)[4, 4].tolist() == [0, 0, 255], name


def test_lightness_and_two_axes_become_colours_and_grey(tmp_path):
    Image.new("LAB", (4, 4), (255, 128, 128)).save(tmp_path / "lab.tif")  # lightest, no hue
    for channels in (1, 3):
        assert (images.read(tmp_path / "lab.tif", channels) > 250).all()


def test_numbers_that_are_no_colours_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    assert "grey levels of 32 bits" in refusal(tmp_path / "float.tif")
    Image.fromarray(np.full((4, 4), 70_000, np.int32)).save(tmp_path / "large.tif")
    assert "grey levels of 32 bits" in refusal(tmp_path / "large.tif")


def test_one_pixel_is_a_picture(tmp_path):
    path = made.write_picture(tmp_path / "one.png", 1, 1)
    assert images.read(path, 3).shape == (1, 1, 3)


def test_reading_gives_no_warnings(tmp_path):
    path = made.write_picture(tmp_path / "one.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.read(path, 3)


LAYOUT = ((0, 0, 0), (128, 0, 0), (0, 128, 0))


def test_a_mask_is_read_as_class_ids(tmp_path):
    colours = np.array([[LAYOUT[0], LAYOUT[1], LAYOUT[2]]], np.uint8)
    Image.fromarray(colours).save(tmp_path / "mask.png")
    found = images.read_mask(tmp_path / "mask.png", LAYOUT)
    assert found.dtype == np.uint8 and found.tolist() == [[0, 1, 2]]


def test_a_mask_may_be_a_palette_or_have_a_clear_background(tmp_path):
    array = np.zeros((4, 4, 4), np.uint8)
    array[:, 2:] = (128, 0, 0, 255)
    clear = Image.fromarray(array)
    clear.save(tmp_path / "clear.png")
    clear.convert("RGB").quantize(4).save(tmp_path / "palette.png")
    for name in ("clear.png", "palette.png"):
        assert images.read_mask(tmp_path / name, LAYOUT).tolist() == [[0, 0, 1, 1]] * 4


def test_a_mask_with_another_colour_is_refused_with_the_place(tmp_path):
    array = np.zeros((4, 4, 3), np.uint8)
    array[2, 1] = (127, 0, 0)
    Image.fromarray(array).save(tmp_path / "mask.png")
    message = refusal(tmp_path / "mask.png", lambda path: images.read_mask(path, LAYOUT))
    assert "(127, 0, 0) at x=1, y=2" in message


def test_random_bytes_never_raise_anything_but_a_user_error(tmp_path):
    path = tmp_path / "fuzz.jpg"
    for form in ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"):
        good = made.encoded(made.noisy_picture(12, 12), form)
        for _ in range(40):
            data = bytearray(good)
            for place in made.RNG.integers(2, len(data), 6):
                data[place] = made.RNG.integers(0, 256)
            path.write_bytes(data)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                try:
                    assert images.read(path, 3).dtype == np.uint8
                except UserError as error:
                    assert "\n" not in str(error)
