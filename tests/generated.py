"""Image folders as people have them, drawn at random: textures and strokes, beside the shapes of `examples/`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import pi
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

SHAPES = SimpleNamespace(**run_path(str(Path(__file__).parent.parent / "examples" / "shapes.py")))
Random = np.random.Generator
Draw = Callable[[Random, int], Image.Image]


def textures(folder: Path, each: int = 40, side: int = 96, seed: int = 1) -> Path:
    """Seven classes that only their texture tells apart, in colours that tell nothing."""
    drawn: Mapping[str, Draw] = {
        name: _texture(name) for name in ("stripes", "rows", "checks", "dots", "noise", "cloud", "rings")
    }
    return _write(folder, drawn, dict.fromkeys(drawn, each), side, seed)


def strokes(folder: Path, most: int = 120, side: int = 32, seed: int = 2) -> Path:
    """Ten classes of strokes like digits, in colours, of which some have a sixth of the images of others."""
    drawn = {str(digit): _stroke(digit) for digit in range(10)}
    counts = {name: most // 6 if int(name) % 3 == 0 else most for name in drawn}
    return _write(folder, drawn, counts, side, seed)


def _write(folder: Path, drawn: Mapping[str, Draw], counts: Mapping[str, int], side: int, seed: int) -> Path:
    random = np.random.default_rng(seed)
    for name, draw in drawn.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(counts[name]):
            SHAPES.save(draw(random, side), folder / name / f"{number:03}", number % 6)
    return folder


def _colour(random: Random) -> npt.NDArray[np.int64]:
    return random.integers(0, 256, 3)


def _texture(name: str) -> Draw:
    def draw(random: Random, side: int) -> Image.Image:
        rows, columns = np.mgrid[:side, :side] + random.uniform(0, side, 2)[:, None, None]
        period = random.uniform(6, 14)
        waves: Mapping[str, Callable[[], npt.NDArray[np.float64]]] = {
            "stripes": lambda: np.sin(2 * pi * columns / period),
            "rows": lambda: np.sin(2 * pi * rows / period),
            "checks": lambda: np.sign(np.sin(2 * pi * columns / period) * np.sin(2 * pi * rows / period)),
            "dots": lambda: np.cos(2 * pi * columns / period) + np.cos(2 * pi * rows / period) > 1,
            "noise": lambda: random.normal(0, 1, (side, side)),
            "cloud": lambda: _cloud(random, side),
            "rings": lambda: np.sin(2 * pi * np.hypot(columns % side - side / 2, rows % side - side / 2) / period),
        }
        wave = waves[name]()[..., None].astype(float)
        one, other = _colour(random), _colour(random)
        share = (wave - wave.min()) / (wave.max() - wave.min())
        if abs(one.mean() - other.mean()) < 50:  # grey images need a contrast, too
            other = (one + 128) % 256
            other = other if abs(one.mean() - other.mean()) >= 50 else np.where(one.mean() < 128, 255, 0)
        pixels = one * share + other * (1 - share) + random.normal(0, 10, (side, side, 3))
        return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))

    return draw


def _cloud(random: Random, side: int) -> npt.NDArray[np.float64]:
    noise = Image.fromarray(random.integers(0, 256, (side, side), np.uint8))
    return np.asarray(noise.filter(ImageFilter.GaussianBlur(6)), float)


SEGMENTS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")
"""Which of the seven segments each digit has."""
ENDS = {"a": (0, 0, 1, 0), "b": (1, 0, 1, 1), "c": (1, 1, 1, 2), "d": (0, 2, 1, 2), "e": (0, 1, 0, 2), "f": (0, 0, 0, 1),
        "g": (0, 1, 1, 1)}  # fmt: skip


def _stroke(digit: int) -> Draw:
    def draw(random: Random, side: int) -> Image.Image:
        image: Image.Image
        image, colour = SHAPES.canvas(random, side)
        pen, height = ImageDraw.Draw(image), random.uniform(0.22, 0.34) * side
        width, lean = height * random.uniform(0.7, 1.1), random.uniform(-0.25, 0.25)
        x, y = random.uniform(0.1 * side, 0.85 * side - width), random.uniform(0.05 * side, 0.95 * side - 2 * height)
        for segment in SEGMENTS[digit]:
            ends = np.array(ENDS[segment], float).reshape(2, 2) + random.normal(0, 0.05, (2, 2))
            places = [(x + width * across - lean * height * (down - 1), y + height * down) for across, down in ends]
            pen.line([*places[0], *places[1]], colour, max(2, round(side / 14)))
        return image

    return draw
