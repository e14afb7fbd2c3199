"""Images of every kind that is taken: the pixels they come to, and what is said of those that cannot be read."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from archbuilder.data.decoding import FORMATS, check, decode, decode_with_bits
from archbuilder.errors import MissingError

RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (12, 10, 3), np.uint8)
DEEP = RANDOM.integers(0, 65_536, (12, 10), np.uint16)
SHARES = (np.arange(120).reshape(12, 10) / 119).astype(np.float32)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    image.save(file := io.BytesIO(), kind, **options)
    return file.getvalue()


def pixels(content: bytes, mode: str) -> npt.NDArray[np.uint8]:
    return np.asarray(decode(content, mode, "x"))


def png(bits: int, kind: int, rows: list[bytes], width: int, **chunks: bytes) -> bytes:
    """A PNG by its parts (colour type 0 grey, 2 colour, 3 palette), for what Pillow does not write."""
    header = struct.pack(">IIBBBBB", width, len(rows), bits, kind, 0, 0, 0)
    parts = {"IHDR": header, **chunks, "IDAT": zlib.compress(b"".join(b"\0" + row for row in rows)), "IEND": b""}
    written = (
        struct.pack(">I", len(content))
        + name.encode()
        + content
        + struct.pack(">I", zlib.crc32(name.encode() + content))
        for name, content in parts.items()
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(written)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LA"])
def test_every_format_and_mode_is_taken(kind: str, mode: str) -> None:
    original = Image.fromarray(COLOURS).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    try:
        content = encoded(original, kind)
    except (OSError, ValueError):
        pytest.skip(f"there is no {kind} of mode {mode}")
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(pixels(content, "RGB"), expected)
    assert decode(content, "L", "x").mode == "L"
    assert pixels(content, "RGBA")[..., 3].min() == 255
    assert check(content, "x")[0] == 8


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bits_are_divided_by_257(kind: str) -> None:
    content = encoded(Image.fromarray(DEEP), kind)
    expected = np.round(DEEP / 257).astype(np.uint8)
    np.testing.assert_array_equal(pixels(content, "L"), expected)
    np.testing.assert_array_equal(pixels(content, "RGB"), expected[..., None].repeat(3, -1))
    assert check(content, "x")[0] == decode_with_bits(content, "L", "x")[1] == 16


@pytest.mark.parametrize("least", [0, 30_000])
def test_the_range_is_that_of_the_type_not_of_the_image(least: int) -> None:
    values = np.array([[least, least + 257, least + 2570]], np.uint16)
    assert np.diff(pixels(encoded(Image.fromarray(values), "PNG"), "L").astype(int)).tolist() == [[1, 9]]


def test_16_bits_of_colour_keep_their_upper_byte() -> None:
    rows = [row.tobytes() for row in DEEP[:, :9].astype(">u2")]
    content = png(16, 2, rows, 3)
    np.testing.assert_array_equal(pixels(content, "RGB"), (DEEP[:, :9] >> 8).reshape(12, 3, 3))
    assert check(content, "x")[0] == 16


@pytest.mark.parametrize("kind", ["TIFF", "PPM"])
def test_decimals_run_from_0_to_1(kind: str) -> None:
    content = encoded(Image.fromarray(SHARES), kind)
    np.testing.assert_array_equal(pixels(content, "L"), np.round(SHARES * 255).astype(np.uint8))


@pytest.mark.parametrize(("values", "message"), [
    (SHARES * 2, "not all from 0"), (SHARES - 0.5, "not all from 0"), (SHARES * np.nan, "not all from 0"),
    (SHARES.astype(np.int32) + 70_000, "signed or of 32 bits"),
])  # fmt: skip
def test_numbers_whose_range_is_not_known_are_refused(values: npt.NDArray[Any], message: str) -> None:
    content = encoded(Image.fromarray(values), "TIFF")
    for read in (lambda: check(content, "scan.tif"), lambda: decode(content, "L", "scan.tif")):
        with pytest.raises(MissingError, match=f"^scan.tif has .*{message}"):
            read()


def black_on_transparent(mode: str) -> Image.Image:
    """Black all over; the left half is transparent, and half of the right is half transparent."""
    image = Image.new("RGBA", (8, 4), (0, 0, 0, 0))
    image.paste((0, 0, 0, 128), (4, 0, 6, 4))
    image.paste((0, 0, 0, 255), (6, 0, 8, 4))
    return image.convert(mode)


@pytest.mark.parametrize(("mode", "kind"), [
    ("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "TIFF"), ("LA", "TIFF"), ("RGBA", "WEBP"), ("PA", "TIFF"),
])  # fmt: skip
@pytest.mark.parametrize("to", ["L", "RGB"])
def test_alpha_is_laid_on_white(mode: str, kind: str, to: str) -> None:
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    found = pixels(encoded(black_on_transparent(mode), kind, **options), to).reshape(4, 8, -1)
    assert np.unique(found[:, :4]).tolist() == [255]
    assert np.unique(found[:, 4:6]).tolist() == [127]
    assert np.unique(found[:, 6:]).tolist() == [0]


PALETTE = bytes([0, 0, 0, 0, 0, 0, 90, 90, 90])
KEYS = {
    "palette, several alphas": png(8, 3, [bytes([0, 1, 2])], 3, PLTE=PALETTE, tRNS=bytes([0, 255, 255])),
    "palette, one colour": png(8, 3, [bytes([0, 1, 2])], 3, PLTE=PALETTE, tRNS=bytes([0])),
    "grey": png(8, 0, [bytes([7, 0, 90])], 3, tRNS=struct.pack(">H", 7)),
    "grey of 16 bits": png(16, 0, [struct.pack(">HHH", 7, 0, 90 * 257)], 3, tRNS=struct.pack(">H", 7)),
    "grey of 4 bits": png(4, 0, [bytes([0x70, 0x50])], 3, tRNS=struct.pack(">H", 7)),
    "grey of 1 bit": png(1, 0, [bytes([0b10000000])], 3, tRNS=struct.pack(">H", 1)),
    "colour": png(8, 2, [bytes([1, 2, 3, 0, 0, 0, 90, 90, 90])], 3, tRNS=struct.pack(">HHH", 1, 2, 3)),
    "colour of 16 bits": png(
        16, 2, [struct.pack(">9H", 0x1234, 2, 3, 0, 0, 0, 90 * 257, 90 * 257, 90 * 257)], 3,
        tRNS=struct.pack(">HHH", 0x1234, 2, 3),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("to", ["L", "RGB"])
def test_a_colour_that_stands_for_transparent_becomes_white(name: str, to: str) -> None:
    first, second, third = pixels(KEYS[name], to).reshape(3, -1)
    assert (set(first), set(second)) == ({255}, {0})
    assert set(third) == {{"grey of 4 bits": 85, "grey of 1 bit": 0}.get(name, 90)}


def test_a_transparent_gif_is_laid_on_white_and_gives_its_first_frame() -> None:
    first, second = Image.new("P", (4, 4), 1), Image.new("P", (4, 4), 2)
    for frame in (first, second):
        frame.putpalette([0, 0, 0, 9, 9, 9, 80, 80, 80])
    content = encoded(first, "GIF", save_all=True, append_images=[second], transparency=0)
    assert np.unique(pixels(content, "L")).tolist() == [9]
    first.paste(0, (0, 0, 4, 2))
    assert np.unique(pixels(encoded(first, "GIF", transparency=0), "L")).tolist() == [9, 255]


def test_a_network_of_four_channels_gets_alpha_as_it_is() -> None:
    alpha = pixels(encoded(black_on_transparent("RGBA"), "PNG"), "RGBA")[0]
    assert alpha[:, 3].tolist() == [0, 0, 0, 0, 128, 128, 255, 255]
    assert alpha[:, :3].max() == 0


@pytest.mark.parametrize("image", [
    Image.fromarray(COLOURS), Image.fromarray(DEEP), Image.fromarray(COLOURS[..., 0]), black_on_transparent("RGBA"),
], ids=["colour", "16 bits", "grey", "alpha"])  # fmt: skip
def test_every_kind_is_turned_upright(image: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by a quarter
    upright = np.rot90(pixels(encoded(image, "PNG"), "RGB"), -1)
    np.testing.assert_array_equal(pixels(encoded(image, "PNG", exif=exif), "RGB"), upright)


WHOLE = {
    "PNG": encoded(Image.fromarray(COLOURS), "PNG"), "deep PNG": encoded(Image.fromarray(DEEP), "PNG"),
    "JPEG": encoded(Image.fromarray(np.tile(COLOURS, (5, 5, 1))), "JPEG"),
    "progressive": encoded(Image.fromarray(np.tile(COLOURS, (5, 5, 1))), "JPEG", progressive=True),
    "BMP": encoded(Image.fromarray(COLOURS), "BMP"), "GIF": encoded(Image.fromarray(COLOURS), "GIF"),
    "WebP": encoded(Image.fromarray(COLOURS), "WEBP"), "TIFF": encoded(Image.fromarray(COLOURS), "TIFF"),
    "packed TIFF": encoded(Image.fromarray(COLOURS), "TIFF", compression="tiff_lzw"),
    "PPM": encoded(Image.fromarray(COLOURS), "PPM"),
}  # fmt: skip
PLAIN = r"^photo (is empty|is cut off: it ends within the image|is damaged or cut off|is no image of a kind that is read .*)$"


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("share", [0, 0.02, 0.1, 0.5, 0.8])
def test_what_is_cut_off_is_said_in_plain_words_before_it_is_learned_from(name: str, share: float) -> None:
    content = WHOLE[name][: int(share * len(WHOLE[name]))]
    for read in (lambda: check(content, "photo"), lambda: decode(content, "RGB", "photo")):
        with pytest.raises(MissingError, match=PLAIN):
            read()


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", WHOLE)
def test_damage_anywhere_is_a_sentence_or_an_image(name: str) -> None:
    """The check before the first iteration lets nothing pass that is refused later."""
    random = np.random.default_rng(1)
    for _ in range(40):
        content = bytearray(WHOLE[name])
        for place in random.integers(0, len(content), 3):
            content[place] = random.integers(256)
        try:
            check(bytes(content), "photo")
        except MissingError as error:
            assert str(error).startswith("photo ")
        else:
            assert decode(bytes(content), "RGB", "photo").mode == "RGB"


def webp(width: int, height: int) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 4_000) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + sides + bytes(4_000)


def tiff(width: int, height: int) -> bytes:
    tags = {256: width, 257: height, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: height, 279: width * height}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(tags)) + entries + bytes(4)


def jpeg(width: int, height: int) -> bytes:
    content = bytearray(WHOLE["JPEG"])
    place = content.index(b"\xff\xc0") + 5
    content[place : place + 4] = struct.pack(">HH", height, width)
    return bytes(content)


BOMBS: dict[str, Callable[[int, int], bytes]] = {
    "PNG": lambda width, height: png(1, 0, [bytes(-(-width // 8))] * height, width),
    "JPEG": jpeg,
    "BMP": lambda width, height: b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(99),
    "GIF": lambda width, height: b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x00;",
    "WebP": webp,
    "TIFF": tiff,
    "PPM": lambda width, height: b"P6 %d %d 255 " % (width, height),
}  # fmt: skip


@pytest.mark.faults
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("kind", BOMBS)
@pytest.mark.parametrize("sides", [(8_000, 8_000), (16_000, 8_000), (16_000, 15_000)])
def test_what_would_unpack_to_gigabytes_is_refused_by_its_header(kind: str, sides: tuple[int, int]) -> None:
    with pytest.raises(MissingError, match=r"^bomb has (\d+x\d+ pixels; at most|far more pixels than the) 50,000,000"):
        check(BOMBS[kind](*sides), "bomb")


@pytest.mark.faults
@pytest.mark.parametrize("sides", [(1, 1_001), (16_000, 2)])
@pytest.mark.parametrize("kind", BOMBS)
def test_a_strip_is_refused(kind: str, sides: tuple[int, int]) -> None:
    with pytest.raises(MissingError, match=r"^strip has \d+x\d+ pixels; no side may be 1,000 times the other"):
        check(BOMBS[kind](*sides), "strip")


@pytest.mark.faults
@pytest.mark.parametrize("content", [
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"\0\0\1\0\1\0", b"BM is text", b"P1 is text", b"RIFF....WAVE",
    b"\0\0\0\x1cftypavif", b"<svg/>", b"%PDF-1.7", b"8BPS\0\1",
    b"PF\n1 1\n-1.0\n" + bytes(12),
])  # fmt: skip
def test_other_formats_are_never_opened(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(
        MissingError, match=r"^x is no image of a kind that is read \(PNG, JPEG, BMP, GIF, WebP, TIFF and"
    ):
        decode(content, "RGB", "x")


@pytest.mark.faults
@pytest.mark.parametrize(("make", "message"), [
    (os.mkfifo, "x.png cannot be read: it is no ordinary file"),
    (lambda path: path.symlink_to("/dev/zero"), "x.png cannot be read: it is no ordinary file"),
    (lambda path: path.mkdir(), "x.png cannot be read: it is a folder"),
    (lambda path: path.symlink_to(path), "x.png cannot be read"),
    (lambda path: None, "x.png cannot be read: it is not there"),
])  # fmt: skip
def test_only_ordinary_files_are_opened(make: Callable[[Path], object], message: str, tmp_path: Path) -> None:
    make(tmp_path / "x.png")
    with pytest.raises(MissingError, match=message):
        decode(tmp_path / "x.png", "RGB")


@pytest.mark.faults
def test_a_name_reaches_the_terminal_without_what_it_acts_on(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"/\?\[31mx\?y\.png cannot be read"):
        decode(tmp_path / "\x1b[31mx\ny.png", "RGB")
