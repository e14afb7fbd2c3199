"""NumPy archives with x_train, y_train, x_test and y_test, as Keras writes its data sets, or with MedMNIST's names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from archbuilder.bounded_arrays import open_arrays
from archbuilder.bounded_files import BadFileError
from archbuilder.data.dataset import MAX_CLASSES, Dataset, Images, LabelsError, Parts, numbered
from archbuilder.data.sources.image_arrays import ImageArrays, Part
from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import first_ten, printable
from archbuilder.graph.ops import show
from archbuilder.machine import hardware
from archbuilder.spec.data import LabelKind

KERAS = {"training": ("x_train", "y_train"), "test": ("x_test", "y_test")}
MEDMNIST = {"training": ("train_images", "train_labels"), "test": ("test_images", "test_labels")}
LAYOUTS = (KERAS, MEDMNIST)
"""What the arrays are called: images and labels of each part."""


def load(path: Path, shape: tuple[int, ...], labels: LabelKind = "classes") -> Dataset:
    """The data set of an archive, or of the only archive in a folder; classes are named in `classes`, or numbered.

    So are the columns of flags and numbers.
    """
    file = _file(path)
    with _opened(file) as arrays:
        train, test, notes = _read(arrays, shape, labels)
        classes = _class_names(arrays) or numbered(range(train.classes), arrays.origin)
    require(file, train.images, test.images, len(classes), shape)
    return Dataset.of(
        file.stem,
        classes,
        train.images,
        test.images,
        str(file),
        notes,
        labels if train.images.labels.ndim > 1 else "classes",
    )


def read(file: Path, shape: tuple[int, ...]) -> Parts:
    """The training and the test images of an archive."""
    with _opened(file) as arrays:
        train, test, notes = _read(arrays, shape)
    return Parts(train.images, test.images, notes)


def count(path: Path) -> int:
    """How many training images there are; only what the archive declares of them is read."""
    with _opened(_file(path)) as arrays:
        labels = [layout["training"][1] for layout in LAYOUTS if layout["training"][1] in arrays]
        return arrays.header(labels[0] if labels else _layout(arrays)["training"][1]).shape[0]


def require(origin: Path, train: Images, test: Images, classes: int, shape: tuple[int, ...]) -> None:
    """Raises UsageError unless labels lie below the number of classes and images have the input's shape.

    Of images at their own size, `shape` is no more than the input's channels.
    """
    if train.labels.ndim != test.labels.ndim:
        raise LabelsError(
            f"{printable(str(origin))}: one of training and test images have one class each, the others a row of labels"
        )
    for part, found in (("training", train), ("test", test)):
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


def _require_shape(origin: str, part: str, found: tuple[int, ...], needed: tuple[int, ...]) -> None:
    if found[-len(needed) :] != needed:
        wanted = show(needed) + " channels" * (len(needed) == 1)
        raise UsageError(f"{origin}: the {part} images are {show(found[1:])}, but the network takes {wanted}")


def _file(path: Path) -> Path:
    shown = printable(str(path))
    if not path.is_dir():
        if not path.exists():
            raise MissingError(f"there is no {shown}")
        return path
    files = sorted(path.glob("*.npz"))
    if len(files) != 1:
        many = f"are several .npz files in {shown}: name one of them" if files else f"is no .npz file in {shown}"
        raise MissingError(f"there {many}")
    return files[0]


@contextmanager
def _opened(file: Path) -> Iterator[ImageArrays]:
    """Raises MissingError where the file is no such archive; pickled objects are refused, not read."""
    shown = printable(str(file))
    try:
        with open_arrays(file) as arrays:
            yield ImageArrays(shown, arrays)
    except BadFileError as error:
        raise MissingError(f"{shown} cannot be read as a NumPy archive (.npz): {error}") from error


def _layout(arrays: ImageArrays) -> dict[str, tuple[str, str]]:
    """The names that the archive has all of; raises MissingError with those that are missing of the likeliest."""
    missing = [[name for part in layout.values() for name in part if name not in arrays] for layout in LAYOUTS]
    least = min(range(len(LAYOUTS)), key=lambda index: len(missing[index]))
    if missing[least]:
        needed = ", ".join(name for part in LAYOUTS[least].values() for name in part)
        there = f", but {first_ten(arrays.names)}" if arrays.names else ""
        raise MissingError(f"{arrays.origin} has no {', '.join(missing[least])}{there}; there must be {needed}")
    return LAYOUTS[least]


def _read(
    arrays: ImageArrays, shape: tuple[int, ...], labels: LabelKind = "classes"
) -> tuple[Part, Part, tuple[str, ...]]:
    """Both parts, looked at before either is read, and what a person should know of that."""
    layout = _layout(arrays)
    plans = [arrays.plan(part, *layout[part], shape) for part in layout]
    needed, memory = sum(plan.bytes for plan in plans), hardware.memory()
    if memory is not None and needed > memory:
        raise MissingError(f"{arrays.origin} needs {needed:,} bytes of memory; this machine has {memory:,}")
    train, test = (arrays.read(plan, labels) for plan in plans)
    known = {name for part in layout.values() for name in part} | {"classes"}
    others = [name for name in arrays.names if name not in known]
    left_out = [f"left out of {arrays.origin}: {first_ten(others)}"] if others else []
    return train, test, (*dict.fromkeys([*train.notes, *test.notes]), *left_out)


def _class_names(arrays: ImageArrays) -> list[str] | None:
    """Those that the archive names; raises UsageError where they are no list."""
    if "classes" not in arrays:
        return None
    header = arrays.arrays.header("classes")  # a single value, too, is told as no list of names
    if len(header.shape) != 1 or header.dtype.kind not in "SUiu" or header.shape[0] > MAX_CLASSES:
        raise arrays.refused("classes", "a list of names is expected, one for each class")
    names = arrays.values("classes").tolist()
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name) for name in names]
