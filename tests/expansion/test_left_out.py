"""Layers that lead to no output are left out of a network, and named."""

from __future__ import annotations

from pathlib import Path

import pytest

import archbuilder
from archbuilder.graph.words import left_out
from archbuilder.spec import bundled
from tests.conftest import Call
from tests.zoo import graph_of

CASES = {
    "[stage1, stage2]": (67_008, "26 layers of stage3, head"),
    "[stem]": (512, "69 layers of stage1, stage2, stage3, head"),
    "[stage3]": (273_792, "4 layers of head"),
    "[stage1, head]": (274_442, ""),
}


@pytest.mark.parametrize("outputs", CASES)
def test_what_leads_to_no_output_is_left_out(outputs: str) -> None:
    graph = archbuilder.expand("resnet20_v1", [f"outputs={outputs}"])
    parameters, named = CASES[outputs]
    assert graph.parameters == parameters
    assert list(left_out(graph)) == ([f"no output depends on {named}: left out"] if named else [])
    assert {name for node in graph.nodes for name in node.inputs} <= {node.name for node in graph.nodes}


@pytest.mark.parametrize("name", bundled())
def test_bundled_networks_are_whole(name: str) -> None:
    assert graph_of(name).left_out == ()


@pytest.mark.parametrize(
    "line", ["build {spec}", "build {spec} --json", "draw {spec} -o {folder}/x.dot", "verify {spec}"]
)
def test_it_is_named_once_on_standard_error(call: Call, tmp_path: Path, line: str) -> None:
    spec = tmp_path / "mine.yaml"
    spec.write_text("archbuilder: 1\nextends: resnet20_v1\nname: mine\noutputs: [stage1, stage2]\n")
    done = call(*line.format(spec=spec, folder=tmp_path).split())
    assert done.err == "note: no output depends on 26 layers of stage3, head: left out\n"
