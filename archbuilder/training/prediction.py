"""The classes of single images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array
from archbuilder.data.decoding import decode_with_bits, mode_of
from archbuilder.data.framing import frame
from archbuilder.errors import MissingError, UsageError
from archbuilder.graph.ops import Shape
from archbuilder.linting.linting import require_fitting
from archbuilder.linting.recipe import Recipe
from archbuilder.spec.framing import AnyFraming
from archbuilder.training.engine import evaluator_for
from archbuilder.training.run.folder import Run, Which

PREDICTED_AT_ONCE = 64


@dataclass(frozen=True)
class ClassProbability:
    """A class, and how probable it is."""

    name: str
    probability: float


@dataclass(frozen=True)
class Prediction:
    """The likeliest classes of an image, the likeliest first, or why it cannot be read."""

    image: str
    classes: tuple[ClassProbability, ...] = ()
    problem: str | None = None
    bits: int | None = None
    """The bits of each channel as they are stored."""


def predict(run: Run, paths: Sequence[str | Path], top: int = 3, weights: Which = "best") -> Iterator[Prediction]:
    """What a run's network takes images to be, in their order, batch by batch."""
    recipe = Recipe.of(run.spec)
    if recipe.training.is_regression:
        raise UsageError(f"the run in {run.folder} learned numbers, and what is predicted are classes")
    require_fitting(recipe)
    graph, steps = recipe.graph, recipe.training.testing_frame
    precision, at_once = run.environment["precision"], min(len(paths), PREDICTED_AT_ONCE)
    evaluator = evaluator_for(graph, run.model(weights), precision, run.normaliser, run.objective, at_once)
    for start in range(0, len(paths), evaluator.batch_size):
        batch = [_read(Path(path), graph.input.shape, steps) for path in paths[start : start + evaluator.batch_size]]
        readable = [one.pixels for one in batch if one.pixels is not None]
        probabilities = iter(evaluator.probabilities(np.stack(readable)) if readable else ())
        for one in batch:
            classes = () if one.pixels is None else _likeliest(next(probabilities), run.classes, top)
            yield Prediction(str(one.path), classes, one.problem, one.bits)


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


def _likeliest(probabilities: Array, classes: tuple[str, ...], top: int) -> tuple[ClassProbability, ...]:
    if len(probabilities) == 1 and len(classes) == 2:  # the sigmoid of one unit
        probabilities = np.array([1 - probabilities[0], probabilities[0]])
    order = np.argsort(-probabilities, kind="stable")[:top]
    return tuple(ClassProbability(classes[index], float(probabilities[index])) for index in order)
