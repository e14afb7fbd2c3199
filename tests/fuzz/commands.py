"""Runs a case in this process, as the command line would, and says what was wrong with it."""

from __future__ import annotations

import io
import resource
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unicodedata import category

import numpy as np

from archbuilder.errors import ArchbuilderError
from archbuilder.spec import data
from tests.fuzz.case import Case

SECONDS = 10
ROOM = 2**31
"""How much memory a case may take beyond what the process has."""
_CODES = frozenset({0, 1, 2, 3, 4, 5})
_ACTED_ON = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Characters that turn the order of others, which a terminal acts on, as it does on controls."""
_FOREIGN = (
    "Traceback",
    "while parsing",
    "while scanning",
    "expected <",
    "validation error",
    "Input should be",
    "pydantic",
    "[Errno",
    "more memory than there is",
)
"""What no message says: other people's wording, and that memory ran out where it had been bounded."""


def problem(case: Case) -> str | None:
    """What a case brought to light, if anything; its files lie in the folder that is the current one."""
    printed, said = io.BytesIO(), io.BytesIO()
    out = io.TextIOWrapper(printed, "utf-8", "strict", newline="")
    err = io.TextIOWrapper(said, "utf-8", "backslashreplace", newline="")
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = _run(case.command)
    except BaseException:  # whatever it is, it is what is looked for
        return traceback.format_exc()
    out.flush()
    err.flush()
    return _wrong(code, printed.getvalue().decode(), said.getvalue().decode(), case.command[0] == "show")


def _wrong(code: int, out: str, err: str, is_file: bool) -> str | None:
    if code not in _CODES:
        return f"exit code {code}\n{err}"
    bad = _ACTED_ON - {*out} if is_file else _ACTED_ON
    if raw := {c for c in out + err if c in bad or (category(c) == "Cc" and c not in "\n\t")}:
        return f"characters {sorted(raw)} reached the terminal\n{out[-500:]}\n{err[-500:]}"
    if code and not err and not out:
        return f"exit code {code} without a word"
    if foreign := [word for word in _FOREIGN if word in err]:
        return f"{foreign[0]} in a message\n{err}"
    return None


def _run(command: tuple[str, ...]) -> int:
    if reader := READERS.get(command[0]):
        try:
            reader(*command[1:])
        except ArchbuilderError as error:
            print(error, file=sys.stderr)
            return error.exit_code
        return 0
    from archbuilder.cli import main

    sys.argv = ["archbuilder", *command]
    try:
        main()
    except SystemExit as ended:
        return int(ended.code or 0)
    raise AssertionError("main returned")


def _decode(path: str, channels: str) -> None:
    from archbuilder.data.decoding import MODES, decode
    from archbuilder.data.framing import frame
    from archbuilder.spec.framing import Resize

    pixels = frame(decode(Path(path), MODES[int(channels)]), (Resize(),), (8, 8))
    assert pixels.shape == (8, 8, int(channels))


def _check(path: str, _: str) -> None:
    from archbuilder.data.decoding import check

    assert check(Path(path))[0] in (1, 8, 12, 16, 32)


def _load(source: str, path: str, shape: str, own: str = "") -> None:
    """Loads a data set, and looks at an image of it."""
    from archbuilder.data.load import load_data

    height, width, channels = map(int, shape.split(","))
    found = load_data(
        data.Data.model_construct(source=SOURCES[source]), (height, width, channels), Path(path), bool(own)
    )
    assert len(found.train) == len(found.train.labels)
    assert 0 <= int(np.min(found.train.labels)) <= int(np.max(found.train.labels)) < len(found.classes)
    assert found.fingerprint


def _count(source: str, path: str) -> None:
    from archbuilder.data.count import count

    assert count(SOURCES[source], Path(path)) >= 0


def _plain(path: str) -> None:
    """What stands before PyTorch's own reader."""
    from archbuilder.bounded_files import BadFileError
    from archbuilder.weights.torch_file import _require_plain

    try:
        _require_plain(Path(path))
    except BadFileError as error:
        raise ArchbuilderError(str(error)) from error


SOURCES: dict[str, data.Source] = {
    "npz": data.Npz(), "image_folder": data.ImageFolder(), "cifar10": data.Cifar10(), "cifar100": data.Cifar100(),
}  # fmt: skip
READERS: dict[str, Callable[..., None]] = {
    "decode": _decode,
    "check": _check,
    "load": _load,
    "count": _count,
    "plain": _plain,
}


def bound_memory() -> None:
    """Whatever needs more than `ROOM` from now on gets a MemoryError."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + ROOM, resource.RLIM_INFINITY))
