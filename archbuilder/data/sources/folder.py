"""Image folders: files under `train/<class>/`, `val/<class>/` and `test/<class>/`, or right under `<class>/`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np

from archbuilder.data.dataset import Parts, Shape
from archbuilder.data.decoding import TAKEN
from archbuilder.data.sources.image_files import ImageFiles, Listing, Part, parts_in_memory
from archbuilder.data.sources.listing import children, is_folder, left_out, list_images, sub_folders
from archbuilder.errors import MissingError
from archbuilder.formatting import first_ten, printable

NAMES: dict[Part, tuple[str, ...]] = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""What the folder of a part may be called, in small letters."""
FORM = "an image folder has train/<class>/ and test/<class>/, or val/<class>/, or just <class>/"


def listed(path: Path, mode: str, takes_validation: bool = True, sets_test_apart: bool = False) -> Listing:
    """The files of a folder; classes are the names of its folders, sorted.

    Where there is no `test/` and none is set apart, `val/` is the test set. Where validation images are not taken,
    since they are to come from elsewhere, they are left out. Raises MissingError naming what is not there.
    """
    folder = locate(path)
    found, notes = parts_of(folder), list[str]()
    if not found:
        return _flat(folder, mode)
    if "test" not in found and "val" in found and not sets_test_apart:
        found["test"] = found.pop("val")
        notes.append(f"{printable(found['test'])}/ is the test set, since there is no test/")
    if not takes_validation:
        found.pop("val", None)
    classes = class_names(folder, found.values())
    parts, others = dict[Part, ImageFiles](), _beside(folder, found.values())
    for part, name in found.items():
        parts[part], beside = files(folder, name, classes, mode)
        others += beside
    return Listing(folder.resolve().name, str(folder), tuple(classes), parts, (*left_out(others), *notes))


def _flat(folder: Path, mode: str) -> Listing:
    """Folders of classes that lie right in a folder; those without images are left out.

    Raises MissingError where one of them is a part with classes of its own, and so none is a class.
    """
    for name in sub_folders(folder):
        if name.lower() in (*NAMES["val"], *NAMES["test"]) and _classes_right_in(folder / name):
            raise MissingError(f"there is no {printable(str(folder / 'train'))} beside {printable(name)}/: {FORM}")
    classes = _with_images(folder)
    train, others = files(folder, "", classes, mode)
    return Listing(folder.resolve().name, str(folder), tuple(classes), {"train": train}, tuple(left_out(others)))


def parts_of(folder: Path) -> dict[Part, str]:
    """The folder of each part that there is; none unless one of them holds the classes to learn.

    Raises MissingError where two folders would be one part.
    """
    there = sub_folders(folder)
    found = {part: [name for name in there if name.lower() in names] for part, names in NAMES.items()}
    if not any(sub_folders(folder / name) for name in found["train"]):
        return {}
    for part, several in found.items():
        if len(several) > 1:
            shown = " and ".join(f"{printable(name)}/" for name in several)
            raise MissingError(f"{shown} in {printable(str(folder))} would both be the {part} part: leave one")
    return {part: names[0] for part, names in found.items() if names}


def locate(path: Path) -> Path:
    """The folder itself, or the only image folder in it; raises MissingError naming what is not there."""
    shown = printable(str(path))
    if not path.is_dir():
        raise MissingError(f"{shown} is not a folder" if path.exists() else f"there is no {shown}")
    if parts_of(path) or (len(_with_images(path)) > 1 and not any(map(parts_of, _inside(path)))):
        return path
    inside = [place for place in _inside(path) if parts_of(place)]
    inside = inside or [place for place in _inside(path) if _classes_right_in(place)]
    if len(inside) == 1:
        return inside[0]
    if inside:
        names = first_ten([place.name for place in inside])
        raise MissingError(f"there are several image folders in {shown} ({names}): name one")
    if _with_images(path):
        return path
    raise MissingError(f"there are no folders of classes with images ({TAKEN}) in {shown}: {FORM}")


def _inside(path: Path) -> list[Path]:
    return [path / name for name in sub_folders(path)]


def _with_images(path: Path) -> list[str]:
    return [name for name in sub_folders(path) if list_images(path / name).images]


def _classes_right_in(path: Path) -> bool:
    """Whether folders in a folder have images, and it has none itself."""
    listing = list_images(path)
    return len(_with_images(path)) > 1 and all("/" in image for image in listing.images)


def class_names(folder: Path, parts: Collection[str]) -> list[str]:
    """The names of the classes, which are the same in all parts, of which the first is to learn from."""
    names = {part: sub_folders(folder / part) for part in parts}
    first = next(iter(names))
    if not names[first]:
        raise MissingError(f"there are no folders of classes in {printable(str(folder / first))}: {FORM}")
    for name in sorted({name for found in names.values() for name in found}):
        for part, found in names.items():
            if name not in found:
                absent = printable(str(folder / part / name))
                raise MissingError(f"there is no {absent}: each class has a folder in {' and in '.join(parts)}")
    return names[first]


def files(folder: Path, part: str, classes: Sequence[str], mode: str) -> tuple[ImageFiles, list[str]]:
    """The images of a part of a folder, class by class and by name, and what else is there.

    Raises MissingError where a class has none.
    """
    prefix = f"{part}/" if part else ""
    names, counts, others = list[str](), list[int](), _beside(folder / part, classes, prefix)
    for name in classes:
        listing = list_images(folder / part / name)
        if not listing.images:
            raise MissingError(f"there are no images ({TAKEN}) in {printable(str(folder / part / name))}")
        names += [f"{prefix}{name}/{image}" for image in listing.images]
        others += [f"{prefix}{name}/{other}" for other in listing.others]
        counts.append(len(listing.images))
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), counts)
    return ImageFiles(folder, tuple(names), labels, mode), others


def read_parts(folder: Path, classes: Sequence[str], shape: Shape) -> Parts:
    """The images under `train/` and `test/` whose classes are known, in their order, as is the size of each."""
    used = ("train", "test")
    (train, others), (test, test_others) = (files(folder, name, classes, "RGB") for name in used)
    return parts_in_memory(train, test, shape, left_out([*_beside(folder, used), *others, *test_others]))


def _beside(folder: Path, names: Collection[str], prefix: str = "") -> list[str]:
    """What is in a folder beside the folders of such names."""
    entries = [(entry.name, is_folder(entry)) for entry in children(folder)]
    return [f"{prefix}{name}{'/' * folds}" for name, folds in entries if name not in names or not folds]
