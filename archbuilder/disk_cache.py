"""What takes long to compute and follows from the package alone, kept in the user's cache folder.

It changes nothing but time: what is missing, damaged, of another package or cannot be written is computed anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
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


def package_key() -> bytes:
    """A hash of the package's code, library and bundled specs, and so of its version."""
    package = Path(str(files("archbuilder")))
    specs = package.parent / "specs"  # in a checkout; in an installed package they lie inside it
    places = [package] if (package / "specs").is_dir() else [package, specs]
    digest = sha256()
    for file in sorted(file for place in places for kind in ("*.py", "*.yaml") for file in place.rglob(kind)):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package.parent).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest().encode()


@dataclass(frozen=True)
class Form(Generic[Thing]):
    """How a thing is kept as bytes; `load` raises ValueError where they are not of this form."""

    dump: Callable[[Thing], bytes]
    load: Callable[[bytes], Thing]


TEXT = Form(str.encode, bytes.decode)


def kept(name: str, make: Callable[[], Thing], form: Form[Thing], *, of: str = "") -> Thing:
    """A thing that follows from the package and `of` alone: as it was kept under this name, or made now."""
    key = package_key() if not of else sha256(package_key() + of.encode()).hexdigest().encode()
    if (content := read(name, key)) is not None:
        with suppress(ValueError):
            return form.load(content)
    made = make()
    write(name, key, form.dump(made))
    return made


def kept_text(of: str, make: Callable[[], str]) -> str:
    """A text that follows from the package and `of` alone.

    There are at most 256 files of such texts, since those whose names begin alike take each other's place.
    """
    return kept(f"{sha256(of.encode()).hexdigest()[:2]}.txt", make, TEXT, of=of)


def read(name: str, key: bytes) -> bytes | None:
    """What was kept under a name by a package with this key."""
    try:
        with (folder() / name).open("rb") as file:
            found, _, content = file.read(MAX_BYTES + 1).partition(b"\n")
    except (OSError, RuntimeError):  # RuntimeError: no home
        return None
    checksum, _, content = content.partition(b"\n")
    return content if found == key and checksum == _checksum(content) else None


def write(name: str, key: bytes, content: bytes) -> None:
    """Keeps it in place of what was kept under this name before."""
    whole = b"\n".join((key, _checksum(content), content))
    try:
        folder().mkdir(parents=True, exist_ok=True)
        replace_file(folder() / name, lambda path: path.write_bytes(whole))
    except (OSError, RuntimeError, ArchbuilderError):
        return


def _checksum(content: bytes) -> bytes:
    return sha256(content).hexdigest().encode()
