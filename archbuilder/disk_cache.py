"""What takes long to compute and follows from the package alone, kept in the user's cache folder.

It changes nothing but time: what is missing, damaged, of another package or cannot be written is computed anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

from archbuilder.atomic_files import replace_file
from archbuilder.errors import ArchbuilderError

MAX_BYTES = 1_000_000


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


def kept(what: str, make: Callable[[], str]) -> str:
    """A text that follows from the package and `what` alone: as it was kept, or made now.

    There are at most 256 files of such texts, since those whose names begin alike take each other's place.
    """
    name = sha256(what.encode()).hexdigest()
    slot, key = f"{name[:2]}.txt", sha256(package_key() + name.encode()).hexdigest().encode()
    if (found := read(slot, key)) is not None:
        return found.decode()
    text = make()
    write(slot, key, text.encode())
    return text


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
