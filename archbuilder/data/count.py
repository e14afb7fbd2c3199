"""How many training images there are, without reading them."""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from archbuilder.data.sources import folder as data_folder
from archbuilder.data.sources import npz
from archbuilder.errors import UsageError
from archbuilder.spec import data as spec


def count(source: spec.Source, path: Path) -> int:
    """The number of training images; raises MissingError where they are not there, or cannot be counted."""
    match source:
        case spec.ImageFolder():
            folder = data_folder.locate(path)
            return len(data_folder.files(folder, "train", data_folder.class_names(folder), "RGB"))
        case spec.Npz():
            return npz.count(path)
        case spec.TfRecord() | spec.Tfds():
            message = f"the images of a {source.kind} data set are counted only as it is read"
            raise UsageError(f"{message}: say with --images how many there are")
        case spec.Digits() | spec.Cifar10() | spec.Cifar100():
            return spec.train_images(source) or 0
        case _:
            assert_never(source)
