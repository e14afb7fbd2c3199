"""Images that lie encoded inside other files, and are decoded whenever they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Protocol

import numpy as np

from archbuilder.data.dataset import Indices, Labels
from archbuilder.data.decoding import check, decode
from archbuilder.data.reading import Tally, read_all
from archbuilder.errors import MissingError

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
    sums: tuple[bytes, ...]
    """The sha256 of each encoded image."""
    mode: str
    tally: Tally
    """What was found as all images of the store were read."""

    @classmethod
    def of(cls, store: Store, found: Iterable[tuple[bytes, int]], mode: str) -> EncodedImages:
        """All images of a store, given once with their labels."""
        labels, sums = list[int](), list[bytes]()

        def named() -> Iterator[tuple[bytes, str]]:
            for place, (image, label) in enumerate(found):
                labels.append(label)
                sums.append(sha256(image).digest())
                yield image, store.name(place)

        tally = read_all(lambda image: check(*image), named())
        if not labels:
            raise MissingError(f"there are no images in {store.name(0)}")
        return cls(store, np.arange(len(labels)), np.array(labels, np.int32), tuple(sums), mode, tally)

    @property
    def extent(self) -> str:
        return f"{len(self)} encoded"

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Indices) -> EncodedImages:
        sums = tuple(self.sums[index] for index in indices)
        return replace(self, places=self.places[indices], labels=self.labels[indices], sums=sums)

    def digests(self) -> list[bytes]:
        labels = self.labels.astype("<i4")
        return [sha256(label.tobytes() + image).digest() for label, image in zip(labels, self.sums, strict=True)]

    def image(self, index: int) -> Image.Image:
        place = int(self.places[index])
        return decode(self.store.read(place), self.mode, self.store.name(place))


def notes_of(train: EncodedImages, test: EncodedImages) -> list[str]:
    """What to say of how the images of a data set were read; raises MissingError that names those that cannot be."""
    tally = train.tally + test.tally
    tally.require_readable()
    return tally.notes()
