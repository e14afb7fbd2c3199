"""ONNX: every op as Keras computes it, what the file says of itself, and that TensorFlow does not write it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from archbuilder.errors import SpecError
from archbuilder.expansion.expansion import expand
from archbuilder.exporting.comparing import Comparison, compare
from archbuilder.exporting.folding import folded
from archbuilder.exporting.formats import FLOAT32
from archbuilder.exporting.handover import Handover, of_spec, with_weights
from archbuilder.spec import Spec, load, load_text
from archbuilder.spec.document import dump
from tests.exporting.lively import lively
from tests.keras_model.test_random_specs import RELAXED, SPECS
from tests.test_imports import SPY, heavy_modules

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'archbuilder[onnx]'")

LAYERS: tuple[Any, ...] = (
    *({"conv": {"filters": 4, "kernel": 3, "stride": stride, "padding": padding, "bias": True}}
      for stride in (1, 2, 3) for padding in ("same", "symmetric", "valid", [[0, 1], [2, 0]])),
    {"conv": {"filters": 4, "kernel": [1, 4], "dilation": [1, 2]}},
    {"conv": {"filters": 6, "kernel": 3, "groups": 3}},
    {"conv": {"filters": 3, "kernel": 5, "groups": 3, "bias": True}},
    *({"conv_transpose": {"filters": 4, "kernel": kernel, "stride": stride, "padding": padding, "bias": True}}
      for kernel, stride, padding in ((2, 2, "same"), (3, 2, "same"), (2, 3, "same"), (4, 2, "valid"), (1, 2, "valid"),
                                      (3, 1, 1), (4, 2, [[0, 1], [1, 0]]))),
    *({pool: {"size": size, "stride": stride, "padding": padding}}
      for pool in ("max_pool", "average_pool")
      for size, stride, padding in ((3, 2, "same"), (2, 2, "same"), (3, 2, 1), (2, 1, "valid"), (3, 2, [[0, 1], [1, 0]]))),
    {"average_pool": {"size": 2, "stride": 2, "padding": 3}},
    *({"norm": {"over": over}} for over in ("batch", "layer", "instance")),
    {"norm": {"over": "group", "groups": 3}}, {"norm": {"scale": False}}, {"norm": {"epsilon": 0.1}},
    "relu", "relu6", "elu", "gelu", "silu", "hard_sigmoid", "hard_silu", "sigmoid", "softplus", "softmax", "tanh",
    {"leaky_relu": {"slope": 0.3}}, {"prelu": {"slope": 0.2}}, {"prelu": {"shared": True}},
    {"scale": {"factor": -0.7}}, {"scale": {"factor": 1, "learned": "channel", "bias": True}}, {"scale": {"factor": 1, "learned": "scalar"}},
    {"dropout": {"rate": 0.5}}, {"stochastic_depth": {"rate": 0.5}},
    {"subsample": {"stride": [2, 3]}}, {"pad": {"amount": [[0, 1], [2, 0]]}}, {"pad": {"amount": 3, "mode": "reflect"}},
    {"pad": {"amount": [[12, 0], [0, 9]], "mode": "edge"}}, {"pad_channels": {"channels": 5}},
    {"slice_channels": {"start": 1, "stop": 3}}, {"shuffle_channels": {"groups": 3}},
    *({"upsample": {"factor": factor, "method": method}}
      for factor in (2, [1, 3]) for method in ("nearest", "bilinear")),
    {"local_response_norm": {"size": 2}}, {"local_response_norm": {"size": 5, "alpha": 0.5, "beta": 0.6, "bias": 2.0}},
    *({"multiply": {"features": [], "weights": [way, "sigmoid"]}}
      for way in ("global_average_pool", {"global_max_pool": {"flat": False}}, {"channel_pool": "max"}, "tanh")),
    {"multiply": {"features": [], "weights": ["global_max_pool", {"channel_conv": {"kernel": 2}}, {"norm": {"over": "layer"}}]}},
    {"multiply": {"features": [], "one": ["global_average_pool", {"norm": {"over": "group", "groups": 1}}], "two": ["tanh"]}},
    {"gate": {"transform": ["tanh"], "carry": [], "gate": ["sigmoid"]}},
    {"gate": {"transform": ["tanh"], "carry": [], "gate": ["global_average_pool", "sigmoid"]}},
    {"add": {"a": [], "b": ["tanh"], "c": ["relu"]}}, {"concat": {"a": [], "b": ["tanh"]}},
    {"dense": {"units": 4}},
    {"multiply": {"features": [], "weights": ["global_average_pool", {"shuffle_channels": {"groups": 3}},
                                              {"slice_channels": {"start": 0, "stop": 3}}, {"prelu": {"slope": 0.1}}]}},
)  # fmt: skip
"""Layers behind an image of 9x8x3, each with what it can do otherwise."""


HEAD = ("flatten", {"dense": {"units": 5}}, "softmax")
RECIPE = {
    "data": {"source": "npz"}, "stop": {"epochs": 1}, "optimizer": "sgd", "learning_rate": {"constant": {"rate": 0.1}},
}  # fmt: skip


def network(*layers: Any, **others: Any) -> Spec:
    data = {"archbuilder": 1, "name": "small", "input": [9, 8, 3], "stem": [*layers], "head": [*HEAD], **others}
    return load_text(dump(data))


def handed(spec: Spec, *, bare: bool = False, fold: bool = False) -> Handover:
    handover = of_spec(spec, bare=bare)
    lived = with_weights(handover, lively(handover.graph))
    return folded(lived) if fold else lived


def compared(spec: Spec, folder: Path, *, bare: bool = False, fold: bool = False) -> Comparison:
    """How far ONNX Runtime is from Keras."""
    from archbuilder.exporting import onnx_file
    from archbuilder.exporting.formats import Options

    asked, path = handed(spec, bare=bare, fold=fold), folder / "x.onnx"
    onnx_file.write(asked, path, Options(), asked.metadata("onnx", None))
    assert {*inferred(path)} >= {result for node in onnx.load(path).graph.node for result in node.output}
    return compare(handed(spec, bare=bare), onnx_file.load(path, asked))


def inferred(path: Path) -> list[str]:
    """The tensors whose shape other tools find."""
    graph = onnx.shape_inference.infer_shapes(onnx.load(path), strict_mode=True).graph
    return [one.name for one in (*graph.value_info, *graph.output) if one.type.tensor_type.HasField("shape")]


@pytest.mark.keras
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_every_layer_is_as_in_keras(layer: Any, tmp_path: Path) -> None:
    found = compared(network({"conv": {"filters": 3, "kernel": 1}}, layer), tmp_path)
    assert found.worst < FLOAT32
    assert found.apart > 1e-3


@pytest.mark.keras
@settings(RELAXED, max_examples=15)
@given(SPECS)
def test_random_networks_are_as_in_keras(data: Any) -> None:
    """Few logits may all be what is left of much larger numbers, whose rounding stays; of 64, the largest is not."""
    from tempfile import TemporaryDirectory

    try:
        spec = load_text(dump({**data, "head": ["global_average_pool", {"dense": {"units": 64}}, "softmax"]}))
        handed(spec)
    except SpecError:
        return
    with TemporaryDirectory() as folder:
        assert compared(spec, Path(folder)).worst < FLOAT32


@pytest.mark.keras
def test_folded_norms_and_bare_networks_are_the_same_function(tmp_path: Path) -> None:
    spec = load("resnet20_v2")
    whole, few = handed(spec), handed(spec, fold=True)
    assert len(few.graph.nodes) < len(whole.graph.nodes)
    assert compared(spec, tmp_path, fold=True, bare=True).worst < FLOAT32


@pytest.mark.keras
@pytest.mark.parametrize("colours", ["rgb", "bgr"])
def test_pixels_are_normalised_within(colours: str, tmp_path: Path) -> None:
    channels = {"mean": [0.4, 0.5, 0.6], "deviation": [0.2, 0.25, 0.3]}
    training = {**RECIPE, "normalise": {"channels": channels}, "colours": colours}
    spec = network({"conv": {"filters": 4, "kernel": 3}}, training=training)
    assert compared(spec, tmp_path).worst < FLOAT32


def written(spec: Spec, *, bare: bool = False) -> Any:
    from archbuilder.exporting.onnx_file import model_of

    asked = handed(spec, bare=bare)
    return model_of(asked, asked.metadata("onnx", None))


def test_a_node_for_an_op_and_one_transpose() -> None:
    spec = load("related/se_resnet50", [f"stages.{stage}.filters={8 << stage}" for stage in range(4)])
    graph, model = expand(spec), written(spec)
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Transpose") == 1
    names = {node.name for node in model.graph.node}
    assert {node.name for node in graph.nodes} <= names
    onnx.checker.check_model(model, full_check=True)


def test_the_batch_has_a_name_and_what_is_taken_is_known() -> None:
    [images], [answers] = (
        part for graph in [written(load("quickstart")).graph] for part in (graph.input, graph.output)
    )
    assert [one.dim_param or one.dim_value for one in images.type.tensor_type.shape.dim] == ["batch", 16, 16, 1]
    assert images.type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert (answers.name, images.name) == ("probabilities", "images")
    bare = written(load("quickstart"), bare=True).graph.input[0]
    assert bare.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


def test_outputs_keep_their_names() -> None:
    spec = load("related/fpn_resnet50", ["input=[64, 64, 3]"])
    assert [one.name for one in written(spec).graph.output] == ["p2", "p3", "p4", "p5"]


def test_metadata_are_texts_that_hide_nothing() -> None:
    classes = ('"}', "\x1b[31m", "\n", "ü")
    asked = replace(handed(load("quickstart")), classes=classes)
    from archbuilder.exporting.onnx_file import model_of

    read = onnx.ModelProto.FromString(model_of(asked, asked.metadata("onnx", FLOAT32)).SerializeToString())
    found = {one.key: one.value for one in read.metadata_props}
    assert tuple(json.loads(found["classes"])) == classes
    assert found["classes"].isascii()
    assert load_text(found["spec"]).name == "quickstart"
    assert "1e-05" in found["compared"]


def test_tensorflow_does_not_write_it(tmp_path: Path) -> None:
    line = f"export quickstart -o {tmp_path}/x.onnx --no-compare"
    assert heavy_modules(SPY, line, heavy=("tensorflow", "keras", "sklearn", "torch")) == {line: []}
