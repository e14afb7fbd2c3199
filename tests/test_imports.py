"""TensorFlow stays out of everything that does not compute with it, and imports go one way."""

from __future__ import annotations

import subprocess
import sys

import pytest

LIGHT = (
    "--help", "build --help", "train --help", "list", "build resnet20_v1 --summary", "build resnet20_v1 --json",
    "validate resnet20_v1", "show resnet20_v1 --resolved", "schema", "draw resnet20_v1 -o {folder}/x.svg",
    "completion bash",
)  # fmt: skip
HEAVY = ("tensorflow", "keras", "numpy", "sklearn")
SPY = """
import sys
from archbuilder.cli import main
sys.argv = ["archbuilder", *sys.argv[1:]]
try:
    main()
finally:
    print("HEAVY", *(name for name in {heavy!r} if name in sys.modules), file=sys.stderr)
"""


def heavy_modules(code: str, *arguments: str) -> list[str]:
    command = [sys.executable, "-c", code.replace("{heavy!r}", repr(HEAVY)), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stderr.rpartition("HEAVY")[2].split()


@pytest.mark.parametrize("line", LIGHT)
def test_light_commands_do_not_load_tensorflow(line: str, tmp_path: object) -> None:
    assert heavy_modules(SPY, *line.format(folder=tmp_path).split()) == []


def test_importing_archbuilder_is_light() -> None:
    assert heavy_modules("import sys, archbuilder\n" + SPY.splitlines()[-1].strip()) == []


def test_this_test_can_fail() -> None:
    assert heavy_modules("import sys, numpy\n" + SPY.splitlines()[-1].strip()) == ["numpy"]
