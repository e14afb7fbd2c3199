"""Data sets of TensorFlow Datasets, by name; the package is an extra."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from archbuilder.data.dataset import Dataset, Shape
from archbuilder.data.decoding import mode_of
from archbuilder.data.sources.encoded import EncodedImages, readable
from archbuilder.errors import MissingError, UsageError
from archbuilder.spec.data import Unreadable


def load(name: str, path: Path | None, input_shape: Shape, unreadable: Unreadable) -> Dataset:
    """The data set of a name, kept in `path` or where the package keeps it, and prepared there if it is not yet."""
    mode, tfds = mode_of(input_shape), _package()
    try:
        builder = tfds.builder(name, data_dir=path and str(path), file_format="array_record")
        builder.download_and_prepare()
        features, splits = builder.info.features, builder.info.splits
        decoders = {"image": tfds.decode.SkipDecoding()}
        parts = [builder.as_data_source(split=part, decoders=decoders) for part in ("train", _test(name, splits))]
    except UsageError:
        raise
    except Exception as error:  # whatever a name that is not there, or a download that fails, makes it raise
        raise MissingError(f"TensorFlow Datasets cannot give '{name}': {error}") from error
    if not {"image", "label"} <= set(features):
        raise UsageError(f"'{name}' of TensorFlow Datasets has no images with labels, but {', '.join(features)}")
    train, test = (_images(EncodedExamples(name, part), mode) for part in parts)
    train, test, notes = readable(train, test, unreadable)
    origin = f"TensorFlow Datasets in {builder.data_dir}"
    return Dataset.of(name, features["label"].names, train, test, origin, notes)


@dataclass(frozen=True, eq=False)
class EncodedExamples:
    """A part of a data set, whose images stay encoded."""

    dataset: str
    examples: Sequence[Any]

    def read(self, place: int) -> bytes:
        return bytes(self.examples[place]["image"])

    def name(self, place: int) -> str:
        return f"image {place} of {self.dataset}"


def _images(source: EncodedExamples, mode: str) -> EncodedImages:
    examples = (source.examples[place] for place in range(len(source.examples)))
    return EncodedImages.of(source, ((bytes(one["image"]), int(one["label"])) for one in examples), mode)


def _test(name: str, splits: Any) -> str:
    """The test images, or where there are none (or none with labels, as in ImageNet) those of validation."""
    for part in ("validation", "test") if name.startswith("imagenet") else ("test", "validation"):
        if part in splits:
            return part
    raise UsageError(f"'{name}' of TensorFlow Datasets has neither test nor validation images")


def _package() -> Any:
    try:
        import tensorflow_datasets
    except ImportError:
        raise MissingError("TensorFlow Datasets is not installed: pip install 'archbuilder[tfds]'") from None
    return tensorflow_datasets
