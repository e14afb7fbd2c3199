"""Every mistake is shown at its place: each bad spec beside the exact message that it gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from archbuilder.validation import validate
from tests.conftest import GOLDEN, Golden

BAD_SPECS = sorted(path.name for path in (GOLDEN / "errors").glob("*.yaml"))


def test_there_are_enough_of_them() -> None:
    assert len(BAD_SPECS) >= 30


@pytest.mark.parametrize("name", BAD_SPECS)
def test_message(name: str, golden: Golden, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(GOLDEN / "errors")
    verdict = validate(name)
    assert verdict.exit_code == 3
    golden(f"errors/{Path(name).stem}.txt", f"{verdict}\n")
