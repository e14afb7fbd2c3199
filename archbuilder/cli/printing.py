"""The one door to the terminal: what it would act on is shown as `?`, and only a terminal gets colours."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

import click

from archbuilder.errors import UsageError

_KIND = re.compile(r"(\S.*?: )?((?:error|warning)(?:\[[\w-]+\])?:)")
_COLOURS = {"e": "red", "w": "yellow"}


def say(text: object, err: bool = False) -> None:
    """Prints lines of text."""
    click.echo(_shown(str(text)), err=err)


def say_kept(specs: Sequence[str], edits: Sequence[str], of: str, make: Callable[[], str]) -> None:
    """Prints a text that follows from specs, edits and `of`: as it was kept, or as it is made now."""
    from archbuilder.disk_cache import kept_text

    say(kept_text(specs, edits, of, make))


def report(text: object, err: bool = True) -> None:
    """Prints errors or warnings, in colours on a terminal."""
    shown = _shown(str(text))
    click.echo(_coloured(shown) if _takes_colours(err) else shown, err=err)


def say_as_it_is(text: str) -> None:
    """Prints a document, such as a spec, byte for byte unless it is for a terminal."""
    click.echo(_shown(text) if _is_terminal(sys.stdout) else text.encode(), nl=False)


def write_document(content: bytes) -> None:
    """Writes a document byte for byte; a terminal gets text alone, through the door."""
    if not _is_terminal(sys.stdout):
        click.echo(content, nl=False)
        return
    try:
        say_as_it_is(content.decode())
    except UnicodeDecodeError:
        raise UsageError("that is no text for a terminal: write it to a file, or a pipe") from None


def terminal_width() -> int | None:
    """The columns of the terminal; None in a file or a pipe, where nothing needs to be folded."""
    return shutil.get_terminal_size().columns if _is_terminal(sys.stdout) else None


def _is_terminal(stream: TextIO | None) -> bool:
    """Whether a stream leads to a terminal; there is none where the shell has closed it."""
    return stream is not None and stream.isatty()


def _shown(text: str) -> str:
    from archbuilder.formatting import printable

    return "\n".join(map(printable, text.split("\n")))


def _takes_colours(err: bool) -> bool:
    stream = sys.stderr if err else sys.stdout
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return _is_terminal(stream) and not plain


def _coloured(text: str) -> str:
    return "\n".join(map(_coloured_line, text.split("\n")))


def _coloured_line(line: str) -> str:
    if line.startswith("  hint: "):
        return click.style(line, dim=True)
    if found := _KIND.match(line):
        kind = click.style(found[2], fg=_COLOURS[found[2][0]], bold=True)
        return f"{found[1] or ''}{kind}{line[found.end() :]}"
    return line
