"""A look at somebody's images before a spec is written for them: how many of what, how large, and in which layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from archbuilder.data.dataset import Labels
from archbuilder.data.decoding import Glance, glance
from archbuilder.data.sources import folder, npz, table
from archbuilder.data.sources.image_files import ImageFiles, Listing
from archbuilder.data.sources.listing import children
from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import first_ten, printable
from archbuilder.spec.data import Csv, LabelKind

LOOKED_AT = 1_000
"""The number of images whose headers are read."""
FORMS = "a folder of classes, a table (.csv) with the columns path and label, or an archive (.npz) is expected"


@dataclass(frozen=True)
class Sizes:
    """The sizes of some images, in pixels."""

    height: int
    """The median; so is the width."""
    width: int
    least: int
    """The shortest side of all."""
    most: int
    """The longest."""

    @property
    def are_alike(self) -> bool:
        return (self.least, self.most) == (min(self.height, self.width), max(self.height, self.width))


@dataclass(frozen=True, eq=False)
class Survey:
    """What is known of a data set."""

    source: str
    """The kind of source that reads it."""
    path: Path
    kind: LabelKind
    classes: tuple[str, ...]
    """The names of classes, or of the columns of flags or numbers."""
    labels: Labels
    """Those of the images that there are to learn from, of which some may yet be set apart."""
    has_test: bool
    has_validation: bool
    sizes: Sizes
    channels: int
    notes: tuple[str, ...] = ()

    @property
    def images(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> tuple[int, ...]:
        """The images of each class, or with each label; of numbers, all."""
        if self.kind == "numbers":
            return (self.images,) * len(self.classes)
        if self.labels.ndim > 1:
            return tuple(int(count) for count in (self.labels == 1).sum(axis=0))
        return tuple(int(count) for count in np.bincount(self.labels, minlength=len(self.classes)))


def survey(path: Path) -> Survey:
    """Looks at a folder, a table or an archive; raises MissingError and UsageError where it is none that is read."""
    match _source(path):
        case "npz":
            return _of_archive(path)
        case "csv":
            return _of_files("csv", path, table.listed(path, Csv(), "RGB"))
        case _:
            return _of_files("image_folder", path, folder.listed(path, "RGB"))


def _source(path: Path) -> str:
    shown = printable(str(path))
    if not path.exists():
        raise MissingError(f"there is no {shown}: {FORMS}")
    if not path.is_dir():
        if table.is_table(path):
            return "csv"
        if path.suffix.lower() == ".npz":
            return "npz"
        raise UsageError(f"{shown} is neither: {FORMS}")
    if not _is_folder_of_classes(path):
        names = [Path(entry.name) for entry in children(path)]
        if any(table.is_table(name) for name in names):
            return "csv"
        if any(name.suffix.lower() == ".npz" for name in names):
            return "npz"
    return "image_folder"


def _is_folder_of_classes(path: Path) -> bool:
    try:
        return len(folder.listed(path, "RGB").classes) > 1
    except MissingError:
        return False


def _of_archive(path: Path) -> Survey:
    found = npz.facts(path)
    height, width, channels = found.shape
    sizes = Sizes(height, width, min(height, width), max(height, width))
    has_test, has_validation = ("test" in found.parts), ("validation" in found.parts)
    return Survey("npz", path, found.kind, found.classes, found.labels, has_test, has_validation, sizes, channels)


def _of_files(source: str, path: Path, listing: Listing) -> Survey:
    files, parts = listing.parts["train"], listing.parts
    seen, problems = _glances(files)
    if not seen:
        raise MissingError(f"none of the images in {printable(str(path))} can be read: {first_ten(problems, '; ')}")
    unreadable = [f"{len(problems):,} of {len(seen) + len(problems):,} images that were looked at cannot be read: "
                  f"{first_ten(problems, '; ')}"] if problems else []  # fmt: skip
    channels = 3 if any(one.has_colour for one in seen) else 1
    return Survey(
        source, path, listing.labels, listing.classes, files.labels, "test" in parts, "val" in parts,
        _sizes(seen), channels, (*listing.notes, *unreadable),
    )  # fmt: skip


def _glances(files: ImageFiles) -> tuple[list[Glance], list[str]]:
    """What the headers of some images say, evenly spread, and why others have none."""
    seen, problems = list[Glance](), list[str]()
    count = min(len(files), LOOKED_AT)
    for index in np.arange(count) * len(files) // count:
        try:
            seen.append(glance(files.folder / files.names[index]))
        except MissingError as error:
            problems.append(str(error))
    return seen, problems


def _sizes(seen: Sequence[Glance]) -> Sizes:
    heights, widths = [one.height for one in seen], [one.width for one in seen]
    return Sizes(int(median(heights)), int(median(widths)), min(*heights, *widths), max(*heights, *widths))
