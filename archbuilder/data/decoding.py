"""PNG and JPEG images, from files or out of other files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.data.dataset import Shape
from archbuilder.errors import MissingError, UsageError

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 50_000_000
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
Encoded = Path | bytes


def mode_of(shape: Shape) -> str:
    """Pillow's name for images with the channels of a shape."""
    if shape[2] not in MODES:
        raise UsageError(f"image files have 1, 3 or 4 channels, but the network takes {shape[2]}")
    return MODES[shape[2]]


def check_header(image: Encoded, name: str = "") -> None:
    """Raises MissingError, as `decode`, at what can be told without decoding."""
    with _opened(image, name):
        pass


def decode(image: Encoded, mode: str, name: str = "") -> Image.Image:
    """A PNG or JPEG image, upright; raises MissingError where it cannot be read. Bytes have a `name` for that."""
    from PIL import ImageOps

    with _opened(image, name) as opened:
        whole = opened.convert("RGBA") if opened.mode == "P" else opened
        ImageOps.exif_transpose(whole, in_place=True)
        return whole.convert(mode)


@contextmanager
def _opened(image: Encoded, name: str) -> Iterator[Image.Image]:
    """Refuses what is too large before it is decoded, and says so of whatever a broken image makes Pillow raise."""
    from PIL import Image

    place = name if isinstance(image, bytes) else str(image)
    try:
        with Image.open(BytesIO(image) if isinstance(image, bytes) else image, formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                size = f"{opened.width}x{opened.height}"
                raise MissingError(f"{place} has {size} pixels; at most {MAX_PIXELS:,} are read")
            yield opened
    except MissingError:
        raise
    except Exception as error:
        raise MissingError(f"{place} cannot be read as a PNG or JPEG image: {error}") from error
