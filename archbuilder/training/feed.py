"""The images of a spec on their way into the network: in the order of an epoch, from memory or streamed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from archbuilder.aliases import Array
from archbuilder.augmentation.augmenter import augmenter
from archbuilder.data.dataset import Images, Labels, Pictures, Shape
from archbuilder.data.normalisation import Normaliser, fit
from archbuilder.data.stream import Stream
from archbuilder.learning_rate.schedules import Length
from archbuilder.spec.training import Training
from archbuilder.training.step_settings import TrainingImages

FITTED_ON = 10_000
"""The number of images that a normaliser is fitted on where images are streamed."""


@dataclass(frozen=True)
class Feed:
    """Training images by iteration, and any images as the network is judged by."""

    training: Training
    shape: Shape
    """What the network takes in."""
    images: Pictures
    """The images to learn from."""

    @property
    def length(self) -> Length:
        return Length.of(self.training.stop, self.training.batch_size, len(self.images))

    def batches(self, epoch: int) -> list[Array]:
        """The training images of each iteration of an epoch, by their indices."""
        order = self.order(epoch)
        size, length = self.training.batch_size, self.length
        count = min(length.iterations_per_epoch, length.iterations - epoch * length.iterations_per_epoch)
        return [order[start : start + size] for start in range(0, count * size, size)]

    def order(self, epoch: int) -> Array:
        """The training images of an epoch, by their indices; some twice and some not, where classes are drawn alike."""
        if self.training.sampling == "balanced":
            return balanced_order(self.training.seed, epoch, self.images.labels)
        return epoch_order(self.training.seed, epoch, len(self.images))

    def read(
        self, batches: Sequence[Array], epoch: int, rows: Callable[[int], slice] = slice
    ) -> Iterator[tuple[Array, ...]]:
        """What each iteration learns from: indices of training images and, where these are streamed, the images.

        Of several processes, each streams what it needs itself: `rows` says which of so many images.
        """
        if self._is_streamed(self.images):
            stream = Stream(self.images, self.training.training_frame, self.shape, self.training.seed)
            needed = (batch[rows(len(batch))] for batch in batches)
            return zip(batches, stream.read(needed, epoch), strict=True)
        return ((batch,) for batch in batches)

    def pixels(self, images: Pictures, quick: bool = False) -> Array | Stream:
        """Images as the network is judged by, from memory, or streamed with the framing of testing.

        `quick` takes one crop of each.
        """
        if isinstance(images, Images) and not self._is_streamed(images):
            return images.pixels
        return Stream(images, self.training.quick_frame if quick else self.training.testing_frame, self.shape)

    def training_images(self, normaliser: Normaliser) -> TrainingImages:
        """What a step learns from; streamed images arrive with each iteration."""
        pixels, training = self.pixels(self.images), self.training
        augment = augmenter(training.augment, normaliser, training.seed)
        return TrainingImages(None if isinstance(pixels, Stream) else pixels, self.images.labels, augment)

    def fit_normaliser(self) -> Normaliser:
        """The normaliser of all training images, or of some of those that are streamed."""
        pixels = self.pixels(self.images)
        if isinstance(pixels, Stream):
            count = min(len(self.images), FITTED_ON)
            some = self.images.take(np.arange(count) * len(self.images) // count)
            batches = Stream(some, self.training.quick_frame, self.shape).batches(128)
            return fit(self.training.normalise, batches, self.training.colours)
        return fit(self.training.normalise, [pixels], self.training.colours)

    def _is_streamed(self, images: Pictures) -> bool:
        return self.training.is_framed or not isinstance(images, Images)


def epoch_order(seed: int, epoch: int, images: int) -> Array:
    """A shuffle that depends on nothing but its arguments; NumPy promises that RandomState will never change."""
    bits = np.random.MT19937(np.random.SeedSequence([seed, epoch]))
    return np.random.RandomState(bits).permutation(images).astype(np.int32)


def balanced_order(seed: int, epoch: int, labels: Labels) -> Array:
    """As many images as there are, drawn with replacement: first the class, then one of its images.

    It depends on nothing but its arguments, and each class that has images comes as often as the others.
    """
    random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, epoch, 0xBA1A])))
    by_class = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    starts, present = np.cumsum(counts) - counts, np.flatnonzero(counts)
    drawn = present[(random.random_sample(len(labels)) * len(present)).astype(np.int64)]
    places = (random.random_sample(len(labels)) * counts[drawn]).astype(np.int64)
    order: Array = by_class[starts[drawn] + places].astype(np.int32)
    return order
