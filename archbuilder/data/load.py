"""The data set of a spec: found, read, checked, and parted for validation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TypeVar, assert_never

import numpy as np
import numpy.typing as npt

from archbuilder.data.dataset import Dataset, Images, Indices, Labels, Pictures, Shape
from archbuilder.data.decoding import mode_of
from archbuilder.data.sources import cifar, digits, folder, npz, table, tfds, tfrecord
from archbuilder.errors import UsageError
from archbuilder.formatting import counted, printable
from archbuilder.spec.data import (
    Cifar10,
    Cifar100,
    Csv,
    Data,
    Digits,
    Fold,
    Holdout,
    ImageFolder,
    LabelKind,
    Npz,
    OnTest,
    Tfds,
    TfRecord,
    Validation,
)

__all__ = ["Dataset", "Images", "Pictures", "alike", "load_data", "parted", "split", "with_test"]

SomePictures = TypeVar("SomePictures", bound=Pictures)


def load_data(
    data: Data, input_shape: Shape, path: Path | None, own_size: bool = False, labels: LabelKind = "classes"
) -> Dataset:
    """The data set of a spec, from `path` if that is given, in images of the network's input shape.

    Where they are wanted at their own size, they share only the input's channels; so do those of records and of large
    folders in any case. `labels` is what the loss learns from; only tables and archives hold more than classes. Raises
    MissingError where it is not there or damaged, UsageError where it is something else than the spec says.
    """
    source, takes_validation = data.source, data.validation is None
    if own_size:
        mode_of(input_shape)  # they pass through Pillow
    shape = input_shape[2:] if own_size else input_shape
    match source:
        case Digits():
            if path is not None:
                raise UsageError("the digits come with scikit-learn: there is no other place to read them from")
            return digits.load((digits.SIDE, digits.SIDE, input_shape[2]) if own_size else input_shape)
        case Cifar10():
            return cifar.load(cifar.CIFAR10, shape, path)
        case Cifar100():
            return cifar.load(cifar.CIFAR100, shape, path)
        case ImageFolder():
            found = folder.listed(_given(path, source), mode_of(input_shape), takes_validation, data.test is not None)
            return found.read(input_shape, own_size, data.on_unreadable)
        case Csv():
            found = table.listed(_given(path, source), source, mode_of(input_shape), labels, takes_validation)
            return found.read(input_shape, own_size, data.on_unreadable)
        case Npz():
            return npz.load(_given(path, source), shape, labels, takes_validation)
        case TfRecord():
            return tfrecord.load(_given(path, source), input_shape, data.on_unreadable)
        case Tfds():
            return tfds.load(source.name, path, input_shape, data.on_unreadable)
        case _:
            assert_never(source)


def _given(path: Path | None, source: ImageFolder | Csv | Npz | TfRecord) -> Path:
    if path is not None:
        return path
    if source.path is None:
        raise UsageError(f"where does the data lie? --data PATH says it, or `{source.kind}: {{path: ...}}` in the spec")
    return Path(source.path)


TEST_SEED = 0
"""Test images are set apart alike whatever the seed of a run, so that the same images judge runs of several seeds."""


def with_test(found: Dataset, data: Data) -> Dataset:
    """A data set with its test images set apart from those to learn from, where they are to be."""
    if data.test is None:
        return found
    train, test = split(found.train, data.test, TEST_SEED)
    return replace(found, train=train, test=test)


def parted(found: Dataset, data: Data, seed: int) -> tuple[Pictures, Pictures]:
    """The images to learn from and those for validation, of a data set that has its test images."""
    if found.validation is not None:
        return found.train, found.validation
    train, held_out = split(found.train, data.validation or Holdout(), seed)
    return train, found.test if isinstance(data.validation, OnTest) else held_out


def split(train: SomePictures, validation: Validation, seed: int) -> tuple[SomePictures, SomePictures]:
    """The images left for training and those held out, each in their old order; with `test`, none are held out.

    A held-out part takes the same share of each class, as nearly as whole images can.
    """
    match validation:
        case OnTest():
            return train, train.take(np.zeros(0, np.int64))
        case Holdout():
            chosen = _stratified(strata(train.labels), validation.count(len(train)), seed)
        case Fold():
            chosen = _dealt(strata(train.labels), validation, seed)
        case _:
            assert_never(validation)
    return train.take(np.flatnonzero(~chosen)), train.take(np.flatnonzero(chosen))


def _dealt(labels: npt.NDArray[np.int32], fold: Fold, seed: int) -> npt.NDArray[np.bool_]:
    """Which of the images are in a fold: shuffled, then dealt one by one, class after class."""
    fold.count(len(labels))
    random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, 0xF01D])))
    shuffled = random.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    chosen = np.zeros(len(labels), np.bool_)
    chosen[by_class[fold.number - 1 :: fold.of]] = True
    return chosen


MOST_PAIRS = 3
"""How many images that are alike are named."""


def alike(train: Pictures, test: Pictures) -> list[str]:
    """A note of the test images that stand among those to learn from, too, with the same pixels."""
    learned = {found: index for index, found in reversed(list(enumerate(train.sums())))}
    pairs = [(index, learned[found]) for index, found in enumerate(test.sums()) if found in learned]
    if not pairs:
        return []
    names = [(printable(test.name(one)), printable(train.name(other))) for one, other in pairs[:MOST_PAIRS]]
    told = [f"{one} is {other}" for one, other in names if one and other]
    rest = [f"and {len(pairs) - MOST_PAIRS:,} more"] if told and len(pairs) > MOST_PAIRS else []
    stand = "stands" if len(pairs) == 1 else "stand"
    named = f": {', '.join([*told, *rest])}" if told else ""
    count = f"{len(pairs):,} of {counted(len(test), 'test image')}"
    return [f"{count} {stand} among the training images as well, pixel by pixel{named}"]


def strata(labels: Labels) -> npt.NDArray[np.int32]:
    """What images are parted by, (n,): their classes; those of flags or numbers are all alike."""
    return labels.astype(np.int32) if labels.ndim == 1 else np.zeros(len(labels), np.int32)


def _stratified(labels: npt.NDArray[np.int32], count: int, seed: int) -> npt.NDArray[np.bool_]:
    """Which of the images are held out; largest remainders decide where shares are not whole."""
    random = np.random.RandomState(np.random.MT19937(np.random.SeedSequence([seed, 0x5011])))  # a stream of its own
    shares = np.bincount(labels) * (count / len(labels))
    quotas = np.floor(shares).astype(np.int64)
    most_left = np.argsort(quotas - shares, kind="stable")
    quotas[most_left[: count - quotas.sum()]] += 1
    chosen = np.zeros(len(labels), np.bool_)
    for label, quota in enumerate(quotas):
        members: Indices = np.flatnonzero(labels == label)
        chosen[random.permutation(members)[:quota]] = True
    return chosen
