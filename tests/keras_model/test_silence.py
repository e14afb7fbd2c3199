"""TensorFlow's notices are silent from Python, too, and whoever has loaded it before finds nothing changed."""

from __future__ import annotations

import subprocess
import sys

import pytest

CALLS = {
    "build": "import archbuilder; archbuilder.build('quickstart')",
    "expand, and open a run": "import archbuilder; archbuilder.expand('quickstart'); from archbuilder.training.run.folder import Run",
    "train": "import archbuilder, tempfile; archbuilder.train('quickstart', epochs=1, out=tempfile.mkdtemp())",
}


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_printed(call: str) -> None:
    done = run(CALLS[call])
    assert (done.stdout, done.stderr) == ("", "")


def test_what_was_loaded_before_is_left_as_it_is() -> None:
    code = "import os, tensorflow; before = dict(os.environ); from archbuilder.machine.loading import load_tensorflow; "
    code += "load_tensorflow(); assert dict(os.environ) == before"
    assert run(code).returncode == 0
