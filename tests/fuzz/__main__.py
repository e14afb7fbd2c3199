"""`python -m tests.fuzz [KIND...] [--seconds N] [--first N]` looks for faults; `KIND --seed N` shows one case again."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from pathlib import Path
from tempfile import mkdtemp

from tests.fuzz.case import chance
from tests.fuzz.commands import READERS, problem
from tests.fuzz.kinds import KINDS
from tests.fuzz.runner import fuzz


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--seconds", type=float, default=60, help="how long in all")
    parser.add_argument("--first", type=int, help="the number of the first case; by default, it is of the clock")
    parser.add_argument("--seed", type=int, help="run this case alone, and leave its files where they are")
    given = parser.parse_args()
    if given.seed is not None:
        sys.exit(again(given.kinds[0], given.seed))
    kinds = given.kinds or list(KINDS)
    first = int(time.time()) * 1_000 if given.first is None else given.first
    found = 0
    for kind in kinds:
        outcome = fuzz(kind, first, given.seconds / len(kinds))
        print(f"{kind}: {outcome.cases:,} cases, {len(outcome.findings)} findings", flush=True)
        print(*outcome.findings, sep="\n\n", flush=True)
        found += len(outcome.findings)
    sys.exit(found > 0)


def again(kind: str, seed: int) -> int:
    """Runs one case in this process and leaves its files."""
    case, folder = KINDS[kind].mutate(chance(kind, seed)), Path(mkdtemp(prefix=f"{kind}-{seed}-"))
    case.write(folder)
    os.chdir(folder)
    start = time.monotonic()
    found = problem(case)
    command = " ".join(map(shlex.quote, case.command if case.command[0] in READERS else ("archbuilder", *case.command)))
    print(f"cd {folder}\n{command}\n{found or 'nothing is wrong'}\n{time.monotonic() - start:.1f} seconds")
    return int(bool(found))


if __name__ == "__main__":
    main()
