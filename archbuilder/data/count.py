"""The number of training images, without reading them."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from archbuilder.data.sources import folder, npz, table
from archbuilder.errors import UsageError
from archbuilder.spec.data import (
    Cifar10,
    Cifar100,
    Csv,
    Data,
    Digits,
    ImageFolder,
    Npz,
    Source,
    Tfds,
    TfRecord,
    known_of,
)


def count(source: Source, path: Path) -> int:
    """The number of training images; raises MissingError where they are not there, or cannot be counted."""
    return _count(source, path)[0]


def learned_from(data: Data, path: Path) -> int:
    """How many of them are left, once test images and those for validation are set apart."""
    images, has_validation = _count(data.source, path, sets_test_apart=data.test is not None)
    images -= data.set_apart(images)
    return images if has_validation and data.validation is None else images - data.held_out(images)


def _count(source: Source, path: Path, sets_test_apart: bool = False) -> tuple[int, bool]:
    """The number of training images, and whether there is a part for validation."""
    match source:
        case ImageFolder():
            parts = folder.listed(path, "RGB", sets_test_apart=sets_test_apart).parts
            return len(parts["train"]), "val" in parts
        case Csv():
            parts = table.listed(path, source, "RGB").parts
            return len(parts["train"]), "val" in parts
        case Npz():
            return npz.count(path)
        case TfRecord() | Tfds():
            message = f"the images of a {source.kind} data set are counted only as it is read"
            raise UsageError(f"{message}: say with --images how many there are")
        case Digits() | Cifar10() | Cifar100():
            known = known_of(source)
            return known.train_images if known else 0, False
        case _:
            assert_never(source)
