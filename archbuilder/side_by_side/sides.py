"""What is compared: a network and its recipe, from a spec, a revision of git, a run or a Keras file."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.comparison.difference import Compared
from archbuilder.errors import UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.formatting import printable
from archbuilder.side_by_side.networks import Entry, SideBySide, side_by_side
from archbuilder.spec import Spec, bundled, edit, load
from archbuilder.spec.edits import Edits
from archbuilder.spec.files import DiskFile, beside, text_of
from archbuilder.spec.loading import load_file
from archbuilder.spec.network import Figure
from archbuilder.spec.revisions import revision_file

if TYPE_CHECKING:
    from archbuilder.training.run.curves import Curves

Subject = str | Path | Spec
"""The name or path of a spec, `REV:path`, the folder of a run, the path of a .keras file, or a loaded spec."""


def side(subject: Subject, edits: Edits = ()) -> Compared:
    """One side of a comparison; raises ArchbuilderError where it cannot be read."""
    if _is_keras_file(subject):
        return _of_keras_file(Path(str(subject)), edits)
    spec = _spec(subject, edits)
    return named(spec, f"{_name(subject)} as edited" if edits else _name(subject))


def _is_keras_file(subject: Subject) -> bool:
    return not isinstance(subject, Spec) and Path(subject).suffix == ".keras"


def _of_keras_file(path: Path, edits: Edits) -> Compared:
    from archbuilder.importing.keras_file import graph_of_keras_file

    if edits:
        raise UsageError(f"edits change a spec, and {printable(str(path))} is a Keras file")
    graph, notes = graph_of_keras_file(path, str(path))
    return Compared(graph, None, has_recipe=False, notes=tuple(f"{path}: {note}" for note in notes))


def _name(subject: Subject) -> str:
    return subject.name if isinstance(subject, Spec) else str(subject)


def named(spec: Spec, name: str) -> Compared:
    return Compared(replace(expand(spec), name=name), spec.training)


def _spec(subject: Subject, edits: Edits) -> Spec:
    if isinstance(subject, Spec):
        return edit(subject, edits) if edits else subject
    if (folder := run_folder(subject)) is not None:
        return _of_run(folder, edits)
    if not Path(subject).exists() and (file := revision_file(str(subject))) is not None:
        return load_file(file, edits)
    return load(subject, edits)


def run_folder(subject: Subject) -> Path | None:
    """The folder of a run, or of several; a bundled spec goes before a folder of its name."""
    if isinstance(subject, Spec) or (isinstance(subject, str) and subject in bundled()):
        return None
    return path if (path := Path(subject)).is_dir() else None


def _of_run(folder: Path, edits: Edits) -> Spec:
    from archbuilder.training.run.several import runs_in

    spec = runs_in(folder)[0].spec
    return edit(spec, edits) if edits else spec


def compared(subjects: Sequence[Subject], batch_size: int | None = None) -> SideBySide | Curves:
    """Networks beside each other, or what they learned where all are runs; raises ArchbuilderError as `side` does.

    `batch_size` is that of the memory of training, which curves do not have.
    """
    if not subjects:
        raise UsageError("there is nothing to compare: name specs or runs")
    folders = [folder for one in subjects if (folder := run_folder(one)) is not None]
    if len(folders) < len(subjects):
        return side_by_side([_entry(one) for one in subjects], batch_size)
    from archbuilder.training.run.curves import curves

    return curves(folders)


def _entry(subject: Subject) -> Entry:
    found = side(subject)
    return Entry(found.graph, found.recipe, published_of(subject))


def published_of(subject: Subject) -> tuple[Figure, ...]:
    """What was published for a subject."""
    return () if _is_keras_file(subject) else _spec(subject, ()).network.published


NO_FILE = "/dev/null"
"""What git passes for the side of a file that is new or deleted."""


@dataclass(frozen=True)
class _DriverFile:
    """A version of a file that git has put elsewhere; what it extends is taken from beside the file's own place."""

    path: Path
    place: Path
    name: str

    @property
    def key(self) -> Hashable:
        return self.name

    def text(self) -> str:
        return text_of(self.path)

    def beside(self, name: str) -> DiskFile:
        return beside(self.place.parent, name)


def driver_sides(arguments: Sequence[str]) -> tuple[str, Compared | None, Compared | None]:
    """The path and both sides of the arguments that git passes to an external diff; None for one that is not there.

    Those are path, old file, hash, mode, new file, hash, mode, and of a renamed file its new path and how it was
    renamed; of an unmerged one only the path.
    """
    match arguments:
        case [path]:
            return path, None, None
        case [path, old, _, _, new, _, _, *renamed] if len(renamed) in (0, 2):
            target = renamed[0] if renamed else path
            return target, _driver_side(old, path, f"a/{path}"), _driver_side(new, target, f"b/{target}")
        case _:
            raise UsageError("git passes seven arguments to an external diff: see docs/diff.md")


def _driver_side(file: str, path: str, name: str) -> Compared | None:
    return None if file == NO_FILE else named(load_file(_DriverFile(Path(file), Path(path), name)), name)
