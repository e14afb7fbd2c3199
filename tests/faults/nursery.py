"""Processes that run archbuilder and may be killed, each forked from one that has imported TensorFlow and not used it.

Importing takes seconds, and all else of a small training takes one. `python -m tests.faults.nursery` reads a JSON line
for each child and writes its process id; for `null`, it waits for that child and writes its exit status.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tests.processes import PATIENCE, printed_by

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Ended:
    """What a process left behind: exit code, or minus the signal that ended it, and what it printed."""

    code: int
    out: str
    err: str


class Nursery:
    """One child at a time, which is killed where patience ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self, *arguments: object, before: str = "", out: str | None = None) -> int:
        """Runs `archbuilder ARGUMENTS`, after the Python code `before`; returns its process id."""
        self._out = out or str(self._folder / "out")
        self._say({"arguments": list(map(str, arguments)), "before": before, "out": self._out, "err": self._err})
        return int(self._hear())

    def wait(self) -> Ended:
        self._say(None)
        code = int(self._hear())
        out = Path(self._out).read_text("utf-8") if Path(self._out).is_file() else ""
        return Ended(code, out, Path(self._err).read_text("utf-8"))

    def run(self, *arguments: object, before: str = "", out: str | None = None) -> Ended:
        self.start(*arguments, before=before, out=out)
        return self.wait()

    def close(self) -> None:
        printed_by(self._server)

    @property
    def _err(self) -> str:
        return str(self._folder / "err")

    def _say(self, request: object) -> None:
        _write(self._server.stdin, request)

    def _hear(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline()


def _write(file: IO[str] | None, content: object) -> None:
    assert file is not None
    file.write(json.dumps(content) + "\n")
    file.flush()


def _serve() -> None:
    child = 0
    for line in sys.stdin:
        if request := json.loads(line):
            child = os.fork()
            if not child:
                _live(request)
            _write(sys.stdout, child)
        else:
            _write(sys.stdout, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _live(request: dict[str, Any]) -> None:
    """Never returns, and flushes its output as Python does at its end."""
    signal.alarm(PATIENCE)
    for number, path in enumerate((os.devnull, request["out"], request["err"])):
        os.dup2(os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC if number else os.O_RDONLY), number)
    os._exit(_code_of(request))


def _code_of(request: dict[str, Any]) -> int:
    from archbuilder.cli import main

    sys.argv = ["archbuilder", *request["arguments"]]
    try:
        exec(request["before"], {})
        main()
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        return 120
    return code


if __name__ == "__main__":
    import h5py  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import tensorflow as tf  # noqa: F401

    from archbuilder.training import loop  # noqa: F401

    signal.signal(signal.SIGINT, signal.default_int_handler)
    _serve()
