"""A contact sheet of what training makes of its images: a row for each image, a column for each epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

import numpy as np
import numpy.typing as npt
from keras import ops
from PIL import Image

from archbuilder.augmentation.augmenter import augmenter
from archbuilder.data.dataset import Pixels
from archbuilder.data.normalisation import Normaliser
from archbuilder.errors import UsageError
from archbuilder.spec.augmentation import Mixing
from archbuilder.training.canvas import GAP, LINE, SIDE, Canvas, fitted
from archbuilder.training.setup import Setup

Indices = npt.NDArray[np.int32]
SoftLabels = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Epoch:
    """What an epoch makes of some images: (n, H, W, C) pixels and (n, K) soft labels."""

    pixels: Pixels
    soft_labels: SoftLabels
    drawn: npt.NDArray[np.bool_]
    """Whether the epoch has the image at all: where classes are drawn alike, it may not."""


def draw(setup: Setup, images: int, epochs: int) -> Image.Image:
    """The sheet of some images, evenly spread over those to learn from, and the first epochs.

    They are framed, normalised, augmented and mixed by what training uses, and then brought back to pixels. Raises
    UsageError for images that are neither grey nor in colour.
    """
    if setup.graph.input.shape[-1] not in (1, 3):
        raise UsageError("only grey images and images of three colours can be drawn")
    count = min(images, len(setup.train))
    chosen = (np.arange(count) * len(setup.train) // count).astype(np.int32)
    normaliser = setup.feed.fit_normaliser()
    return _Sheet(setup, chosen, [learned_from(setup, normaliser, chosen, epoch) for epoch in range(epochs)]).picture


def learned_from(setup: Setup, normaliser: Normaliser, chosen: Indices, epoch: int) -> Epoch:
    """What an epoch makes of the images at `chosen`, each mixed with those that follow it in its batch."""
    training = setup.training
    mixed = 1 + sum(isinstance(step, Mixing) for step in training.augment)
    order = setup.feed.order(epoch)
    indices = np.concatenate([_followed(order, int(index), training.batch_size, mixed) for index in chosen])
    [(_, *streamed)] = setup.feed.read([indices], epoch)
    kept = setup.feed.pixels(setup.train)
    pixels = kept[indices] if isinstance(kept, np.ndarray) else streamed[0]
    labels = setup.objective.rows(setup.train.labels[indices], setup.width)
    augment = augmenter(training.augment, normaliser, training.seed)
    made = augment(*map(ops.convert_to_tensor, (pixels, labels, indices, np.array(epoch, np.int32))))
    normalised, soft_labels = (ops.convert_to_numpy(one)[::mixed] for one in made)
    return Epoch(normaliser.undone(normalised), soft_labels, np.isin(chosen, order))


def _followed(order: Indices, index: int, batch_size: int, count: int) -> Indices:
    """An image and the next `count - 1` of its batch, where the first follows the last; alone where it is not drawn."""
    if index not in order:
        return np.full(count, index, np.int32)
    place = int(np.flatnonzero(order == index)[0])
    start = place // batch_size * batch_size
    batch = order[start : start + batch_size]
    return np.take(batch, np.arange(count) + place - start, mode="wrap")


class _Sheet:
    def __init__(self, setup: Setup, chosen: Indices, epochs: list[Epoch]) -> None:
        self._setup = setup
        height, width, _ = setup.graph.input.shape
        scale = max(1, SIDE // max(height, width)) if max(height, width) <= SIDE else SIDE / max(height, width)
        self._cell = round(width * scale), round(height * scale)
        self._lines = 2 + sum(isinstance(step, Mixing) for step in setup.training.augment)
        across, down = SIDE + GAP, self._cell[1] + GAP + (self._lines - 1) * LINE
        self._canvas = Canvas(GAP + across * (1 + len(epochs)), GAP + LINE + down * len(chosen))
        for column, title in enumerate(["stored", *(f"epoch {number + 1}" for number in range(len(epochs)))]):
            self._canvas.write(GAP + column * across, GAP // 2, title)
        for row, index in enumerate(chosen):
            top = GAP + LINE + row * down
            self._stored(int(index), top)
            for column, epoch in enumerate(epochs, 1):
                self._learned_from(epoch, row, GAP + column * across, top)

    @property
    def picture(self) -> Image.Image:
        return self._canvas.picture

    def _stored(self, index: int, top: int) -> None:
        picture = self._setup.train.image(index).convert("RGB")
        self._canvas.paste(picture, fitted(picture, *self._cell), GAP, top)
        self._canvas.write(GAP, top + self._cell[1], self._label(index))

    def _label(self, index: int) -> str:
        names, label = self._setup.data.classes, self._setup.train.labels[index]
        match self._setup.data.labels:
            case "classes":
                return names[int(label)]
            case "flags":
                return ", ".join(name for name, flag in zip(names, label, strict=True) if flag) or "none"
            case "numbers":
                return ", ".join(f"{number:.4g}" for number in label)
            case _:
                assert_never(self._setup.data.labels)

    def _learned_from(self, epoch: Epoch, row: int, left: int, top: int) -> None:
        if not epoch.drawn[row]:
            self._canvas.write(left, top, "not drawn")
            return
        pixels = epoch.pixels[row]
        picture = Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).convert("RGB")
        self._canvas.paste(picture, self._cell, left, top)
        if self._lines > 2:
            self._write_soft_label(epoch.soft_labels[row], left, top + self._cell[1])

    def _write_soft_label(self, soft_label: SoftLabels, left: int, top: int) -> None:
        for line, text in enumerate(self._mixed(soft_label)[: self._lines - 1]):
            self._canvas.write(left, top + line * LINE, text)

    def _mixed(self, soft_label: SoftLabels) -> list[str]:
        """What a mixed image is labelled with, the largest share first; numbers are those between."""
        if scaling := self._setup.objective.scaling:
            return [", ".join(f"{number:.4g}" for number in scaling.undone(soft_label))]
        if len(soft_label) < len(self._setup.data.classes):  # the sigmoid of one unit
            soft_label = np.array([1 - soft_label[0], soft_label[0]])
        largest = [label for label in np.argsort(-soft_label, kind="stable") if soft_label[label] >= 0.005]
        return [f"{100 * soft_label[label]:.0f} % {self._setup.data.classes[label]}" for label in largest]
