"""The number of training images, without reading them."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from archbuilder.data.sources import folder, npz
from archbuilder.errors import UsageError
from archbuilder.spec.data import Cifar10, Cifar100, Digits, ImageFolder, Npz, Source, Tfds, TfRecord, known_of


def count(source: Source, path: Path) -> int:
    """The number of training images; raises MissingError where they are not there, or cannot be counted."""
    match source:
        case ImageFolder():
            place = folder.locate(path)
            return len(folder.files(place, "train", folder.class_names(place), "RGB"))
        case Npz():
            return npz.count(path)
        case TfRecord() | Tfds():
            message = f"the images of a {source.kind} data set are counted only as it is read"
            raise UsageError(f"{message}: say with --images how many there are")
        case Digits() | Cifar10() | Cifar100():
            known = known_of(source)
            return known.train_images if known else 0
        case _:
            assert_never(source)
