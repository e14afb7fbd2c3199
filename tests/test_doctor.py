"""`archbuilder doctor`: what is there, what is missing, and that nothing that is missing makes it fail."""

from __future__ import annotations

import json

import pytest

from archbuilder import doctor
from archbuilder.doctor import Check, Finding
from tests.processes import python

WITHOUT = """
import sys
for name in {names!r}:
    sys.modules[name] = None
sys.argv = ["archbuilder", "doctor", "--json"]
from archbuilder.cli import main
main()
"""


def doctor_without(*names: str) -> tuple[int, dict[str, Finding]]:
    """The exit code and the findings where these modules cannot be imported."""
    code = WITHOUT.replace("{names!r}", repr(names))
    done = python("-c", code)
    assert not done.stderr
    rows = json.loads(done.stdout)
    return done.returncode, {row["name"]: Finding(**{k: row[k] for k in row if k != "is_there"}) for row in rows}


def test_it_says_what_is_missing() -> None:
    code, findings = doctor_without("tensorflow", "keras", "jax", "sklearn", "pygraphviz", "PIL", "graphviz")
    assert code == 4
    missing = {name for name, finding in findings.items() if finding.is_needed and not finding.is_there}
    assert missing == {"TensorFlow", "Keras", "backend", "data: digits"}
    assert findings["Python"].is_there
    assert findings["TensorFlow"].advice == "pip install tensorflow"
    assert "pygraphviz" in findings["Graphviz"].advice


def test_what_is_broken_says_why() -> None:
    def look() -> str:
        raise OSError("libcudart.so is not there.\nand much more")

    finding = Check("GPUs", look, "install CUDA").finding()
    assert (finding.is_there, finding.advice) == (False, "libcudart.so is not there; install CUDA")


@pytest.mark.keras
def test_it_finds_what_is_there() -> None:
    findings = {finding.name: finding for finding in doctor.examine()}
    assert all(finding.is_there for finding in findings.values() if finding.is_needed)
    assert "1,797 images" in findings["data: digits"].found
    assert "auto takes" in findings["precision"].found
