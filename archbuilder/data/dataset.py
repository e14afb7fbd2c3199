"""Images with labels, and a data set of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np
import numpy.typing as npt

from archbuilder.errors import UsageError
from archbuilder.spec.data import LabelKind

if TYPE_CHECKING:
    from PIL import Image

Shape = tuple[int, int, int]
"""Height, width, channels."""
Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32] | npt.NDArray[np.float32]
"""(n,) the class of each image, int32; or (n, k) flags of 0 and 1 or numbers, float32."""
Indices = npt.NDArray[np.int64]


class LabelsError(UsageError):
    """The labels of a data set are not what the loss learns from."""


MAX_CLASSES = 1_000_000


def numbered(labels: range, origin: str) -> list[str]:
    """Classes that are called by their labels; raises UsageError where there are more than any data set has.

    Otherwise one wrong label would take all memory, since each class has a name.
    """
    if len(labels) > MAX_CLASSES:
        raise UsageError(f"{origin}: the largest label is {labels[-1]:,}; at most {MAX_CLASSES:,} classes are taken")
    return [str(label) for label in labels]


class Pictures(Protocol):
    """Images with labels, wherever they lie."""

    @property
    def labels(self) -> Labels:
        """The class of each image, (n,), or its flags or numbers, (n, k)."""
        ...

    @property
    def extent(self) -> str:
        """The size of the set in words, for a fingerprint."""
        ...

    def __len__(self) -> int: ...

    def take(self, indices: Indices) -> Self: ...

    def digests(self) -> list[bytes]:
        """A digest of each image with its label."""
        ...

    def sums(self) -> Sequence[bytes]:
        """A digest of the pixels of each image, whatever its label."""
        ...

    def name(self, index: int) -> str:
        """What an image is called in messages; empty where it has no name."""
        ...

    def image(self, index: int) -> Image.Image:
        """An image at its own size, upright, in the channels of the input."""
        ...


@dataclass(frozen=True, eq=False)
class Images:
    """(n, H, W, C) pixels in memory and (n,) classes, or (n, k) flags or numbers."""

    pixels: Pixels
    labels: Labels
    names: tuple[str, ...] = ()
    """Those of the files that they were read from, if they were."""

    @property
    def extent(self) -> str:
        return str(self.pixels.shape)

    def __len__(self) -> int:
        return len(self.labels)

    def image(self, index: int) -> Image.Image:
        from PIL import Image

        pixels = self.pixels[index]
        return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)

    def take(self, indices: Indices) -> Images:
        names = tuple(self.names[index] for index in indices) if self.names else ()
        return Images(self.pixels[indices], self.labels[indices], names)

    def sums(self) -> list[bytes]:
        return [sha256(image.tobytes()).digest() for image in np.ascontiguousarray(self.pixels)]

    def name(self, index: int) -> str:
        return self.names[index] if self.names else ""

    def digests(self) -> list[bytes]:
        """The sha256 of each label and its image."""
        pixels, labels = (
            np.ascontiguousarray(self.pixels),
            self.labels.astype("<i4" if self.labels.ndim == 1 else "<f4"),
        )
        return [sha256(label.tobytes() + image.tobytes()).digest() for label, image in zip(labels, pixels, strict=True)]


@dataclass(frozen=True, eq=False)
class Parts:
    """Images to learn from, others to be judged by, and what a person should know of how they were read."""

    train: Images
    test: Images
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Dataset:
    """Images to learn from, and others to be judged by."""

    name: str
    classes: tuple[str, ...]
    train: Pictures
    """The training images in the order of their digests, so that a run is the same whichever layout they lie in."""
    test: Pictures
    """The test images in the order that they are stored in; none where some are yet to be set apart."""
    fingerprint: str
    """The sha256 of all digests, in their own order: the same for the same images, in whichever layout."""
    origin: str
    """The file, folder or package that it was read from."""
    notes: tuple[str, ...] = ()
    """What a person should know of how it was read."""
    labels: LabelKind = "classes"
    """What its images are labelled with; `classes` names the columns of flags and numbers."""
    validation: Pictures | None = None
    """Images for validation, where the data has a part for that, in the order that they are stored in."""

    @classmethod
    def of(
        cls,
        name: str,
        classes: Sequence[str],
        train: Pictures,
        test: Pictures,
        origin: str,
        notes: Sequence[str] = (),
        validation: Pictures | None = None,
    ) -> Dataset:
        """A data set with its training images in order, and its fingerprint."""
        digests, others = train.digests(), [test, *([validation] if validation else [])]
        order = np.array(sorted(range(len(train)), key=digests.__getitem__), dtype=np.int64)
        header = " ".join(part.extent for part in (train, *others)).encode()
        content = [header, *sorted(digests), *(digest for part in others for digest in sorted(part.digests()))]
        fingerprint = sha256(b"".join(content)).hexdigest()
        train = train.take(order)
        return cls(name, tuple(classes), train, test, fingerprint, origin, tuple(notes), validation=validation)
