"""TensorFlow stays out of everything that does not compute with it, and imports go one way."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LIGHT = (
    "--help", "build --help", "export --help", "train --help", "list", "build resnet20_v1 --summary", "build resnet20_v1 --json",
    "validate resnet20_v1", "show resnet20_v1 --resolved", "schema", "draw resnet20_v1 -o {folder}/x.svg",
    "report resnet20_v1 -o {folder}/x.html",
    "completion bash", "schedule resnet20_v1 --json", "lint he2015/resnet20", "explain bottleneck", "list --units",
    "verify resnet20_v1 --against resnet20_v1", "diff he2015/resnet20 he2015/resnet20", "compare resnet20_v1 resnet20_v2",
    "family he2015/resnet20 --units 1,2",
)  # fmt: skip
HEAVY = ("tensorflow", "keras", "numpy", "sklearn")
MODELS = ("pydantic", "yaml")
SPY = """
import sys
from archbuilder.cli import main
for line in sys.argv[1:]:
    sys.argv = ["archbuilder", *line.split()]
    try:
        main()
    except SystemExit as end:
        assert not end.code, line
    print("AFTER", line, *(name for name in {heavy!r} if name in sys.modules), sep="|", file=sys.stderr)
"""
TELL = "print('AFTER', 'it', *(name for name in {heavy!r} if name in sys.modules), sep='|', file=sys.stderr)"


def heavy_modules(code: str, *lines: str, heavy: tuple[str, ...] = HEAVY) -> dict[str, list[str]]:
    """The heavy modules that are there after each command line, run one after the other in a process of its own."""
    command = [sys.executable, "-c", code.replace("{heavy!r}", repr(heavy)), *lines]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = [line.split("|")[1:] for line in done.stderr.splitlines() if line.startswith("AFTER|")]
    return {line: modules for line, *modules in told}


def test_light_commands_do_not_load_tensorflow(tmp_path: Path) -> None:
    """All in one process, which takes a second to begin."""
    lines = [line.format(folder=tmp_path) for line in LIGHT]
    assert heavy_modules(SPY, *lines) == {line: [] for line in lines}


def test_importing_archbuilder_is_light() -> None:
    assert heavy_modules(f"import sys, archbuilder\n{TELL}") == {"it": []}


def test_neither_importing_archbuilder_nor_help_builds_models() -> None:
    assert heavy_modules(f"import sys, archbuilder\n{TELL}", heavy=MODELS) == {"it": []}
    assert heavy_modules(SPY, "--help", "schema", heavy=MODELS) == {"--help": [], "schema": ["pydantic", "yaml"]}


def test_what_is_kept_is_printed_without_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    line = "build resnet20_v1 --summary"
    assert heavy_modules(SPY, line, heavy=MODELS) == {line: ["pydantic", "yaml"]}
    assert heavy_modules(SPY, line, heavy=MODELS) == {line: []}


def test_this_test_can_fail() -> None:
    assert heavy_modules(f"import sys, numpy\n{TELL}") == {"it": ["numpy"]}
