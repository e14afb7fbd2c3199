"""Specs in revisions of a git repository, as git names them: `HEAD~3:specs/mine.yaml`."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from collections.abc import Hashable
from dataclasses import dataclass
from shutil import which

from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import printable
from archbuilder.spec.files import MOST_BYTES, OutOfReachError, decoded

SECONDS = 3
"""The longest that git may take for an answer."""
_NAME = re.compile(r"(?P<revision>(?:\{[^{}]*\}|[^:{}])*):(?P<path>.+\.ya?ml)", re.DOTALL)
"""A colon in braces, as in `HEAD^{/fix: typo}:mine.yaml`, belongs to the revision."""
_ALONE = {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
"""What keeps git from asking anybody, and from fetching what a partial clone lacks."""


@dataclass(frozen=True)
class RevisionFile:
    """A file of a revision; an empty revision is the index."""

    revision: str
    path: str
    """From the root of the repository, or, beginning with `./`, from the current folder."""

    @property
    def name(self) -> str:
        return f"{self.revision}:{self.path}"

    @property
    def key(self) -> Hashable:
        return (self.revision, self.path)

    def text(self) -> str:
        found = _object(self.name)
        size = int(_git("cat-file", "-s", found))
        if size > MOST_BYTES:
            raise MissingError(f"{self.name} is larger than {MOST_BYTES:,} bytes")
        return decoded(_git("cat-file", "blob", found), self.name)

    def beside(self, name: str) -> RevisionFile:
        inner = posixpath.normpath(name)
        if inner.startswith(("../", "/")):
            raise OutOfReachError("a spec extends bundled specs, or files in its own folder or below")
        folder, _, _ = self.path.rpartition("/")
        file = RevisionFile(self.revision, f"{folder}/{inner}" if folder else inner)
        try:
            _object(file.name)
        except MissingError:
            raise OutOfReachError(
                f"there is no file {name} beside this spec in {self.revision or 'the index'}"
            ) from None
        return file


def revision_file(text: str) -> RevisionFile | None:
    """The file that `REV:path` names, None for any other text; raises UsageError where REV would be an option."""
    found = _NAME.fullmatch(text)
    if found is None or "\n" in text or "\0" in text:
        return None
    if text.startswith("-"):
        raise UsageError(f"a revision does not begin with '-': {printable(text)}")
    return RevisionFile(found["revision"], found["path"])


def _object(name: str) -> str:
    """The id of the object that `REV:path` names, which no later command can take for an option."""
    try:
        return _git("rev-parse", "--verify", "--quiet", "--end-of-options", name).decode().strip()
    except MissingError:
        pass
    revision, _, path = name.partition(":")
    try:
        _git("rev-parse", "--git-dir")
    except MissingError:
        raise MissingError(f"this folder is in no git repository, so there is no {printable(name)}") from None
    raise MissingError(
        f"git knows no {printable(name)}\n  hint: the path is that from the root of the repository; one from here "
        f"begins with ./ : {printable(revision)}:./{printable(path)}"
    )


def _git(*arguments: str) -> bytes:
    """What git prints; raises MissingError where it refuses, takes too long, or is not there."""
    if (program := which("git")) is None:
        raise MissingError("to read a revision needs git, which is not installed")
    try:
        done = subprocess.run(  # noqa: S603
            [program, *arguments], capture_output=True, stdin=subprocess.DEVNULL, check=True, timeout=SECONDS,
            env={**os.environ, **_ALONE},
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise MissingError(f"git did not answer within {SECONDS} seconds") from None
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingError(f"git refuses: {error}") from None
    return done.stdout
