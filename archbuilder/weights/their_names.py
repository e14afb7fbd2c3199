"""Weights under the names of other people: the way back of what reads their files, which then proves each name.

Names come from a file of theirs, which is read and matched as any other; of torchvision's and timm's ResNets, also from
the scheme of their names; and of torchvision's other networks from torchvision, where it is installed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError, MissingError
from archbuilder.formatting import printable
from archbuilder.graph.network import Graph, Node
from archbuilder.weights.flattening import arriving
from archbuilder.weights.matching import match, position_of
from archbuilder.weights.naming_schemes import Position, position
from archbuilder.weights.signatures import fitted, kind
from archbuilder.weights.torch_layout import layers, stored, tensor_names
from archbuilder.weights.transfer import transfer
from archbuilder.weights.weight_file import Layer, NodeWeights, WeightFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

Library = Literal["torchvision", "timm"]
LIBRARIES: tuple[Library, ...] = ("torchvision", "timm")
Tensors: TypeAlias = "dict[str, NDArray[np.float32] | NDArray[np.int64]]"
_WITHOUT_MORE: Mapping[str, Mapping[str, bool]] = {"googlenet": {"aux_logits": False, "init_weights": False}}
"""What torchvision is asked to leave out of a network that has more for training than bundled ones."""
_FILE = "--names FILE takes the names of a file of theirs"


def named_as(names: Library | Path, graph: Graph, weights: NodeWeights) -> Tensors:
    """The weights by other people's names, in PyTorch's layout; raises ArchbuilderError where they do not fit."""
    by_scheme = None if isinstance(names, Path) else _by_scheme(graph)
    if by_scheme is not None:
        theirs = {name: tensor_names(layer, kind(graph[name]), weights[name]) for name, layer in by_scheme.items()}
        shapes: dict[str, tuple[int, ...]] = {}
    else:
        template = _of_file(names, graph) if isinstance(names, Path) else _of_library(names, graph)
        parts = {name: fitted(graph[name], layer).tensors for name, layer in template.items()}
        theirs = {name: {part: one.name for part, one in found.items()} for name, found in parts.items()}
        shapes = {one.name: one.stored for found in parts.values() for one in found.values()}
    return _tensors(graph, weights, theirs, shapes)


def _tensors(
    graph: Graph,
    weights: NodeWeights,
    theirs: Mapping[str, Mapping[str, str]],
    shapes: Mapping[str, tuple[int, ...]],
) -> Tensors:
    orders = arriving(graph)
    made: Tensors = {}
    for name, parts in theirs.items():
        for part, theirs_name in parts.items():
            array = weights[name][part]
            if name in orders and part == "kernel":
                array = array[np.argsort(orders[name])]
            made[theirs_name] = stored(array, shapes.get(theirs_name))
            if part == "moving_mean":
                made[f"{theirs_name.rpartition('.')[0]}.num_batches_tracked"] = np.zeros((), np.int64)
    return made


def _by_scheme(graph: Graph) -> dict[str, str] | None:
    """The layer of torchvision's ResNets for each node; None where the network has more than these have."""
    counts: Counter[tuple[Position, str]] = Counter()
    found: dict[str, str] = {}
    for node in graph.nodes:
        if node.weights:
            place = position_of(node)
            counts[place, kind(node)] += 1
            name = _in_scheme(node, place, counts[place, kind(node)])
            if name is None or position(name) != place:
                return None
            found[node.name] = name
    return found


def _in_scheme(node: Node, place: Position, number: int) -> str | None:
    word = {"conv": "conv", "norm": "bn", "dense": "fc"}.get(kind(node))
    if place.section in ("stem", "head"):
        name = "fc" if word == "fc" else f"{word}{number}"
        return name if number == 1 and (word == "fc") == (place.section == "head") else None
    unit = re.fullmatch(r"stage(\d+)/unit(\d+)", place.section)
    if word not in ("conv", "bn") or unit is None:
        return None
    begin = f"layer{unit[1]}.{int(unit[2]) - 1}"
    return f"{begin}.downsample.{int(word == 'bn')}" if place.shortcut else f"{begin}.{word}{number}"


def _of_file(path: Path, graph: Graph) -> Mapping[str, Layer]:
    found = transfer(path, graph)
    if found.match.fresh or not found.channels_first:
        why = found.match.fresh[0] if found.match.fresh else "its layout is that of Keras"
        raise ArchbuilderError(f"{path} does not have the names that {graph.name} is to be written with: {why}")
    return found.match.pairs


def _of_library(library: Library, graph: Graph) -> Mapping[str, Layer]:
    name = graph.name.rpartition("/")[2]
    if library == "timm":
        raise ArchbuilderError(f"{printable(graph.name)} is not one of timm's ResNets\n  hint: {_FILE}")
    shapes = _shapes_of_torchvision(name, graph)
    source = WeightFile(library, *layers(shapes), ordered=True)
    found = match(graph, source)
    if found.problems or found.open or found.fresh:
        raise ArchbuilderError(f"{printable(graph.name)} is not torchvision's {printable(name)}\n  hint: {_FILE}")
    return found.pairs


def _shapes_of_torchvision(name: str, graph: Graph) -> dict[str, Array]:
    """Zeros under the names of a network of torchvision, which is made without its weights."""
    try:
        import torch
        from torchvision import models
    except ImportError:
        message = f"the names of torchvision's {printable(name)} are known to torchvision, which is not installed"
        raise MissingError(f"{message}: pip install torchvision\n  hint: {_FILE}") from None
    if name not in models.list_models():
        raise ArchbuilderError(f"torchvision has no network called {printable(name)}\n  hint: {_FILE}")
    classes = graph[graph.outputs[-1]].shape[-1]
    asked = {"weights": None, "num_classes": classes, **_WITHOUT_MORE.get(name, {})}
    try:
        with torch.device("meta"):  # without drawing weights
            model = models.get_model(name, **asked)
    except NotImplementedError:  # some look at what they drew
        model = models.get_model(name, **asked)
    return {key: np.zeros(tuple(one.shape), np.float32) for key, one in model.state_dict().items()}
