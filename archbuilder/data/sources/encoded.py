"""Images that lie encoded inside other files, and are decoded whenever they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

import numpy as np

from archbuilder.data.dataset import Indices, Labels
from archbuilder.data.decoding import check, decode
from archbuilder.data.reading import Reading, Seen, read_all, settle
from archbuilder.errors import MissingError
from archbuilder.spec.data import Unreadable

if TYPE_CHECKING:
    from PIL import Image


class Store(Protocol):
    """Encoded images by their place."""

    def read(self, place: int) -> bytes: ...

    def name(self, place: int) -> str:
        """The name of an image in error messages."""
        ...


@dataclass(frozen=True, eq=False)
class EncodedImages:
    """Some images of a store."""

    store: Store
    places: Indices
    labels: Labels
    encoded: tuple[bytes, ...]
    """The sha256 of each encoded image."""
    mode: str
    reading: Reading
    """What was found as all images of the store were read."""

    @classmethod
    def of(cls, store: Store, found: Iterable[tuple[bytes, int]], mode: str) -> EncodedImages:
        """All images of a store, given once with their labels."""
        labels, encoded = list[int](), list[bytes]()

        def named() -> Iterator[tuple[bytes, str]]:
            for place, (image, label) in enumerate(found):
                labels.append(label)
                encoded.append(sha256(image).digest())
                yield image, store.name(place)

        reading = read_all(lambda image: Seen(*check(*image)), named())
        if not labels:
            raise MissingError(f"there are no images in {store.name(0)}")
        return cls(store, np.arange(len(labels)), np.array(labels, np.int32), tuple(encoded), mode, reading)

    @property
    def extent(self) -> str:
        return f"{len(self)} encoded"

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Indices) -> EncodedImages:
        encoded = tuple(self.encoded[index] for index in indices)
        return replace(self, places=self.places[indices], labels=self.labels[indices], encoded=encoded)

    def digests(self) -> list[bytes]:
        labels = self.labels.astype("<i4")
        return [sha256(label.tobytes() + image).digest() for label, image in zip(labels, self.encoded, strict=True)]

    def sums(self) -> list[bytes]:
        seen = (self.reading.seen[place] for place in self.places)
        return [one.sum if one else b"" for one in seen]

    def name(self, index: int) -> str:
        return self.store.name(int(self.places[index]))

    def image(self, index: int) -> Image.Image:
        place = int(self.places[index])
        return decode(self.store.read(place), self.mode, self.store.name(place))


def readable(
    train: EncodedImages, test: EncodedImages, unreadable: Unreadable
) -> tuple[EncodedImages, EncodedImages, list[str]]:
    """The images that can be read, and what to say of how they were; raises MissingError as `settle` does."""
    notes = settle((train.reading, test.reading), unreadable)
    return train.take(train.reading.good), test.take(test.reading.good), notes
