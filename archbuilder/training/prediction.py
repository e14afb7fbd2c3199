"""What single images are taken to be: classes, labels or numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array, Json
from archbuilder.data.decoding import TAKEN, decode_with_bits, mode_of
from archbuilder.data.framing import frame
from archbuilder.data.sources.listing import list_images
from archbuilder.errors import MissingError
from archbuilder.formatting import first_ten, printable
from archbuilder.graph.ops import Shape
from archbuilder.linting.linting import require_fitting
from archbuilder.linting.recipe import Recipe
from archbuilder.markup import Cell
from archbuilder.spec.framing import AnyFraming
from archbuilder.training.engine import evaluator_for
from archbuilder.training.run.folder import Run, Which

PREDICTED_AT_ONCE = 64
LIKELIEST = 3
"""How many classes are told where nobody says."""


@dataclass(frozen=True)
class ClassProbability:
    """A class, and how probable it is."""

    name: str
    probability: float


@dataclass(frozen=True)
class NamedNumber:
    """A number that was learned, in its own units."""

    name: str
    number: float


@dataclass(frozen=True)
class Prediction:
    """The likeliest classes or labels of an image, the likeliest first, or numbers, or why it cannot be read."""

    image: str
    classes: tuple[ClassProbability, ...] = ()
    problem: str | None = None
    bits: int | None = None
    """The bits of each channel as they are stored."""
    numbers: tuple[NamedNumber, ...] = ()

    def to_json(self) -> Json:
        """Its fields; `numbers` only where some were learned, and then no `classes`."""
        return {key: value for key, value in asdict(self).items() if key != ("classes" if self.numbers else "numbers")}


def predict(
    run: Run, paths: Sequence[str | Path], top: int | None = None, weights: Which = "best"
) -> Iterator[Prediction]:
    """What a run's network takes images to be, in their order, batch by batch; `images_in` finds those of folders.

    `top` is how many classes are told: without it, three; of several labels, all.
    """
    recipe = Recipe.of(run.spec)
    require_fitting(recipe)
    graph, steps = recipe.graph, recipe.training.testing_frame
    precision, at_once = run.environment["precision"], min(len(paths), PREDICTED_AT_ONCE)
    evaluator = evaluator_for(graph, run.model(weights), precision, run.normaliser, run.objective, at_once)
    most = len(run.classes) if recipe.training.labels == "flags" else LIKELIEST
    for start in range(0, len(paths), evaluator.batch_size):
        batch = [_read(Path(path), graph.input.shape, steps) for path in paths[start : start + evaluator.batch_size]]
        readable = [one.pixels for one in batch if one.pixels is not None]
        answers = iter(evaluator.answers(np.stack(readable)) if readable else ())
        for one in batch:
            path = str(one.path)
            if one.pixels is None:
                yield Prediction(path, problem=one.problem, bits=one.bits)
            elif recipe.training.is_regression:
                yield Prediction(path, bits=one.bits, numbers=_named(next(answers), run.classes))
            else:
                yield Prediction(path, _likeliest(next(answers), run.classes, top or most), bits=one.bits)


@dataclass(frozen=True)
class Found:
    """Images to look at, and what should be said of what else is there."""

    images: tuple[Path, ...]
    notes: tuple[str, ...] = ()


def images_in(paths: Sequence[str | Path]) -> Found:
    """Files as they are, and for each folder the images in it and below; raises MissingError where one has none."""
    images, others = list[Path](), list[str]()
    for path in map(Path, paths):
        if not path.is_dir():
            images.append(path)
            continue
        listing = list_images(path)
        if not listing.images:
            raise MissingError(f"there are no images ({TAKEN}) in {printable(str(path))}")
        images += [path / name for name in listing.images]
        others += [str(path / name) for name in listing.others]
    return Found(
        tuple(images), (f"left out {len(others):,} that are no images: {first_ten(others)}",) if others else ()
    )


def csv_rows(predictions: Sequence[Prediction]) -> Iterator[list[Cell]]:
    """An image a row: its likeliest classes with their probabilities, or its numbers; or why it cannot be read."""
    classes = max((len(one.classes) for one in predictions), default=0)
    names = next(([number.name for number in one.numbers] for one in predictions if one.numbers), [])
    pairs = [head for place in range(1, classes + 1) for head in (f"class {place}", f"probability {place}")]
    yield ["image", *pairs, *names, "problem"]
    for one in predictions:
        told: list[Cell] = [value for found in one.classes for value in (found.name, found.probability)]
        told += [number.number for number in one.numbers]
        yield [one.image, *told, *[None] * (len(pairs) + len(names) - len(told)), one.problem]


@dataclass(frozen=True, eq=False)
class _Read:
    """An image with its pixels `(H, W, C)` or `(crops, H, W, C)`, or with the reason why there are none."""

    path: Path
    pixels: Array | None = None
    bits: int | None = None
    problem: str | None = None


def _read(path: Path, shape: Shape, steps: Sequence[AnyFraming]) -> _Read:
    try:
        return _Read(path, *framed(path, shape, steps))
    except MissingError as error:
        return _Read(path, problem=str(error))


def framed(path: Path, shape: Shape, steps: Sequence[AnyFraming]) -> tuple[Array, int]:
    """Any image as pixels, in grey or colour as the network has it, and the bits of each channel as they are stored."""
    height, width, channels = shape
    image, bits = decode_with_bits(path, mode_of((height, width, channels)))
    return frame(image, steps, (height, width)), bits


def _named(numbers: Array, names: tuple[str, ...]) -> tuple[NamedNumber, ...]:
    return tuple(NamedNumber(name, float(number)) for name, number in zip(names, numbers, strict=True))


def _likeliest(probabilities: Array, classes: tuple[str, ...], top: int) -> tuple[ClassProbability, ...]:
    if len(probabilities) == 1 and len(classes) == 2:  # the sigmoid of one unit
        probabilities = np.array([1 - probabilities[0], probabilities[0]])
    order = np.argsort(-probabilities, kind="stable")[:top]
    return tuple(ClassProbability(classes[index], float(probabilities[index])) for index in order)
