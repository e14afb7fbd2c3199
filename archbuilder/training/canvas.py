"""A canvas for sheets of small images with captions."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont

SIDE = 96
"""About how many pixels an image is wide and high on a sheet."""
GAP, LINE = 6, 14
INK, PAPER = (40, 40, 40), (255, 255, 255)


class Canvas:
    """A white picture, onto which images and lines of text are put."""

    def __init__(self, width: int, height: int) -> None:
        self.picture = Image.new("RGB", (width, height), PAPER)
        self._pen, self._font = ImageDraw.Draw(self.picture), ImageFont.load_default(LINE - 3)

    def paste(self, image: Image.Image, size: tuple[int, int], left: int, top: int) -> None:
        """Puts an image there in a size of its own: enlarged with its pixels as squares, made smaller with care."""
        is_larger = size[0] >= image.width
        filter_ = Image.Resampling.NEAREST if is_larger else Image.Resampling.LANCZOS
        self.picture.paste(image.resize(size, filter_), (left, top))

    def write(self, left: int, top: int, text: str, width: int = SIDE) -> None:
        """Writes as much of a line of text as has room."""
        while text and self._pen.textlength(text, self._font) > width:
            text = text[:-1]
        self._pen.text((left, top), text, INK, self._font)


def fitted(image: Image.Image, width: int, height: int) -> tuple[int, int]:
    """The largest size at which an image of its shape fits."""
    zoom = min(width / image.width, height / image.height)
    return max(1, round(image.width * zoom)), max(1, round(image.height * zoom))
