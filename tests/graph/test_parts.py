"""Parts are named as in the summary, norms are all norms, and of parts within parts the smallest counts."""

from __future__ import annotations

import pytest

from archbuilder.expansion.expansion import expand
from archbuilder.graph.ops import Norm
from archbuilder.graph.parts import factor_of, hint_for, is_in, left
from archbuilder.spec import load

GRAPH = expand(load("quickstart"))
WEIGHTED = [node for node in GRAPH.nodes if node.weights]


def test_norms_are_all_norms_and_nothing_else() -> None:
    assert [is_in(node, ["norms"]) for node in WEIGHTED] == [isinstance(node.op, Norm) for node in WEIGHTED]


@pytest.mark.parametrize(
    ("frozen", "gone"),
    [
        (["stem"], {"stem"}),
        (["stage2"], {"stage2", "stage2/unit1"}),
        (["stage3/unit1/residual"], {"stage3/unit1/residual"}),
        (["norms"], {"norms"}),
        (["stem", "stage1", "stage2", "stage3", "head"], {"stem", "stage1/unit1", "norms", "head"}),
    ],
)
def test_what_is_left_of_a_network_with_frozen_parts(frozen: list[str], gone: set[str]) -> None:
    assert left(GRAPH, frozen) < left(GRAPH, ())
    assert gone <= left(GRAPH, ()) - left(GRAPH, frozen)
    assert "stage1x" not in left(GRAPH, ())


def test_the_factor_is_that_of_the_smallest_part() -> None:
    factors = {"norms": 5.0, "stage2": 2.0, "stage2/unit1/shortcut": 3.0}
    found = {node.name: factor_of(node, factors) for node in WEIGHTED}
    assert found["stem/conv1"] == 1
    assert found["stem/norm1"] == 5
    assert {one for name, one in found.items() if name.startswith("stage2/unit1/residual/")} == {2}
    assert {one for name, one in found.items() if name.startswith("stage2/unit1/shortcut/")} == {3}


def test_a_misspelt_part_is_suggested() -> None:
    assert "did you mean 'stage3'?" in hint_for(GRAPH, "stage9")
