"""Images that do not stay in memory at the input's size: decoded and framed on all cores, ahead of who reads them.

Threads of Python do it, not `tf.data`: Pillow lets go of the interpreter while it decodes and resizes, a file that
cannot be read is named by the error that arrives, and the order is that of the indices whatever the threads do.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from archbuilder.data.dataset import Indices, Pictures, Pixels, Shape
from archbuilder.data.framing import ImageRandom, crops, frame
from archbuilder.spec.framing import AnyFraming

AHEAD = 2
"""The number of batches that are made while one is learned from."""


@dataclass(frozen=True, eq=False)
class Stream:
    """Images as a network sees them, through framing steps whose random numbers follow from the seed."""

    images: Pictures
    steps: Sequence[AnyFraming]
    shape: Shape
    seed: int = 0

    def batches(self, size: int) -> Iterator[Pixels]:
        """All images in their order, `size` crops at a time: (n, H, W, C) or (n, crops, H, W, C)."""
        count = max(1, size // crops(self.steps))
        indices = np.arange(len(self.images))
        return self.read((indices[start : start + count] for start in range(0, len(indices), count)), epoch=0)

    def read(self, batches: Iterable[Indices], epoch: int) -> Iterator[Pixels]:
        """The images of each batch of indices; the next batches are made meanwhile."""
        pool = ThreadPoolExecutor(os.cpu_count())
        try:
            made: deque[list[Future[Pixels]]] = deque()
            for batch in batches:
                made.append([pool.submit(self._image, int(index), epoch) for index in batch])
                if len(made) > AHEAD:
                    yield _stacked(made.popleft())
            while made:
                yield _stacked(made.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _image(self, index: int, epoch: int) -> Pixels:
        def random_at(position: int) -> ImageRandom:
            return ImageRandom(self.seed, position, epoch, index)

        return frame(self.images.image(index), self.steps, self.shape[:2], random_at)


def _stacked(images: list[Future[Pixels]]) -> Pixels:
    return np.stack([image.result() for image in images])
