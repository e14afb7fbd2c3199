"""Specs of other people: in folders that are searched, and in installed packages, of which files are read and no more.

A package names itself under the entry-point group `archbuilder.specs`. It is found by its metadata and never imported.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal, get_args

from archbuilder import bounds
from archbuilder.disk_cache import specs_folder
from archbuilder.errors import MissingError
from archbuilder.formatting import printable

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

SEARCH_PATH = "ARCHBUILDER_PATH"
"""The environment variable that names folders to search."""
GROUP = "archbuilder.specs"
TemplateKind = Literal["units", "shortcuts"]
Kind = Literal["specs"] | TemplateKind
TEMPLATES = frozenset(get_args(TemplateKind))
"""The kinds of templates, which are also the folders that these lie in."""
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*", re.ASCII)
"""A part of a name. It begins with no dot, and so leads up to no folder."""


@dataclass(frozen=True)
class Collection:
    """A folder with specs of other people. Its units and shortcuts lie in folders of that name, anywhere in it."""

    folder: Path
    prefix: str = ""
    """What the names of a package's specs begin with, such as `acme/`."""
    package: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        return printable(f"{self.package} {self.version}" if self.package else str(self.folder))

    def find(self, kind: Kind, name: str) -> Path | None:
        """The file of a name, None where there is none; raises MissingError where it is a link that leads out."""
        if not name.startswith(self.prefix):
            return None
        *folders, last = name.removeprefix(self.prefix).split("/")
        if not all(map(_PART.fullmatch, (*folders, last))) or (kind == "specs" and TEMPLATES & {*folders}):
            return None
        path = self.folder.joinpath(*folders, *([] if kind == "specs" else [kind]), f"{last}.yaml")
        if not path.is_file():
            return None
        if not self._holds(path):
            raise MissingError(f"'{name}' is a link out of {self}, which is not followed")
        return path

    def names(self, kind: Kind) -> Iterator[str]:
        """The names that `find` knows."""
        for folder, folders, files in islice(os.walk(self.folder), bounds.SEARCHED_FOLDERS):
            folders[:] = sorted(one for one in folders if _PART.fullmatch(one) and one != "__pycache__")
            parts = Path(folder).relative_to(self.folder).parts
            if kind == "specs":
                folders[:] = [one for one in folders if one not in TEMPLATES]
            elif parts[-1:] == (kind,):
                parts = parts[:-1]
            else:
                continue
            for file in sorted(files):
                name, ending = os.path.splitext(file)
                if ending == ".yaml" and _PART.fullmatch(name) and self._holds(Path(folder, file)):
                    yield self.prefix + "/".join((*parts, name))

    def misnamed(self) -> Iterator[str]:
        """The YAML files whose names, or those of their folders, cannot be parts of a name."""
        for folder, folders, files in islice(os.walk(self.folder), bounds.SEARCHED_FOLDERS):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            parts = Path(folder).relative_to(self.folder).parts
            for file in sorted(files):
                name, ending = os.path.splitext(file)
                if ending == ".yaml" and name[0] != "." and not all(map(_PART.fullmatch, (*parts, name))):
                    yield "/".join((*parts, file))

    def _holds(self, path: Path) -> bool:
        return path.is_file() and path.resolve().is_relative_to(self.folder.resolve())


@dataclass(frozen=True)
class Refusal:
    """A package whose specs are not read, and why."""

    prefix: str
    why: str


def find(kind: Kind, name: str) -> Path | None:
    """The file of a spec, unit or shortcut of other people, None where there is none.

    Raises MissingError where its package is refused.
    """
    for folder in searched():
        if (path := folder.find(kind, name)) is not None:
            return path
    if "/" not in name:
        return None
    for one in packages():
        if isinstance(one, Refusal):
            if name.startswith(one.prefix):
                raise MissingError(one.why)
        elif (path := one.find(kind, name)) is not None:
            return path
    return None


def may_be(name: object) -> bool:
    """Whether it is worth looking for a unit or shortcut of this name: a package's has its prefix."""
    return isinstance(name, str) and len(name) <= bounds.NAME and ("/" in name or bool(search_path()))


def names(kind: Kind) -> tuple[str, ...]:
    """All names of a kind, each once: where there are several, the first collection goes before the others."""
    return tuple(dict.fromkeys(name for one in collections() for name in listed(one, kind)))


def listed(collection: Collection, kind: Kind) -> Iterator[str]:
    """The names of a kind in a collection, as many as are shown."""
    return islice(collection.names(kind), bounds.SEARCHED_SPECS)


def collections() -> tuple[Collection, ...]:
    """The folders that are searched, then the packages that are not refused."""
    return (*searched(), *(one for one in packages() if isinstance(one, Collection)))


def searched() -> tuple[Collection, ...]:
    """The folders of the search path that are there."""
    return tuple(Collection(folder) for folder in search_path() if folder.is_dir())


@contextmanager
def searching(folders: Sequence[Path]) -> Iterator[None]:
    """Lets folders be searched before all others, by this process and those that it starts."""
    before = os.environ.get(SEARCH_PATH, "")
    os.environ[SEARCH_PATH] = os.pathsep.join(filter(None, (*map(str, folders), before)))
    try:
        yield
    finally:
        os.environ[SEARCH_PATH] = before


def search_path() -> tuple[Path, ...]:
    return tuple(map(Path, filter(None, os.environ.get(SEARCH_PATH, "").split(os.pathsep))))


def packages() -> tuple[Collection | Refusal, ...]:
    """The installed packages that have specs, by their prefixes."""
    import sys

    return _packages(tuple(sys.path))


@cache
def _packages(_: tuple[str, ...]) -> tuple[Collection | Refusal, ...]:
    """Of the folders that Python looks for packages in, which rarely change."""
    from importlib.metadata import entry_points

    found: dict[str, Collection | Refusal] = {}
    for point in islice(entry_points(group=GROUP), bounds.SEARCHED_FOLDERS):
        one = _package(point)
        first = found.setdefault(one.prefix, one)
        if isinstance(first, Collection) and isinstance(one, Collection) and first != one:
            both = " and ".join(sorted(map(str, (first, one))))
            why = f"{both} both call their specs {one.prefix}...: uninstall one of them"
            found[one.prefix] = Refusal(one.prefix, why)
    return tuple(found[prefix] for prefix in sorted(found))


def _package(point: EntryPoint) -> Collection | Refusal:
    prefix, package = f"{point.name}/", point.dist
    name = "a package" if package is None else printable(f"{package.name} {package.version}")

    def refused(why: str) -> Refusal:
        return Refusal(prefix, f"the specs of {name} are not read: {why}")

    if not point.name.isidentifier() or not point.name.isascii() or len(point.name) > bounds.NAME:
        return refused(f"'{printable(point.name)}' is no name for them; letters, digits and _ are")
    if (specs_folder() / point.name).is_dir() or (specs_folder() / f"{point.name}.yaml").is_file():
        return refused(f"bundled specs are called {point.name}")
    if not point.value.isidentifier():
        return refused(f"its entry point is to name a top-level package, and not '{printable(point.value)}'")
    folder = None if package is None else _folder(package, point.value)
    if package is None or folder is None:
        return refused(f"its list of files has no folder {point.value}, and it is not installed from a folder that has")
    return Collection(folder, prefix, package.name, package.version)


def _folder(package: Distribution, name: str) -> Path | None:
    """The folder of a top-level package: as it is listed, or that of the project where it is installed to be edited."""
    if any(file.parts[:1] == (name,) and len(file.parts) > 1 for file in _files(package)):
        places = [Path(str(package.locate_file(name)))]
    else:
        project = _edited_project(package)
        places = [] if project is None else [project / "src" / name, project / name]
    return next((place for place in places if place.is_dir() and not place.is_symlink()), None)


def _files(package: Distribution) -> Sequence[PurePath]:
    """What the package's list of files names; nothing where it has none, or a damaged one."""
    try:
        return package.files or ()
    except (ValueError, TypeError, OSError, csv.Error):
        return ()


def _edited_project(package: Distribution) -> Path | None:
    """The folder that an editable installation noted (PEP 610)."""
    import json
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        noted = json.loads(package.read_text("direct_url.json") or "null")
        url = urlsplit(noted["url"])
        editable = noted["dir_info"]["editable"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    local = editable is True and url.scheme == "file" and url.netloc in ("", "localhost")
    return Path(url2pathname(url.path)) if local else None
