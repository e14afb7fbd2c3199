"""A family that is trained: runs of each network, over seeds, and their curves in one picture."""

from __future__ import annotations

from pathlib import Path

import pytest

import archbuilder
from archbuilder.errors import UsageError
from archbuilder.side_by_side.ablation import Family


def test_a_family_is_trained_once(tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")

    def train(epochs: int) -> Family:
        return archbuilder.family(
            tiny, shortcuts=["none", "projection"], out=tmp_path / "family", train=True, seeds=2, epochs=epochs
        )

    found = train(1)
    assert found.runs is not None
    assert [(curve.name, curve.count, len(curve.points)) for curve in found.runs.curves] == [
        ("none", 2, 1), ("projection", 2, 1)
    ]  # fmt: skip
    results = sorted((tmp_path / "family" / "runs").glob("*/seed-*/result.json"))
    before = [path.stat().st_mtime_ns for path in results]
    assert len(before) == 4
    assert "<svg" in (tmp_path / "family" / "curves.svg").read_text()
    assert "| none |" in (tmp_path / "family" / "table.md").read_text()
    assert train(1).runs == found.runs
    assert [path.stat().st_mtime_ns for path in results] == before
    with pytest.raises(UsageError, match="another training"):
        train(2)
