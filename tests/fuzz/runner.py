"""Runs cases of a kind in processes of their own for some time, and gathers what they brought to light."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.conftest import HERE
from tests.fuzz import runs
from tests.fuzz.kinds import KINDS

ALL = 10**9
_BATCH = 60.0
"""Seconds after which a process makes room for a fresh one."""
_MOST = 20
"""Findings after which a kind is left alone."""


@dataclass(frozen=True)
class Finding:
    """A case that ended otherwise than it may."""

    kind: str
    seed: int
    problem: str

    def __str__(self) -> str:
        return f"python -m tests.fuzz {self.kind} --seed {self.seed}\n{self.problem}"


@dataclass(frozen=True)
class Outcome:
    """How many cases there were, and what they brought to light."""

    cases: int
    findings: tuple[Finding, ...]


def fuzz(kind: str, first: int, seconds: float, most: int = ALL) -> Outcome:
    """Tries cases from a number on, for some time or so many of them."""
    end, seed, stop, found = time.monotonic() + seconds, first, first + most, list[Finding]()
    with TemporaryDirectory(prefix="fuzz") as scratch:
        environment = _environment(kind, Path(scratch))
        while (left := end - time.monotonic()) > 0 and seed < stop and len(found) < _MOST:
            last, some = _batch(kind, range(seed, stop), min(left, _BATCH), Path(scratch), environment)
            seed, found = last + 1, [*found, *some]
    return Outcome(seed - first, tuple(found))


def _environment(kind: str, scratch: Path) -> dict[str, str]:
    """That of the processes; for runs, a sound one is made or taken from where the variable says."""
    environment = dict(os.environ, PYTHONWARNINGS="default", TF_CPP_MIN_LOG_LEVEL="3")
    if KINDS[kind].needs_keras and runs.WHOLE not in environment:
        folder = scratch / "whole"
        code = "import sys, pathlib; from tests.fuzz.runs import make; make(pathlib.Path(sys.argv[1]))"
        subprocess.run(
            [sys.executable, "-c", code, folder], check=True, cwd=HERE.parent, env=environment, capture_output=True
        )
        environment[runs.WHOLE] = str(folder)
    return environment


def _batch(
    kind: str, cases: range, seconds: float, scratch: Path, environment: dict[str, str]
) -> tuple[int, list[Finding]]:
    """The last number that was tried, and what was found, the end of the process itself included."""
    place = scratch / str(cases.start)
    place.mkdir()
    done = _worked(place, seconds, environment, kind, cases.start, cases.stop)
    notes = list(_notes(place / "journal"))
    if not notes and done.returncode:
        raise AssertionError(f"no case was run: {done.stderr}")
    if not notes:  # the time was up before the first
        return cases.start - 1, []
    last = max(note["seed"] for note in notes)
    found = [Finding(kind, note["seed"], note["problem"]) for note in notes if "problem" in note]
    if done.returncode:
        where = (place / "log").read_text("utf-8")
        found.append(Finding(kind, last, f"the process ended with {done.returncode}\n{where}\n{done.stderr[-2000:]}"))
    return last, found


def sound_together(kinds: Mapping[str, int]) -> frozenset[str]:
    """The kinds of which one process tried so many cases without a finding, which starts one process, not one a kind."""
    with TemporaryDirectory(prefix="fuzz") as scratch:
        environment = dict(os.environ, PYTHONWARNINGS="default")
        arguments = chain.from_iterable((kind, 0, stop) for kind, stop in kinds.items())
        done = _worked(Path(scratch), ALL, environment, *arguments)
        notes = list(_notes(Path(scratch) / "journal"))
    tried = Counter(note["kind"] for note in notes)
    found = {note["kind"] for note in notes if "problem" in note}
    if done.returncode:
        return frozenset()
    return frozenset(kind for kind, stop in kinds.items() if tried[kind] == stop and kind not in found)


def _worked(
    place: Path, seconds: float, environment: Mapping[str, str], *kinds: object
) -> subprocess.CompletedProcess[str]:
    """What a process came to that tried kinds, each with the first of its cases and the one behind the last."""
    command = [sys.executable, "-m", "tests.fuzz.worker", *map(str, (place, seconds, *kinds))]
    return subprocess.run(
        command, cwd=HERE.parent, env=environment, capture_output=True, text=True, errors="replace", check=False
    )


def _notes(journal: Path) -> Iterator[dict[str, Any]]:
    if journal.exists():
        yield from map(json.loads, journal.read_text("utf-8").splitlines())
