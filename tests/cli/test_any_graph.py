"""Every command on graphs that are not series-parallel."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from archbuilder.graph.network import Graph
from tests.conftest import Call
from tests.graphs import NAMED

EXPANDING = ("archbuilder.expansion.expansion", "archbuilder.linting.recipe", "archbuilder.validation",
             "archbuilder.training.run.folder")  # fmt: skip


@pytest.fixture(params=NAMED)
def graph(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Graph:
    """A graph made by hand, which every spec expands to."""
    make: Callable[[], Graph] = request.param
    graph = make()
    for module in EXPANDING:
        monkeypatch.setattr(f"{module}.expand", lambda spec: graph)
    return graph


def test_build(graph: Graph, tiny: Path, call: Call) -> None:
    for level in ("stage", "unit", "layer"):
        done = call("build", tiny, "--level", level)
        assert (done.code, done.err) == (0, "")
        total = next(line for line in done.out.splitlines() if line.startswith("total"))
        assert f" {graph.trainable:,} " in total


def test_json(graph: Graph, tiny: Path, call: Call) -> None:
    """Parts add up, and each layer is told once."""
    found = json.loads(call("build", tiny, "--json").out)
    names = [layer["name"] for layer in found["layers"]]
    assert sorted(names) == sorted(node.name for node in graph.nodes)
    units = [unit for stage in found["stages"] for unit in stage["units"]]
    for parts in (found["stages"], units, found["layers"]):
        assert sum(part["parameters"]["trainable"] for part in parts) == graph.trainable
        assert sum(part["macs"] for part in parts) == graph.macs
    assert [output["name"] for output in found["outputs"]] == list(graph.outputs)


def test_draw(graph: Graph, tiny: Path, call: Call, tmp_path: Path) -> None:
    for level in ("stage", "unit", "layer"):
        assert call("draw", tiny, "--level", level, "-o", tmp_path / f"{level}.svg").code == 0


def test_verify(graph: Graph, tiny: Path, call: Call) -> None:
    assert call("verify", tiny, "--against", tiny).code == 0
    assert call("verify", tiny, "--against", tiny, "--json").code == 0


def test_lint(graph: Graph, tiny: Path, call: Call) -> None:
    done = call("lint", tiny)
    many = len(graph.outputs) > 1
    assert ("many-outputs" in done.out + done.err) is many
    assert done.err == ""


def test_show_and_validate(graph: Graph, tiny: Path, call: Call) -> None:
    assert call("show", tiny).code == call("validate", tiny).code == 0


@pytest.mark.keras
def test_check_and_save(graph: Graph, tiny: Path, call: Call, tmp_path: Path) -> None:
    assert call("build", tiny, "--check").code == 0
    done = call("build", tiny, "-o", tmp_path / "x.keras")
    assert (done.code, (tmp_path / "x.keras").exists()) == (0, True)
    assert call("build", tiny, "--weights", tmp_path / "x.keras", "-o", tmp_path / "y.keras").code == 0
