"""Small random networks: whatever the language says, the graph and Keras agree on shapes, counts and outputs."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archbuilder
from archbuilder.errors import SpecError
from archbuilder.graph import ops
from archbuilder.graph.network import Graph
from archbuilder.spec.document import dump

SIZE = st.integers(1, 3)
PADDING = st.sampled_from(["same", "symmetric", "valid", 1, [[0, 1], [2, 0]]])
FUNCTIONS = ["relu", "relu6", "elu", "gelu", "silu", "hard_sigmoid", "hard_silu", "sigmoid", "softplus", "tanh"]


def named(name: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries(fields).map(lambda given: {name: given})


LAYER: st.SearchStrategy[Any] = st.one_of(
    named("conv", filters=st.sampled_from([2, 4]), kernel=SIZE, stride=SIZE, padding=PADDING, bias=st.booleans()),
    named("conv", filters=st.just(4), kernel=SIZE, dilation=st.sampled_from([2, [1, 2]])),
    named("conv", filters=st.just("$channels"), kernel=st.just(3), groups=st.just("$channels")),
    named("max_pool", size=SIZE, stride=SIZE, padding=PADDING),
    named("average_pool", size=SIZE, stride=SIZE, padding=PADDING),
    named("subsample", stride=SIZE),
    named("pad", amount=st.sampled_from([1, [0, 2], [[1, 0], [0, 2]]])),
    named("pad_channels", channels=st.integers(4, 6)),
    named("scale", factor=st.floats(-2, 2, width=16)),
    named(
        "scale", factor=st.floats(-2, 2, width=16), learned=st.sampled_from(["channel", "scalar"]), bias=st.booleans()
    ),
    named("norm", over=st.sampled_from(["batch", "layer", "instance"])),
    named("norm", over=st.just("group"), groups=SIZE),
    named("slice_channels", start=st.integers(0, 2), stop=st.integers(3, 4)),
    named("shuffle_channels", groups=SIZE),
    named("upsample", factor=SIZE, method=st.sampled_from(["nearest", "bilinear"])),
    named("conv_transpose", filters=st.just(4), kernel=SIZE, stride=SIZE, padding=PADDING, bias=st.booleans()),
    named("pad", amount=st.sampled_from([1, [0, 2], [[1, 0], [0, 5]]]), mode=st.sampled_from(["reflect", "edge"])),
    named("leaky_relu", slope=st.floats(0, 2, width=16)),
    named("prelu", slope=st.floats(-2, 2, width=16), shared=st.booleans()),
    named("conv", filters=st.just(4), kernel=SIZE, initializer=st.just({"constant": 0.1})),
    named("local_response_norm", size=st.sampled_from([3, 5])),
    st.sampled_from(["norm", *FUNCTIONS, {"dropout": {"rate": 0.5}}, {"stochastic_depth": {"rate": 0.5}}]),
)
PASSED: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        ["none", "norm", "tanh", [], ["relu"], ["norm", "silu"], {"conv": {"filters": "$channels", "kernel": 1}}]
    ),
    st.lists(LAYER, max_size=2),
    st.sampled_from(
        [[{"point": "mine"}, "relu", {"concat": {"a": [], "b": {"from": "mine"}}}], {"passing": {"tail": "gelu"}}]
    ),
)
WAY = st.sampled_from(
    ["identity", "none", "projection", [], ["norm"], {"from": "input"}, {"from": "before", "layers": ["tanh"]}]
)
TEMPLATES = {"units": {"passing": {
    "parameters": {"tail": ["relu"], "way": "identity", "width": "${max(2, floor(channels / 2))}"},
    "layers": [
        {"add": {"a": [{"conv": {"filters": "$channels", "kernel": 3}}, "$tail"], "b": "$way"}}, {"point": "here"},
        {"conv": {"filters": "$width", "kernel": 1}}, {"concat": {"c": [], "d": {"from": "here"}}},
    ],
}}}  # fmt: skip
UNIT = PASSED.flatmap(lambda tail: WAY.map(lambda way: {"passing": {"tail": tail, "way": way}})) | st.sampled_from([
    {"basic": {"filters": 4}}, {"bottleneck": {"filters": 2, "stride": 2, "stride_on": "spatial"}},
    {"preactivated_basic": {"filters": 4, "shortcut": "zero_pad"}},
    {"preactivated_bottleneck": {"filters": 2, "shortcut": "projection_always", "preactivate": False}},
    {"basic": {"filters": 4, "norm": [], "attention": ["silu"], "shortcut": {"projection": {"norm": []}}}},
    {"bottleneck": {"filters": 8, "expansion": 0.5, "shortcut": [{"conv": {"filters": 4, "kernel": 1}}]}},
])  # fmt: skip
SAME_SHAPE = st.lists(st.sampled_from(["norm", "relu", {"conv": {"filters": "$channels", "kernel": 3}}]), max_size=3)
MERGE = st.one_of(
    st.tuples(SAME_SHAPE, SAME_SHAPE).map(lambda paths: {"add": {"a": paths[0], "b": paths[1]}}),
    st.tuples(SAME_SHAPE, SAME_SHAPE).map(lambda paths: {"concat": {"a": paths[0], "b": paths[1]}}),
    SAME_SHAPE.map(lambda path: {"gate": {"transform": path, "carry": [], "gate": ["sigmoid"]}}),
    st.just({"multiply": {"features": [], "weights": ["global_average_pool", "sigmoid"]}}),
    SIZE.map(
        lambda kernel: {
            "multiply": {
                "features": [],
                "weights": ["global_max_pool", {"channel_conv": {"kernel": kernel}}, "sigmoid"],
            }
        }
    ),
    st.sampled_from(["average", "max"]).map(
        lambda method: {"multiply": {"features": [], "places": [{"channel_pool": method}, "sigmoid"]}}
    ),
    SAME_SHAPE.map(lambda path: {"concat": {"a": path, "b": {"from": "before"}}}),
    st.sampled_from([{"from": "before"}, {"from": "input", "layers": ["norm"]}]),
)
SPECS = st.lists(LAYER | UNIT | MERGE, min_size=1, max_size=6).map(
    lambda layers: {"archbuilder": 1, "name": "random", "input": [9, 8, 3], "templates": TEMPLATES,
                    "stem": [*layers[:1], {"point": "before"}, *layers[1:]],
                    "head": ["global_average_pool", {"dense": {"units": 3}}, "softmax"]}
)  # fmt: skip
RELAXED = settings(deadline=None, suppress_health_check=list(HealthCheck))


def graph_of(data: Any) -> Graph | None:
    """None where shapes do not fit, which is a diagnostic and no traceback."""
    try:
        return archbuilder.expand(archbuilder.load_text(dump(data)))
    except SpecError:
        return None


@settings(RELAXED, max_examples=50)
@given(SPECS)
def test_the_graph_is_sound(data: Any) -> None:
    graph = graph_of(data)
    if graph is None:
        return
    seen: set[str] = set()
    for node in graph.nodes:
        assert seen.issuperset(node.inputs)
        assert node.name not in seen
        seen.add(node.name)
        if isinstance(node.op, ops.Add):
            assert len({graph[name].shape for name in node.inputs}) == 1
    assert archbuilder.expand(archbuilder.load_text(archbuilder.load_text(dump(data)).dump())) == graph


@pytest.mark.keras
@settings(RELAXED, max_examples=25)
@given(SPECS)
def test_keras_agrees(data: Any) -> None:
    graph = graph_of(data)
    if graph is None:
        return
    import numpy as np

    from archbuilder.keras_model.build import build_model
    from archbuilder.keras_model.check import differences
    from archbuilder.training.tensorflow.forward import Forward

    model = build_model(graph, seed=0)
    assert differences(graph, model) == []
    images = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32")
    logits = Forward(graph, model).logits(images, training=False)
    expected = np.log(np.asarray(model(images, training=False)) + 1e-12)
    ours = np.asarray(logits) - np.log(np.exp(np.asarray(logits)).sum(-1, keepdims=True))
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-3)
