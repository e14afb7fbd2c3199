"""Published networks that one line makes of a bundled one: their counts."""

from __future__ import annotations

import pytest

import archbuilder
from archbuilder.graph import ops

STOCHASTIC = "unit={preactivated_basic: {before_sum: {stochastic_depth: {rate: '${0.5 * index / count}'}}}}"


@pytest.mark.parametrize(
    ("spec", "edits", "trainable"),
    [
        ("torchvision/resnet50", ("defaults.norm={over: group, groups: 32}",), 25_557_032),
        ("he2015/resnet56", ("defaults.norm={over: group, groups: 8}",), 853_018),
        ("he2016/resnet110", (STOCHASTIC,), 1_727_962),
    ],
)  # fmt: skip
def test_counts_are_those_that_were_published(spec: str, edits: tuple[str, ...], trainable: int) -> None:
    assert archbuilder.expand(spec, edits).trainable == trainable


def test_stochastic_depth_grows_linearly() -> None:
    """As in Huang et al. 2016, arXiv:1603.09382, section 4: unit l of L survives with probability 1 - 0.5 l / L."""
    graph = archbuilder.expand("he2016/resnet110", STOCHASTIC)
    rates = [node.op.rate for node in graph.nodes if isinstance(node.op, ops.StochasticDepth)]
    assert rates == pytest.approx([0.5 * unit / 54 for unit in range(1, 55)])
