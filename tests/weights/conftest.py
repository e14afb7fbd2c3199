"""A small network, and files of weights for it as other people would write them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.spec import load_text

SMALL = """\
archbuilder: 1
name: small
input: [8, 8, 3]
defaults: {conv: {bias: false}}
stem: [{conv: {filters: 4, kernel: 3}}, norm, relu]
unit: {bottleneck: {expansion: 2}}
shortcut: projection
stages: [{units: 2, filters: 4}, {units: 2, filters: 6, stride: 2}]
head: [global_average_pool, {dense: {units: 5}}, softmax]
"""
LEARNED = """\
archbuilder: 1
name: learned
input: [8, 8, 3]
stem:
  - conv: {filters: 6, kernel: 3}
  - norm: {over: layer}
  - prelu
  - scale: {learned: channel, factor: 1}
  - conv_transpose: {filters: 6, kernel: 3, stride: 2}
  - multiply: {features: [], gate: [global_average_pool, {channel_conv: {kernel: 3}}, sigmoid]}
head: [global_average_pool, {scale: {learned: scalar, factor: 1, bias: true}}, {dense: {units: 5}}, softmax]
"""
Arrays = dict[str, Any]


@pytest.fixture(scope="session")
def small() -> Graph:
    """Two stages of two bottlenecks; 15 convolutions with norms and a dense layer."""
    return graph()


def graph(old: str = "", new: str = "", text: str = SMALL) -> Graph:
    assert old in text
    return expand(load_text(text.replace(old, new), "small.yaml"))


def torchvision_name(node: str) -> str:
    """`stage2/unit1/shortcut/norm1` is `layer2.0.downsample.1` there."""
    if node.startswith(("stem", "head")):
        return {"stem/conv1": "conv1", "stem/norm1": "bn1", "head/dense1": "fc"}[node]
    stage, unit, path, layer = node.split("/")
    block = f"layer{stage[5:]}.{int(unit[4:]) - 1}"
    if path == "shortcut":
        return f"{block}.downsample.{0 if layer == 'conv1' else 1}"
    return f"{block}.{layer.replace('norm', 'bn')}"


PARTS = {
    "kernel": "weight", "bias": "bias", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
    "moving_variance": "running_var",
}  # fmt: skip


def torch_state(graph: Graph, name: Any = torchvision_name) -> Arrays:
    """Random weights for a graph in PyTorch's layout, by PyTorch's names."""
    random, state = np.random.default_rng(0), {}
    for node in graph.nodes:
        for weight in node.weights:
            axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(len(weight.shape), (0,))
            values = random.uniform(0.1, 1, weight.shape).astype(np.float32).transpose(axes)
            state[f"{name(node.name)}.{PARTS[weight.name]}"] = np.ascontiguousarray(values)
            if weight.name == "moving_variance":
                state[f"{name(node.name)}.num_batches_tracked"] = np.array(7)
    return state


TYPES = {"float32": "F32", "float16": "F16", "float64": "F64", "int64": "I64", "uint16": "BF16"}


def write_safetensors(path: Path, arrays: Mapping[str, Any], **changes: Any) -> Path:
    """By hand, in the order of the names, as the format's own library writes it; `changes` go over the header."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(arrays):
        begin, end = end, end + arrays[name].nbytes
        header[name] = {
            "dtype": TYPES[str(arrays[name].dtype)], "shape": arrays[name].shape, "data_offsets": [begin, end],
        }  # fmt: skip
    text = json.dumps(header | changes).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(arrays[name].tobytes() for name in sorted(arrays))
    return path


def write_keras2(path: Path, layers: Mapping[str, Mapping[str, Any]], at: str = "") -> Path:
    """As Keras 2 and keras.applications write it: a group a layer, and attributes with the names in order."""
    with h5py.File(path, "w") as file:
        root = file.create_group(at) if at else file
        root.attrs["layer_names"] = [name.encode() for name in layers]
        for name, weights in layers.items():
            group = root.create_group(name)
            group.attrs["weight_names"] = [weight.encode() for weight in weights]
            for weight, array in weights.items():
                group.create_dataset(weight, data=array)
    return path
