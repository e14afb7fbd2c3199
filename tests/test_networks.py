"""A count is right when published = graph = Keras, exactly. The one table of published numbers."""

from __future__ import annotations

from typing import NamedTuple

import pytest

import archbuilder
from archbuilder.graph.analysis import depth
from archbuilder.keras_export import differences

REFERENCE = "Keras' CIFAR-10 ResNet example"
PAPER = "He et al. 2015, arXiv:1512.03385, section 4.2"


class Published(NamedTuple):
    """Trainable and total parameters, multiply-adds in millions (None: nowhere published), depth, and the source."""

    trainable: int
    total: int
    macs: float | None
    depth: int
    source: str


TABLE = {
    "resnet20_v1": Published(273_066, 274_442, 40.8, 20, REFERENCE),
    "resnet32_v1": Published(467_946, 470_218, 69.1, 32, REFERENCE),
    "resnet44_v1": Published(662_826, 665_994, 97.4, 44, REFERENCE),
    "resnet56_v1": Published(857_706, 861_770, 125.7, 56, REFERENCE),
    "resnet110_v1": Published(1_734_666, 1_742_762, 253.1, 110, REFERENCE),
    "resnet20_v2": Published(570_602, 574_090, 66.2, 20, REFERENCE),
    "resnet29_v2": Published(843_786, 849_002, None, 29, REFERENCE),
    "resnet56_v2": Published(1_663_338, 1_673_738, 193.1, 56, REFERENCE),
    "resnet110_v2": Published(3_302_442, 3_323_210, 383.4, 110, REFERENCE),
    "resnet164_v2": Published(4_941_546, 4_972_682, 573.8, 164, REFERENCE),
    "he2015/resnet20": Published(269_722, 271_098, 40.6, 20, PAPER),
    "he2015/resnet32": Published(464_154, 466_426, 68.9, 32, PAPER),
    "he2015/resnet44": Published(658_586, 661_754, 97.2, 44, PAPER),
    "he2015/resnet56": Published(853_018, 857_082, 125.5, 56, PAPER),
    "he2015/resnet110": Published(1_727_962, 1_736_058, 252.9, 110, PAPER),
    "he2015/plain20": Published(269_722, 271_098, 40.6, 20, PAPER),
    "he2015/plain32": Published(464_154, 466_426, 68.9, 32, PAPER),
    "he2015/plain44": Published(658_586, 661_754, 97.2, 44, PAPER),
    "he2015/plain56": Published(853_018, 857_082, 125.5, 56, PAPER),
    "he2015/plain110": Published(1_727_962, 1_736_058, 252.9, 110, PAPER),
    "he2015/resnet20 shortcut=projection": Published(272_474, 274_042, 40.8, 20, PAPER),
    "he2015/resnet56 shortcut=projection": Published(855_770, 860_026, 125.7, 56, PAPER),
    "he2015/resnet20 shortcut=projection_always": Published(283_962, 286_010, 42.6, 20, PAPER),
    "he2015/resnet56 shortcut=projection_always": Published(900_858, 906_938, 132.3, 56, PAPER),
}
# The projections of the reference code hold 16 * 32 + 32 and 32 * 64 + 64 parameters; a plain network has none.
PROJECTIONS = 16 * 32 + 32 + 32 * 64 + 64
for _depth in (20, 32, 44, 56, 110):
    _twin = TABLE[f"resnet{_depth}_v1"]
    TABLE[f"plain{_depth}_v1"] = Published(
        _twin.trainable - PROJECTIONS, _twin.total - PROJECTIONS, None, _depth, REFERENCE
    )


def graph_of(row: str) -> archbuilder.graph.network.Graph:
    name, _, edit = row.partition(" ")
    return archbuilder.graph(name, [edit] if edit else [])


@pytest.mark.parametrize("row", TABLE)
def test_published_is_graph(row: str) -> None:
    graph, published = graph_of(row), TABLE[row]
    assert (graph.trainable, graph.parameters, depth(graph)) == (published.trainable, published.total, published.depth)
    if published.macs is not None:
        assert round(graph.macs / 1e6, 1) == published.macs


@pytest.mark.keras
@pytest.mark.parametrize("row", TABLE)
def test_graph_is_keras(row: str) -> None:
    from archbuilder.keras_backend import build_model

    graph = graph_of(row)
    model = build_model(graph)
    assert differences(graph, model) == []
    assert model.count_params() == TABLE[row].total


@pytest.mark.parametrize("name", archbuilder.bundled())
def test_resolved_spec_loads_to_the_same_graph(name: str) -> None:
    spec = archbuilder.load(name)
    assert archbuilder.graph(archbuilder.load_text(spec.dump())) == archbuilder.graph(spec)
    assert archbuilder.load_text(spec.dump()).dump() == spec.dump()


@pytest.mark.parametrize("name", archbuilder.bundled())
def test_every_bundled_spec_says_what_it_is(name: str) -> None:
    network = archbuilder.load(name).network
    assert network.name == name
    assert network.summary
    assert network.source
