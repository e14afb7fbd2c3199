"""Draws images to train on: five shapes in a flat folder, in every kind of file that people have.

python examples/shapes.py FOLDER [EACH]
"""

from __future__ import annotations

import sys
from math import cos, pi, sin
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

CLASSES = ("circle", "cross", "ring", "square", "triangle")
SIDE = 64
Colour = tuple[int, ...]


def write(folder: Path, each: int = 60, seed: int = 0) -> Path:
    """PNG, JPEG, WebP, grey, with alpha and with 16 bits by turns, and one file that is cut off."""
    random = np.random.default_rng(seed)
    for name in CLASSES:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            save(draw(name, random), folder / name / f"{number:03}", number % 6)
    whole = (folder / "circle" / "000.png").read_bytes()
    (folder / "circle" / "cut.png").write_bytes(whole[: len(whole) // 2])
    return folder


def save(image: Image.Image, path: Path, kind: int) -> None:
    """One of six kinds of file."""
    match kind:
        case 1:
            image.save(path.with_suffix(".jpg"), quality=90)
        case 2:
            image.save(path.with_suffix(".webp"), quality=90)
        case 3:
            image.convert("L").save(path.with_suffix(".png"))
        case 4:
            image.putalpha(255)
            image.save(path.with_suffix(".png"))
        case 5:
            Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257).save(path.with_suffix(".png"))
        case _:
            image.save(path.with_suffix(".png"))


def canvas(random: np.random.Generator, side: int = SIDE) -> tuple[Image.Image, Colour]:
    """A background with noise on it, and a colour that is far from it."""
    dark, light = (tuple(int(value) for value in random.integers(*range_, 3)) for range_ in ((0, 90), (160, 256)))
    behind, before = (dark, light) if random.random() < 0.5 else (light, dark)
    pixels = random.normal(0, 12, (side, side, 3)) + behind
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)), before


def draw(name: str, random: np.random.Generator) -> Image.Image:
    """A shape of any size, at any place, turned by any angle."""
    image, colour = canvas(random)
    pen, radius = ImageDraw.Draw(image), random.uniform(0.18, 0.4) * SIDE
    x, y = (random.uniform(radius, SIDE - radius) for _ in range(2))
    turned = random.uniform(0, pi)
    box = (x - radius, y - radius, x + radius, y + radius)
    match name:
        case "circle":
            pen.ellipse(box, fill=colour)
        case "ring":
            pen.ellipse(box, outline=colour, width=max(2, int(radius / 4)))
        case "cross":
            for angle in (turned, turned + pi / 2):
                across, down = radius * cos(angle), radius * sin(angle)
                pen.line((x - across, y - down, x + across, y + down), colour, max(2, int(radius / 3)))
        case _:
            corners = {"square": 4, "triangle": 3}[name]
            angles = [turned + 2 * pi * corner / corners for corner in range(corners)]
            pen.polygon([(x + radius * cos(angle), y + radius * sin(angle)) for angle in angles], fill=colour)
    return image


if __name__ == "__main__":
    write(Path(sys.argv[1]), *map(int, sys.argv[2:3]))
