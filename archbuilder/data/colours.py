"""Pixels of every kind that image files hold, as 8 bits a channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from archbuilder.aliases import Array

if TYPE_CHECKING:
    from PIL import Image

_KEY_SCALES = {"L;2": 85, "L;4": 17}
"""How Pillow brings grey values of 2 and 4 bits to 8, which it does not do to the value that stands for transparent."""


class UnreadableImageError(Exception):
    """Why an image is not decoded: the end of a sentence that begins with its name."""


def bits_of(image: Image.Image) -> int:
    """The bits of each channel as they are stored, of an image that is not decoded yet: 16, 12, or 8 for all others."""
    raw = _raw_mode(image)
    if raw == "I;12":
        return 12
    is_deep = image.mode.startswith("I;16") or ";16" in raw or (image.mode == "I" and image.format in ("PNG", "PPM"))
    return 16 if is_deep else 8


def eight_bits(image: Image.Image) -> Image.Image:
    """The pixels, decoded, in a mode of 8 bits a channel, which is RGBA or LA where some are transparent.

    Whole numbers of 16 bits are divided by 257, and decimals, which have to lie from 0 to 1, multiplied by 255.
    """
    bits, raw = bits_of(image), _raw_mode(image)
    if image.mode.startswith("I"):
        return _from_whole_numbers(image, bits)
    if image.mode == "F":
        return _from_decimals(image)
    if isinstance(key := image.info.get("transparency"), int | tuple) and image.mode in ("L", "RGB"):
        image.info["transparency"] = _key(key, raw)
    if image.mode in ("La", "PA"):
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if image.has_transparency_data:
        return image.convert("RGBA")
    image.load()
    return image


def laid_on_white(image: Image.Image) -> Image.Image:
    """An image of `eight_bits` without its alpha: white shows through where it is transparent."""
    from PIL import Image

    if image.mode in ("RGBA", "LA"):
        white = Image.new("RGB", image.size, "white")
        # Of LA, Pillow fills the places of green and blue only where it converts.
        white.paste(image if image.mode == "RGBA" else image.convert("RGB"), mask=image.getchannel("A"))
        return white
    return image if image.mode in ("1", "L", "P", "RGB") else image.convert("RGB")


def _raw_mode(image: Image.Image) -> str:
    """How the file stores pixels, in Pillow's words; empty once they are decoded."""
    tiles = getattr(image, "tile", None)
    arguments = tiles[0][3] if tiles else ""
    first = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return first if isinstance(first, str) else ""


def _key(key: int | tuple[int, ...], raw: str) -> int | tuple[int, ...]:
    """The colour that stands for transparent, in 8 bits; Pillow gives it as it is stored."""
    if isinstance(key, tuple):
        return tuple(value >> 8 for value in key) if raw == "RGB;16B" else key
    return key * _KEY_SCALES.get(raw, 1)


def _from_whole_numbers(image: Image.Image, bits: int) -> Image.Image:
    from PIL import Image

    if bits == 8:
        raise UnreadableImageError("has whole numbers that are signed or of 32 bits; 8 or 16 bits are read")
    most, values = 2**bits - 1, np.asarray(image)
    scaled = (np.arange(most + 1) * (255 / most) + 0.5).astype(np.uint8)
    grey = _image(_by_rows(lambda row: scaled[row.clip(0, most)], values), image)
    key = image.info.get("transparency")
    if not isinstance(key, int):
        return grey
    merged = Image.merge("LA", (grey, Image.fromarray(_by_rows(lambda row: (row != key) * np.uint8(255), values))))
    merged.info = grey.info
    return merged


def _from_decimals(image: Image.Image) -> Image.Image:
    values = np.asarray(image)
    if not (values.min() >= 0 and values.max() <= 1):
        raise UnreadableImageError("has decimal numbers that are not all from 0 (black) to 1 (white)")
    return _image(_by_rows(lambda row: row * 255 + 0.5, values), image)


def _by_rows(change: Callable[[Array], Array], values: Array) -> Array:
    """Small in memory where an image is large."""
    changed = np.empty(values.shape, np.uint8)
    for place, row in enumerate(values):
        changed[place] = change(row)
    return changed


def _image(values: Array, original: Image.Image) -> Image.Image:
    """Grey pixels with all that the file says of the image but its transparency."""
    from PIL import Image

    grey = Image.fromarray(values)
    grey.info = {name: value for name, value in original.info.items() if name != "transparency"}
    return grey
