"""No input ends in a traceback, takes longer than ten seconds, or more than 2 GiB.

`ARCHBUILDER_FUZZ=600` looks for ten minutes, shared by the kinds; without it, the same few cases are tried each time.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import pytest

from tests.fuzz import runs
from tests.fuzz.case import chance
from tests.fuzz.kinds import KINDS
from tests.fuzz.runner import fuzz, sound_together

SECONDS = os.environ.get("ARCHBUILDER_FUZZ")
FEW, MANY = {"specs": 30, "edits": 20, "runs": 12}, 40
LIGHT = [name for name, kind in KINDS.items() if not kind.needs_keras]
HEAVY = [name for name, kind in KINDS.items() if kind.needs_keras]


def look(kind: str) -> None:
    outcome = fuzz(kind, 0, float(SECONDS) / len(KINDS)) if SECONDS else fuzz(kind, 0, 600, FEW.get(kind, MANY))
    print(f"{kind}: {outcome.cases:,} cases")
    assert not outcome.findings, "\n\n".join(map(str, outcome.findings))


@cache
def sound() -> frozenset[str]:
    """The light kinds without a finding, tried in one process; the others are looked at one by one."""
    return frozenset() if SECONDS else sound_together({kind: FEW.get(kind, MANY) for kind in LIGHT})


@pytest.mark.parametrize("kind", LIGHT)
def test_fuzz(kind: str) -> None:
    if kind not in sound():
        look(kind)


@pytest.mark.keras
@pytest.mark.parametrize("kind", HEAVY)
def test_fuzz_with_keras(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sound run is made here, where TensorFlow is loaded for others, too."""
    runs.make(tmp_path / "whole")
    monkeypatch.setenv(runs.WHOLE, str(tmp_path / "whole"))
    look(kind)


@pytest.mark.parametrize("kind", LIGHT)
def test_a_number_stands_for_one_case(kind: str) -> None:
    mutate = KINDS[kind].mutate
    one, again, other = (mutate(chance(kind, seed)) for seed in (3, 3, 4))
    assert one == again != other


FAULTS = {
    "traceback": "raise KeyError('x')", "memory": "bytearray(3 * 2**30)", "words": "print('Traceback', file=sys.stderr)",
    "controls": "print('\\x1b[31m')", "death": "os.abort()", "endless": "time.sleep(60)",
}  # fmt: skip


@pytest.mark.parametrize(
    "fault", [pytest.param(name, marks=[] if name == "endless" else pytest.mark.slow) for name in FAULTS]
)
def test_it_finds_what_it_looks_for(fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sound command in whose place a fault of each kind was put."""
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if sys.argv[:1] == ['-m']:\n"
        "    import os, time\n"
        "    def fault(*_):\n"
        f"        {FAULTS[fault]}\n"
        "    import tests.fuzz.commands as commands\n"
        "    commands.SECONDS = 1\n"
        "    commands.READERS['check'] = commands.READERS['decode'] = fault\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path.cwd()}")
    assert sound_together({"images": 2}) == frozenset()
    outcome = fuzz("images", 0, 60, 2)
    assert {finding.seed for finding in outcome.findings} == {0, 1}
