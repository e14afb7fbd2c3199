"""ONNX: every op as Keras computes it, what the file says of itself, and that TensorFlow does not write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from archbuilder.errors import SpecError
from archbuilder.exporting.comparing import Comparison, compare
from archbuilder.exporting.folding import folded
from archbuilder.exporting.formats import FLOAT32
from archbuilder.exporting.handover import Handover, of_spec, with_weights
from archbuilder.graph import ops
from archbuilder.spec import Spec, load, load_text
from archbuilder.spec.document import dump
from tests.conftest import Call
from tests.exporting.lively import lively
from tests.keras_model.test_random_specs import RELAXED, SPECS
from tests.test_imports import HEAVY, heavy_modules

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
    {"multiply": {"features": [], "one": ["global_average_pool", {"norm": {"over": "group", "groups": 3}}], "two": ["tanh"]}},
    {"gate": {"transform": ["tanh"], "carry": [], "gate": ["sigmoid"]}},
    {"gate": {"transform": ["tanh"], "carry": [], "gate": ["global_average_pool", "sigmoid"]}},
    {"add": {"a": [], "b": ["tanh"], "c": ["relu"]}}, {"concat": {"a": [], "b": ["tanh"]}},
    {"dense": {"units": 4}},
    {"multiply": {"features": [], "weights": ["global_average_pool", {"shuffle_channels": {"groups": 3}},
                                              {"slice_channels": {"start": 0, "stop": 3}}, {"prelu": {"slope": 0.1}}]}},
)  # fmt: skip
"""Layers behind an image of 9x8x3, each with what it can do otherwise."""


def network(*layers: Any, head: Any = ("flatten", {"dense": {"units": 5}}, "softmax")) -> Spec:
    text = dump({"archbuilder": 1, "name": "small", "input": [9, 8, 3], "stem": [*layers], "head": [*head]})
    return load_text(text)


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
    return compare(handed(spec, bare=bare), onnx_file.load(path, asked))


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
    from tempfile import TemporaryDirectory

    try:
        spec = load_text(dump(data))
        handed(spec)
    except SpecError:
        return
    with TemporaryDirectory() as folder:
        assert compared(spec, Path(folder)).worst < FLOAT32
