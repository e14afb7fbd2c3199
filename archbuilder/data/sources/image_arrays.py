"""Images and labels in arrays of whatever form leaves nothing to guess.

Floating point numbers run from 0 to 1, and whole numbers of 16 bits over their whole range. Channels stand last, unless
the network takes the images only where they stand first. Labels are whole numbers from 0 on, or one-hot rows. What an
array declares is looked at before it is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from archbuilder.aliases import Array
from archbuilder.bounded_arrays import Arrays, Header
from archbuilder.data.dataset import MAX_CLASSES, Images, Labels, LabelsError, Pixels
from archbuilder.errors import UsageError
from archbuilder.graph.ops import show
from archbuilder.spec.data import LabelKind

PIXELS = "uint8 of shape (n, H, W) or (n, H, W, C) is expected, or uint16, or floats from 0 (black) to 1 (white)"
SEVERAL, NUMBERS = "binary_cross_entropy", "mean_squared_error"
"""The losses that learn from labels which are no classes."""
COLOURS = (1, 3, 4)
AT_ONCE = 256
"""How many images are brought to 8 bits at once."""


@dataclass(frozen=True)
class Plan:
    """How a part is to be read: its arrays, whether channels stand first in them, and the memory that this takes."""

    images: str
    labels: str
    are_channels_first: bool
    bytes: int


@dataclass(frozen=True)
class Part:
    """A part that was read; `classes` is how many its labels count."""

    images: Images
    classes: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ImageArrays:
    """The arrays of an archive; raises UsageError for what is none of the forms that are taken."""

    origin: str
    """The archive as errors call it."""
    arrays: Arrays

    @property
    def names(self) -> tuple[str, ...]:
        return self.arrays.names

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def header(self, name: str) -> Header:
        """What is declared of an array that is no single value."""
        header = self.arrays.header(name)
        if not header.shape:
            raise self.refused(name, "a list or an array is expected")
        return header

    def values(self, name: str) -> Array:
        return self.arrays.read(name)

    def refused(self, name: str, expected: str, error: type[UsageError] = UsageError) -> UsageError:
        """What an array is, beside what is expected."""
        header = self.arrays.header(name)
        kind = "text" if header.dtype.kind in "SU" else str(header.dtype)
        facts = f"{kind} of shape {header.shape}" if header.shape else "a single value"
        return error(f"{self.origin}: {name} is {facts}; {expected}")

    def plan(self, part: str, images: str, labels: str, shape: tuple[int, ...]) -> Plan:
        """Decides from what is declared; `shape` is that of the input, or its channels for images at their own size."""
        pixels, numbers = self.header(images), self.header(labels)
        if len(pixels.shape) not in (3, 4) or not (pixels.dtype.kind == "f" or _is_unsigned(pixels)):
            raise self.refused(images, PIXELS)
        if not pixels.shape[0]:
            raise UsageError(f"{self.origin}: {images} is empty")
        if not 0 < len(numbers.shape) < 3 or numbers.shape[0] != pixels.shape[0] or numbers.dtype.kind not in "biuf":
            raise self.refused(labels, f"{pixels.shape[0]:,} whole numbers are expected, or as many one-hot rows")
        turned = self._are_channels_first(part, pixels.shape, shape)
        stored = sum(prod(header.shape) * header.dtype.itemsize for header in (pixels, numbers))
        changed = 0 if pixels.dtype == np.uint8 and not turned else prod(pixels.shape)
        return Plan(images, labels, turned, stored + changed)

    def _are_channels_first(self, part: str, found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
        """Raises UsageError where the network takes the images in neither form."""
        found = found if len(found) == 4 else (*found, 1)
        if found[-len(shape) :] == shape:
            return False
        if (*found[2:], found[1])[-len(shape) :] == shape:
            return True
        wanted = show(shape) + " channels" * (len(shape) == 1)
        raise UsageError(f"{self.origin}: the {part} images are {show(found[1:])}, but the network takes {wanted}")

    def shape_of(self, name: str) -> tuple[int, int, int]:
        """Height, width and channels of each image, as far as that can be told: colours are 1, 3 or 4."""
        found = self.header(name).shape
        if len(found) not in (3, 4):
            raise self.refused(name, PIXELS)
        height, width, channels = found[1:] if len(found) == 4 else (*found[1:], 1)
        if height in COLOURS and channels not in COLOURS:
            return width, channels, height
        return height, width, channels

    def labels(self, name: str) -> tuple[Labels, LabelKind]:
        """Labels as what they look like: classes, where they can be that, else flags or numbers."""
        try:
            return self._labels(name, "classes")[0], "classes"
        except LabelsError:
            stored = self.values(name)
            kind: LabelKind = "flags" if stored.ndim == 2 and ((stored == 0) | (stored == 1)).all() else "numbers"
            return self._labels(name, kind)[0], kind

    def read(self, plan: Plan, kind: LabelKind = "classes") -> Part:
        labels, classes = self._labels(plan.labels, kind)
        pixels, notes = self._pixels(plan)
        return Part(Images(pixels, labels), classes, notes)

    def _pixels(self, plan: Plan) -> tuple[Pixels, tuple[str, ...]]:
        """(n, H, W, C), and what was done to come to 8 bits."""
        stored = self.values(plan.images)
        note = self._change(plan.images, stored)
        stored = stored if stored.ndim == 4 else stored[..., None]
        stored = np.moveaxis(stored, 1, -1) if plan.are_channels_first else stored
        if stored.dtype == np.uint8:
            return np.ascontiguousarray(stored), ()
        pixels = np.empty(stored.shape, np.uint8)
        for start in range(0, len(pixels), AT_ONCE):
            pixels[start : start + AT_ONCE] = _eight_bits(stored[start : start + AT_ONCE])
        return pixels, (note,)

    def _change(self, name: str, stored: Array) -> str:
        """What becomes of other pixels than those of 8 bits; raises UsageError for floats that say something else."""
        if stored.dtype.kind == "u":
            return "the images are whole numbers of 16 bits, which are divided by 257: white is 65,535"
        if stored.dtype.kind == "f" and not (stored.min() >= 0 and stored.max() <= 1):
            span = f"from {stored.min():g} to {stored.max():g}"
            raise UsageError(f"{self.origin}: {name} has floats {span}, whose black and white are not known; {PIXELS}")
        return "the images are floats, which are multiplied by 255 and rounded: white is 1"

    def _labels(self, name: str, kind: LabelKind) -> tuple[Labels, int]:
        """Classes (n,), and how many they count; flags or numbers (n, k), and how many columns they have.

        Where flags are wanted, a single column holds classes, as for a sigmoid of one unit.
        """
        stored = self.values(name)
        if kind == "numbers":
            rows = stored.reshape(len(stored), -1).astype(np.float32)
            if not np.isfinite(rows).all():
                raise self.refused(name, "some of its numbers are not finite")
            return rows, rows.shape[1]
        if kind == "flags" and stored.ndim == 2 and stored.shape[1] != 1:
            if not ((stored == 0) | (stored == 1)).all():
                raise self.refused(name, "rows of 0 and 1 are expected, one number for each label", LabelsError)
            return stored.astype(np.float32), stored.shape[1]
        if stored.ndim == 2 and stored.shape[1] != 1:
            are_flags = bool(((stored == 0) | (stored == 1)).all())
            if not are_flags or not (stored.sum(axis=1, dtype=np.float64) == 1).all():
                learns = (
                    f"`loss: {SEVERAL}` learns several labels" if are_flags else f"`loss: {NUMBERS}` learns numbers"
                )
                expected = "a row of more than one number is taken where it is one-hot: one 1, else 0"
                raise self.refused(name, f"{expected}; {learns}", LabelsError)
            return stored.argmax(axis=1).astype(np.int32), stored.shape[1]
        flat = stored.reshape(-1)
        if flat.dtype.kind == "f" and not (np.isfinite(flat) & (flat == np.floor(flat))).all():
            raise self.refused(
                name,
                f"its numbers are not whole, and so do not count classes; `loss: {NUMBERS}` learns numbers",
                LabelsError,
            )
        lowest, highest = int(flat.min()), int(flat.max())
        if lowest < 0 or highest >= MAX_CLASSES:
            raise UsageError(
                f"{self.origin}: the labels in {name} go from {lowest:,} to {highest:,}; they count from 0, up to "
                f"{MAX_CLASSES - 1:,} at most"
            )
        return flat.astype(np.int32), highest + 1


def _is_unsigned(header: Header) -> bool:
    """Of 8 or 16 bits, in whichever order of bytes."""
    return header.dtype.kind == "u" and header.dtype.itemsize <= 2


def _eight_bits(values: Array) -> Array:
    """As image files of 16 bits, or of floats, become 8 bits."""
    if values.dtype.kind == "u":
        return (values.astype(np.uint32) + 128) // 257
    return values.astype(np.float32) * 255 + 0.5
