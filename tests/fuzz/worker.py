"""The process that runs cases one after the other, and may be ended by one of them: `python -m tests.fuzz.worker`."""

from __future__ import annotations

import faulthandler
import json
import os
import shutil
import sys
import time
from pathlib import Path
from typing import TextIO

from tests.fuzz.case import Kind, chance
from tests.fuzz.commands import SECONDS, bound_memory, problem
from tests.fuzz.kinds import KINDS

WITH_KERAS = 60
"""Seconds for commands of TensorFlow, which compile."""


def work(name: str, cases: range, seconds: float, scratch: Path) -> None:
    """Runs the cases of some numbers until the time is up; notes each before it is run, and what came of it."""
    kind, end = KINDS[name], time.monotonic() + seconds
    _warm_up(kind)
    bound_memory()
    with (
        (scratch / "journal").open("a", encoding="utf-8") as journal,
        (scratch / "log").open("w+", encoding="utf-8") as log,
    ):
        for seed in cases:
            if time.monotonic() > end:
                break
            _note(journal, kind=name, seed=seed)
            if found := attempt(kind, name, seed, scratch / "case", log):
                _note(journal, kind=name, seed=seed, problem=found)


def attempt(kind: Kind, name: str, seed: int, folder: Path, log: TextIO) -> str | None:
    """What one case brought to light; where it takes too long, the process ends and says where it was."""
    case = kind.mutate(chance(name, seed))
    folder.mkdir()
    case.write(folder)
    before = Path.cwd()
    os.chdir(folder)
    log.seek(0)
    log.truncate()
    faulthandler.dump_traceback_later(WITH_KERAS if kind.needs_keras else SECONDS, exit=True, file=log)
    try:
        return problem(case)
    finally:
        faulthandler.cancel_dump_traceback_later()
        os.chdir(before)
        shutil.rmtree(folder)


def _note(journal: TextIO, **facts: object) -> None:
    journal.write(json.dumps(facts) + "\n")
    journal.flush()


def _warm_up(kind: Kind) -> None:
    """Loads what is loaded once, which takes memory that is not the case's."""
    if kind.needs_keras:
        from archbuilder.machine.loading import load_tensorflow

        load_tensorflow()


def main() -> None:
    scratch, seconds, *kinds = sys.argv[1:]
    os.environ["KERAS_HOME"] = str(Path(scratch) / "keras")
    os.environ["XDG_CACHE_HOME"] = str(Path(scratch) / "cache")
    for name, first, last in zip(*[iter(kinds)] * 3, strict=True):
        work(name, range(int(first), int(last)), float(seconds), Path(scratch))


if __name__ == "__main__":
    main()
