"""NumPy archives with x_train, y_train, x_test and y_test, as Keras writes its data sets, or with MedMNIST's names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from archbuilder.bounded_arrays import open_arrays
from archbuilder.bounded_files import BadFileError
from archbuilder.data.dataset import MAX_CLASSES, Dataset, Images, Labels, LabelsError, Parts, numbered
from archbuilder.data.sources.image_arrays import ImageArrays, Part
from archbuilder.data.sources.listing import only_file
from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import first_ten, printable
from archbuilder.graph.ops import show
from archbuilder.machine import hardware
from archbuilder.spec.data import LabelKind

Layout = dict[str, tuple[str, str]]
"""What the arrays of images and labels of each part are called."""
KERAS: Layout = {"training": ("x_train", "y_train"), "test": ("x_test", "y_test"), "validation": ("x_val", "y_val")}
MEDMNIST: Layout = {
    "training": ("train_images", "train_labels"), "test": ("test_images", "test_labels"),
    "validation": ("val_images", "val_labels"),
}  # fmt: skip
LAYOUTS = (KERAS, MEDMNIST)
WHOLE: tuple[Layout, ...] = ({"training": ("x", "y")}, {"training": ("X", "y")}, {"training": ("images", "labels")})
"""Those of archives without parts, of which a test set is to be set apart."""


def load(
    path: Path,
    shape: tuple[int, ...],
    labels: LabelKind = "classes",
    takes_validation: bool = True,
) -> Dataset:
    """The data set of an archive, or of the only archive in a folder; classes are named in `classes`, or numbered.

    So are the columns of flags and numbers. Validation images are left out where they are to come from elsewhere. It
    may have no test images.
    """
    file = only_file(path, ".npz", _is_archive)
    with _opened(file) as arrays:
        parts, notes = _read(arrays, shape, labels, takes_validation)
        train = parts["training"]
        classes = _class_names(arrays) or numbered(range(train.classes), arrays.origin)
    for name, part in parts.items():
        require(file, train.images, part.images, len(classes), shape, name)
    test, validation = parts.get("test"), parts.get("validation")
    found = Dataset.of(
        file.stem,
        classes,
        train.images,
        test.images if test else train.images.take(np.zeros(0, np.int64)),
        str(file),
        notes,
        validation.images if validation else None,
    )
    return replace(found, labels=labels if train.images.labels.ndim > 1 else "classes")


def read(file: Path, shape: tuple[int, ...]) -> Parts:
    """The training and the test images of an archive."""
    with _opened(file) as arrays:
        parts, notes = _read(arrays, shape, takes_validation=False, needs_test=True)
    return Parts(parts["training"].images, parts["test"].images, notes)


def count(path: Path) -> tuple[int, bool]:
    """How many training images there are, and whether there are others for validation.

    Only what the archive declares of them is read.
    """
    with _opened(only_file(path, ".npz", _is_archive)) as arrays:
        layouts = [layout for layout in (*LAYOUTS, *WHOLE) if layout["training"][1] in arrays]
        layout = layouts[0] if layouts else _layout(arrays)
        return arrays.header(layout["training"][1]).shape[0], all(
            name in arrays for name in layout.get("validation", [""])
        )


@dataclass(frozen=True, eq=False)
class Facts:
    """What is known of an archive without reading its images."""

    file: Path
    shape: tuple[int, int, int]
    """Of each image, channels last."""
    labels: Labels
    """Those of the training images."""
    kind: LabelKind
    """What these look like."""
    classes: tuple[str, ...]
    parts: frozenset[str]


def facts(path: Path) -> Facts:
    """Raises MissingError and UsageError where the archive is none of the forms that are taken."""
    file = only_file(path, ".npz", _is_archive)
    with _opened(file) as arrays:
        layout = _layout(arrays)
        images, name = layout["training"]
        shape = arrays.shape_of(images)
        arrays.plan("training", images, name, shape)
        labels, kind = arrays.labels(name)
        columns = labels.shape[1] if labels.ndim > 1 else int(labels.max()) + 1
        classes = _class_names(arrays) or numbered(range(columns), arrays.origin)
    return Facts(file, shape, labels, kind, tuple(classes), frozenset(layout))


def require(origin: Path, train: Images, found: Images, classes: int, shape: tuple[int, ...], part: str) -> None:
    """Raises UsageError unless labels lie below the number of classes and images have the input's shape.

    Of images at their own size, `shape` is no more than the input's channels.
    """
    if train.labels.ndim != found.labels.ndim:
        raise LabelsError(
            f"{printable(str(origin))}: one of training and {part} images have one class each, the others a row of "
            "labels"
        )
    if found.labels.ndim > 1 and found.labels.shape[1] != classes:
        columns = found.labels.shape[1]
        raise UsageError(
            f"{printable(str(origin))}: the {part} images have {columns} labels each, but {classes} are named"
        )
    if found.labels.ndim == 1 and len(found) and not (found.labels.min() >= 0 and found.labels.max() < classes):
        highest, lowest = found.labels.max(), found.labels.min()
        raise UsageError(
            f"{printable(str(origin))}: the labels of the {part} images go from {lowest} to {highest}; with "
            f"{classes} classes they go from 0 to {classes - 1}"
        )
    _require_shape(printable(str(origin)), part, found.pixels.shape, shape)


def _is_archive(path: Path) -> bool:
    return path.name.endswith(".npz")


def _require_shape(origin: str, part: str, found: tuple[int, ...], needed: tuple[int, ...]) -> None:
    if found[-len(needed) :] != needed:
        wanted = show(needed) + " channels" * (len(needed) == 1)
        raise UsageError(f"{origin}: the {part} images are {show(found[1:])}, but the network takes {wanted}")


@contextmanager
def _opened(file: Path) -> Iterator[ImageArrays]:
    """Raises MissingError where the file is no such archive; pickled objects are refused, not read."""
    shown = printable(str(file))
    try:
        with open_arrays(file) as arrays:
            yield ImageArrays(shown, arrays)
    except BadFileError as error:
        raise MissingError(f"{shown} cannot be read as a NumPy archive (.npz): {error}") from error


def _layout(arrays: ImageArrays, needs_test: bool = False) -> Layout:
    """The names of the parts that the archive has; raises MissingError with those that are missing of the likeliest."""
    whole = [layout for layout in LAYOUTS + WHOLE * (not needs_test) if _missing(arrays, layout, ["training"]) == []]
    layout = whole[0] if whole else min(LAYOUTS, key=lambda layout: len(_missing(arrays, layout, NEEDED)))
    begun = [part for part, names in layout.items() if any(name in arrays for name in names)]
    needed = [part for part in layout if part in begun or (part in NEEDED and (needs_test or not whole))]
    if missing := _missing(arrays, layout, needed):
        there = f", but {first_ten(arrays.names)}" if arrays.names else ""
        names = ", ".join(name for part in needed for name in layout[part])
        raise MissingError(f"{arrays.origin} has no {', '.join(missing)}{there}; there must be {names}")
    return {part: layout[part] for part in needed}


NEEDED = ("training", "test")


def _missing(arrays: ImageArrays, layout: Layout, parts: Iterable[str]) -> list[str]:
    return [name for part in parts for name in layout[part] if name not in arrays]


def _read(
    arrays: ImageArrays,
    shape: tuple[int, ...],
    labels: LabelKind = "classes",
    takes_validation: bool = True,
    needs_test: bool = False,
) -> tuple[dict[str, Part], tuple[str, ...]]:
    """All parts, looked at before any is read, and what a person should know of that."""
    layout = _layout(arrays, needs_test)
    if not takes_validation:
        layout.pop("validation", None)
    plans = {part: arrays.plan(part, *names, shape) for part, names in layout.items()}
    needed, memory = sum(plan.bytes for plan in plans.values()), hardware.memory()
    if memory is not None and needed > memory:
        raise MissingError(f"{arrays.origin} needs {needed:,} bytes of memory; this machine has {memory:,}")
    parts = {part: arrays.read(plan, labels) for part, plan in plans.items()}
    known = {name for names in layout.values() for name in names} | {"classes"}
    others = [name for name in arrays.names if name not in known]
    left_out = [f"left out of {arrays.origin}: {first_ten(others)}"] if others else []
    return parts, (*dict.fromkeys(note for part in parts.values() for note in part.notes), *left_out)


def _class_names(arrays: ImageArrays) -> list[str] | None:
    """Those that the archive names; raises UsageError where they are no list."""
    if "classes" not in arrays:
        return None
    header = arrays.arrays.header("classes")  # a single value, too, is told as no list of names
    if len(header.shape) != 1 or header.dtype.kind not in "SUiu" or header.shape[0] > MAX_CLASSES:
        raise arrays.refused("classes", "a list of names is expected, one for each class")
    names = arrays.values("classes").tolist()
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names]
