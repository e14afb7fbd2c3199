"""Other processes, and how long tests wait for what they do."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import monotonic, sleep

PATIENCE = 900
"""Seconds, of which an idle machine needs few: a bound for what hangs, which one ten times as busy does not reach."""


def run(
    *command: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """What a command came to, its exit code and all that it printed."""
    return subprocess.run(
        [*map(str, command)], capture_output=True, text=True, check=False, cwd=cwd, env=env, timeout=PATIENCE
    )


def python(
    *arguments: object, cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """The same for the Python that runs the tests."""
    return run(sys.executable, *arguments, cwd=cwd, env=env)


def printed_by(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Standard output and standard error of a process, once it has ended."""
    return process.communicate(timeout=PATIENCE)


def wait_for(is_there: Callable[[], bool]) -> None:
    end = monotonic() + PATIENCE
    while not is_there():
        assert monotonic() < end, f"it is not there after {PATIENCE} seconds"
        sleep(0.05)
