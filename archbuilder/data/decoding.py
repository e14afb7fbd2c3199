"""Images, from files or out of other files: decoded alike in training, evaluation and prediction."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from archbuilder.bounded_files import BadFileError, path_size, regular_file
from archbuilder.data.colours import UnreadableImageError, bits_of, eight_bits, laid_on_white
from archbuilder.data.dataset import Shape
from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import printable

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What Pillow calls them. It starts another program for EPS, which therefore is never among them."""
TAKEN = "PNG, JPEG, BMP, GIF, WebP, TIFF and PPM"
MAX_BYTES = 2**29
MAX_PIXELS = 50_000_000
MAX_RATIO = 1_000
"""Of the longer side to the shorter: resized by the shorter, a strip of one pixel would grow beyond all bounds."""
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
"""Pillow's modes without colour."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
Encoded = Path | bytes
LONGEST_BEGINNING = 64
_BEGINNINGS = re.compile(
    rb"\x89PNG\r\n\x1a\n|\xff\xd8\xff|GIF8[79]a|BM.{4}\0{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0|RIFF.{4}WEBP"
    rb"|II[*+]\0|MM\0[*+]|P[1-6]\s+(#|\d+\s+(#|\d+\s))|Pf\s+\d+\s+\d+\s",
    re.DOTALL,
)


def mode_of(shape: Shape) -> str:
    """Pillow's name for images with the channels of a shape."""
    if shape[2] not in MODES:
        raise UsageError(f"image files have 1, 3 or 4 channels, but the network takes {shape[2]}")
    return MODES[shape[2]]


def begins_as_image(content: bytes) -> bool:
    """Whether a file that begins so, with up to `LONGEST_BEGINNING` bytes, is of a format that is taken."""
    return _BEGINNINGS.match(content) is not None


def decode(image: Encoded, mode: str, name: str = "") -> Image.Image:
    """An image, upright, with 8 bits a channel, on white where it is transparent (but for mode RGBA).

    Raises MissingError where it cannot be read. Bytes have a `name` for that.
    """
    return decode_with_bits(image, mode, name)[0]


def decode_with_bits(image: Encoded, mode: str, name: str = "") -> tuple[Image.Image, int]:
    """An image as `decode` gives it, and the bits of each channel as they are stored."""
    from PIL import ImageOps

    with _opened(image, name) as opened:
        bits, whole = bits_of(opened), eight_bits(opened)
        ImageOps.exif_transpose(whole, in_place=True)
        flat = whole if mode == "RGBA" else laid_on_white(whole)
        return flat if flat.mode == mode else flat.convert(mode), bits


@dataclass(frozen=True)
class Glance:
    """What the header of an image says."""

    width: int
    height: int
    has_colour: bool


def glance(image: Path) -> Glance:
    """What the header of an image says; raises MissingError, as `decode` does, where that cannot be read."""
    with _opened(image, "") as opened:
        return Glance(*opened.size, has_colour=opened.mode not in GREY)


def check(image: Encoded, name: str = "") -> tuple[int, bytes]:
    """The bits of each channel as they are stored, and a digest of the pixels; raises MissingError as `decode` does.

    All of the file is read, but a JPEG is decoded at an eighth of its size, which takes less time; its digest is that
    of the file.
    """
    with _opened(image, name) as opened:
        bits, file = bits_of(opened), getattr(opened, "fp", None)
        if opened.format == "JPEG" and file is not None:
            opened.draft("L", (1, 1))
            eight_bits(opened)
            file.seek(0)
            return bits, sha256(file.read()).digest()
        pixels = eight_bits(opened).convert("RGBA")
        return bits, sha256(str(pixels.size).encode() + pixels.tobytes()).digest()


@contextmanager
def _opened(image: Encoded, name: str) -> Iterator[Image.Image]:
    """Refuses what is too large before it is decoded, and says so of whatever a broken image makes Pillow raise."""
    place = printable(name if isinstance(image, bytes) else str(image))
    try:
        with _content(image) as file, _recognised(file) as opened:
            _require_size(*opened.size)
            yield opened
    except Exception as error:  # whatever a broken image makes Pillow raise
        raise MissingError(f"{place} {_problem(error)}") from error


def _problem(error: Exception) -> str:
    match error:
        case UnreadableImageError():
            return str(error)
        case BadFileError():
            return f"cannot be read: {error}"
        case OSError() if "truncated" in str(error).lower():
            return "is cut off: it ends within the image"
        case MemoryError():
            return "needs more memory than there is"
    return "is damaged or cut off"


@contextmanager
def _content(image: Encoded) -> Iterator[BinaryIO]:
    if isinstance(image, bytes):
        yield BytesIO(image)
        return
    with regular_file(image) as file:
        if (size := path_size(file)) > MAX_BYTES:
            raise UnreadableImageError(f"has {size:,} bytes; at most {MAX_BYTES:,} are read")
        yield file


def _recognised(file: BinaryIO) -> Image.Image:
    """The image of a file by what stands in it, not yet decoded."""
    from PIL import Image

    beginning = file.read(LONGEST_BEGINNING)
    if not begins_as_image(beginning):
        raise UnreadableImageError(f"is no image of a kind that is read ({TAKEN})" if beginning else "is empty")
    if beginning.startswith(b"RIFF"):
        _require_size(*_webp_size(beginning))
    file.seek(0)
    _quieten_pillow()
    try:
        return Image.open(file, formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        message = f"has far more pixels than the {MAX_PIXELS:,} that are read at most"
        raise UnreadableImageError(message) from error


@cache
def _quieten_pillow() -> None:
    """Its warnings and notices are about what we say in other words, or about what is none of a person's business."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").addHandler(logging.NullHandler())


def _webp_size(content: bytes) -> tuple[int, int]:
    """Width and height as the header has them (RFC 9649); Pillow makes room for the pixels when it opens a WebP."""
    match content[12:16]:
        case b"VP8X":
            sides = int.from_bytes(content[24:27], "little"), int.from_bytes(content[27:30], "little")
        case b"VP8L":
            packed = int.from_bytes(content[21:25], "little")
            sides = packed & 0x3FFF, packed >> 14 & 0x3FFF
        case _:
            packed = int.from_bytes(content[26:30], "little")
            return packed & 0x3FFF, packed >> 16 & 0x3FFF
    return sides[0] + 1, sides[1] + 1


def _require_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UnreadableImageError(f"has {width}x{height} pixels; at most {MAX_PIXELS:,} are read")
    if max(width, height) > MAX_RATIO * min(width, height):
        raise UnreadableImageError(f"has {width}x{height} pixels; no side may be {MAX_RATIO:,} times the other")
