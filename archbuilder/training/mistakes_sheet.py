"""A sheet of the images that a network was most sure of, and wrong: what they are, and what they were taken for."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from PIL import Image

from archbuilder.data.dataset import Pictures
from archbuilder.formatting import percent, printable
from archbuilder.training.canvas import GAP, LINE, SIDE, Canvas, fitted
from archbuilder.training.scores import Mistake

COLUMNS = 5
WIDTH = SIDE + 40
"""That of a column: captions need more room than images."""
CAPTIONS = 3


def draw(mistakes: Sequence[Mistake], images: Pictures) -> Image.Image:
    """The sheet, the surest mistake first; below each image stand its class, the answer, and its name."""
    rows = max(1, ceil(len(mistakes) / COLUMNS))
    height = SIDE + CAPTIONS * LINE + GAP
    canvas = Canvas(GAP + COLUMNS * (WIDTH + GAP), GAP + rows * (height + GAP))
    if not mistakes:
        canvas.write(GAP, GAP, "no mistakes", WIDTH)
    for place, mistake in enumerate(mistakes):
        row, column = divmod(place, COLUMNS)
        left, top = GAP + column * (WIDTH + GAP), GAP + row * (height + GAP)
        image = images.image(mistake.image).convert("RGB")
        canvas.paste(image, fitted(image, SIDE, SIDE), left, top)
        for line, text in enumerate(captions(mistake, images)):
            canvas.write(left, top + SIDE + line * LINE, text, WIDTH)
    return canvas.picture


def captions(mistake: Mistake, images: Pictures) -> tuple[str, ...]:
    """What is right, what was answered, and where the image is."""
    sure = "" if mistake.probability is None else f" ({percent(mistake.probability)})"
    name = images.name(mistake.image).rsplit("/", 1)[-1] or f"image {mistake.image}"
    return printable(f"is {mistake.truth}"), printable(f"not {mistake.answer}{sure}"), printable(name)
