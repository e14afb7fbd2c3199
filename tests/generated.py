"""Image folders as people have them, drawn at random: shapes, textures and strokes, in every kind of file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import cos, pi, sin
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Random = np.random.Generator
Draw = Callable[[Random, int], Image.Image]


def shapes(folder: Path, each: int = 60, side: int = 64, seed: int = 0) -> Path:
    """Five classes in a flat folder: PNG, JPEG, WebP, grey, RGBA and 16-bit by turns, and one file that is cut off."""
    drawn: Mapping[str, Draw] = {name: _shape(name) for name in ("circle", "square", "triangle", "cross", "ring")}
    _write(folder, drawn, dict.fromkeys(drawn, each), side, seed)
    cut = folder / "circle" / "cut.png"
    content = (folder / "circle" / "000.png").read_bytes()
    cut.write_bytes(content[: len(content) // 2])
    return folder


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
            _save(draw(random, side), folder / name / f"{number:03}", number % 6)
    return folder


def _save(image: Image.Image, path: Path, kind: int) -> None:
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
            deep = np.asarray(image.convert("L"), np.uint16) * 257
            Image.fromarray(deep).save(path.with_suffix(".png"))
        case _:
            image.save(path.with_suffix(".png"))


def _colour(random: Random, low: int = 0, high: int = 256) -> tuple[int, ...]:
    return tuple(int(value) for value in random.integers(low, high, 3))


def _canvas(random: Random, side: int) -> tuple[Image.Image, tuple[int, ...]]:
    """A background with noise on it, and a colour that is far from it."""
    is_dark = random.random() < 0.5
    behind, before = (
        (_colour(random, 0, 90), _colour(random, 160)) if is_dark else (_colour(random, 160), _colour(random, 0, 90))
    )
    noise = random.normal(0, 12, (side, side, 3))
    return Image.fromarray((noise + behind).clip(0, 255).astype(np.uint8)), before


def _shape(name: str) -> Draw:
    def draw(random: Random, side: int) -> Image.Image:
        image, colour = _canvas(random, side)
        pen, radius = ImageDraw.Draw(image), random.uniform(0.18, 0.4) * side
        x, y = (random.uniform(radius, side - radius) for _ in range(2))
        turned = random.uniform(0, pi)
        box = (x - radius, y - radius, x + radius, y + radius)
        match name:
            case "circle":
                pen.ellipse(box, fill=colour)
            case "ring":
                pen.ellipse(box, outline=colour, width=max(2, int(radius / 4)))
            case "square" | "triangle":
                corners = {"square": 4, "triangle": 3}[name]
                angles = [turned + 2 * pi * corner / corners for corner in range(corners)]
                pen.polygon([(x + radius * cos(angle), y + radius * sin(angle)) for angle in angles], fill=colour)
            case _:
                for angle in (turned, turned + pi / 2):
                    across, down = radius * cos(angle), radius * sin(angle)
                    pen.line((x - across, y - down, x + across, y + down), colour, max(2, int(radius / 3)))
        return image

    return draw


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
        one, other = np.array(_colour(random)), np.array(_colour(random))
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
        image, colour = _canvas(random, side)
        pen, height = ImageDraw.Draw(image), random.uniform(0.22, 0.34) * side
        width, lean = height * random.uniform(0.7, 1.1), random.uniform(-0.25, 0.25)
        x, y = random.uniform(0.1 * side, 0.85 * side - width), random.uniform(0.05 * side, 0.95 * side - 2 * height)
        for segment in SEGMENTS[digit]:
            ends = np.array(ENDS[segment], float).reshape(2, 2) + random.normal(0, 0.05, (2, 2))
            places = [(x + width * across - lean * height * (down - 1), y + height * down) for across, down in ends]
            pen.line([*places[0], *places[1]], colour, max(2, round(side / 14)))
        return image

    return draw
