"""What takes long to compute and follows from the package alone: shipped with it, or kept in the user's cache folder.

It changes nothing but time: what is missing, damaged, of another package or cannot be written is computed anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Generic, TypeVar

from archbuilder.atomic_files import replace_file
from archbuilder.errors import ArchbuilderError

MAX_BYTES = 1_000_000
Thing = TypeVar("Thing")


def folder() -> Path:
    """`XDG_CACHE_HOME/archbuilder`, or the place that the system has for such files."""
    chosen = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(chosen):
        return Path(chosen) / "archbuilder"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "archbuilder" / "Cache"
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "archbuilder"


def specs_folder() -> Path:
    """The folder of bundled specs: inside an installed package, beside it in a checkout."""
    package = Path(str(files("archbuilder")))
    inside = package / "specs"
    return inside if inside.is_dir() else package.parent / "specs"


def package_key() -> bytes:
    """A hash of the package's code, library and bundled specs, and so of its version."""
    return _key("*.py", "*.yaml")


def yaml_key() -> bytes:
    """A hash of the library and the bundled specs, the same wherever these lie."""
    return _key("*.yaml")


def _key(*kinds: str) -> bytes:
    package, specs, digest = Path(str(files("archbuilder"))), specs_folder(), sha256()
    names = {file: f"specs/{file.relative_to(specs).as_posix()}" for kind in kinds for file in specs.rglob(kind)}
    for file in (file for kind in kinds for file in package.rglob(kind)):
        names.setdefault(file, file.relative_to(package.parent).as_posix())
    for file, name in sorted(names.items(), key=itemgetter(1)):
        content = file.read_bytes()
        digest.update(f"{name} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest().encode()


@dataclass(frozen=True)
class Form(Generic[Thing]):
    """How a thing is kept as bytes; `load` raises ValueError where they are not of this form."""

    dump: Callable[[Thing], bytes]
    load: Callable[[bytes], Thing]


TEXT = Form(str.encode, bytes.decode)


def rows(kind: type[Thing]) -> Form[tuple[Thing, ...]]:
    """Several of a dataclass as JSON, one a line."""
    from pydantic import TypeAdapter  # here, since what prints a kept text needs none of it

    one = TypeAdapter(kind)
    several: TypeAdapter[tuple[Thing, ...]] = TypeAdapter(tuple[kind, ...])  # type: ignore[valid-type]

    def dump(things: tuple[Thing, ...]) -> bytes:
        return b"[\n" + b",\n".join(one.dump_json(thing, exclude_none=True) for thing in things) + b"\n]\n"

    return Form(dump, several.validate_json)


def shipped(name: str, make: Callable[[], Thing], form: Form[Thing]) -> Thing:
    """A thing that follows from the package alone: as it ships, or, with other specs or another library, as `kept`."""
    found = _loaded(form, _content(specs_folder() / name, yaml_key()))
    return kept(name, make, form) if found is None else found


def ship(name: str, content: bytes) -> None:
    """Makes it what ships under this name, of the library and the specs as they are."""
    (specs_folder() / name).write_bytes(_whole(yaml_key(), content))


def kept(name: str, make: Callable[[], Thing], form: Form[Thing], *, of: str = "") -> Thing:
    """A thing that follows from the package and `of` alone: as it was kept under this name, or made now."""
    key = package_key() if not of else sha256(package_key() + of.encode()).hexdigest().encode()
    if (found := _loaded(form, read(name, key))) is not None:
        return found
    made = make()
    write(name, key, form.dump(made))
    return made


def _loaded(form: Form[Thing], content: bytes | None) -> Thing | None:
    with suppress(ValueError):
        return None if content is None else form.load(content)
    return None


def kept_text(specs: Sequence[str], edits: Sequence[str], of: str, make: Callable[[], str]) -> str:
    """A text that follows from the package, from these specs as edited and from `of` alone.

    It is kept where all are bundled, and nothing is edited.

    There are at most 256 files of such texts, since those whose names begin alike take each other's place.
    """
    if edits or not all(map(is_bundled, specs)):
        return make()
    whole = f"{' '.join(specs)} {of}"
    return kept(f"{sha256(whole.encode()).hexdigest()[:2]}.txt", make, TEXT, of=whole)


def is_bundled(spec: str) -> bool:
    """Whether this is the name of a bundled spec, and not a file or the folder of a run."""
    parts = PurePosixPath(spec).parts
    return not {"..", "/"} & {*parts} and (specs_folder() / f"{spec}.yaml").is_file()


def read(name: str, key: bytes) -> bytes | None:
    """What was kept under a name by a package with this key."""
    try:
        return _content(folder() / name, key)
    except RuntimeError:  # no home
        return None


def _content(path: Path, key: bytes) -> bytes | None:
    try:
        with path.open("rb") as file:
            found, _, content = file.read(MAX_BYTES + 1).partition(b"\n")
    except OSError:
        return None
    checksum, _, content = content.partition(b"\n")
    return content if found == key and checksum == _checksum(content) else None


def write(name: str, key: bytes, content: bytes) -> None:
    """Keeps it in place of what was kept under this name before."""
    whole = _whole(key, content)
    try:
        folder().mkdir(parents=True, exist_ok=True)
        replace_file(folder() / name, lambda path: path.write_bytes(whole))
    except (OSError, RuntimeError, ArchbuilderError):
        return


def _whole(key: bytes, content: bytes) -> bytes:
    return b"\n".join((key, _checksum(content), content))


def _checksum(content: bytes) -> bytes:
    return sha256(content).hexdigest().encode()
