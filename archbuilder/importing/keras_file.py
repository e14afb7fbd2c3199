"""The network of a Keras file of stock layers, read from its description alone: nothing in the file is run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from archbuilder.aliases import Array
from archbuilder.bounded_files import BadFileError, bounded_bytes, open_archive
from archbuilder.errors import ArchbuilderError, MissingError
from archbuilder.formatting import printable, shortened
from archbuilder.graph import ops
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import Pair, ShapeError
from archbuilder.importing.building import Builder, Read, UnreadError, Value
from archbuilder.importing.keras_calls import Call, model_of
from archbuilder.importing.keras_layers import Layer, result
from archbuilder.importing.pixels import preprocessing_of

MEMBER, MOST_BYTES = "config.json", 2**24


def graph_of_keras_file(path: Path, name: str) -> tuple[Graph, tuple[str, ...]]:
    """The network of a file, each layer under its own name, and what the file does to pixels before it, in words.

    How its weights start and are regularised is left out. Raises MissingError where the file cannot be read.
    """
    read = read_keras_file(path, name)
    graph, (_, notes) = read.graph, preprocessing_of(read.before)
    untrained = (replace(one, op=one.op.untrained()) for one in graph.nodes)
    nodes = tuple(replace(one, weights=tuple(replace(weight, l2=0.0) for weight in one.weights)) for one in untrained)
    return replace(graph, nodes=nodes), tuple(notes)


def read_keras_file(path: Path, name: str, size: Pair | None = None) -> Read:
    """The network of a `.keras` file or of Keras' JSON; images of any size are given one."""
    try:
        return read_model(_description(path), path, name, size)
    except (BadFileError, UnreadError) as error:
        raise MissingError(f"{path} is not read: {shortened(str(error))}") from None
    except (ValueError, RecursionError):
        raise MissingError(f"{path} is not read: {_what(path)} is damaged") from None


def _what(path: Path) -> str:
    return "its JSON" if path.suffix == ".json" else f"its {MEMBER}"


def _description(path: Path) -> Any:
    if path.suffix == ".json":
        return json.loads(bounded_bytes(path, MOST_BYTES))
    with open_archive(path) as archive:
        return json.loads(archive.read(MEMBER, MOST_BYTES))


def read_model(description: object, path: Path, name: str, size: Pair | None = None) -> Read:
    """The network that a configuration describes."""
    model = model_of(description)
    if len(model.inputs) > 1:
        raise UnreadError(f"it has several inputs, and networks of one are read: {', '.join(model.inputs)}")
    builder = Builder(stored=_normalisations(path, model.calls))
    values: dict[str, Value] = {}
    stored: dict[str, tuple[str, int]] = {}
    """Where the weights of each node stand: the layer, and how many of its weights come before."""
    for call in model.calls:
        before = len(builder.nodes)
        values[call.path] = _read(_sized(call, size), values, builder)
        taken = 0
        for node in [*builder.nodes.values()][before:]:
            stored[node.name] = (call.stored, taken)
            taken += len(node.weights)
    try:
        graph = builder.graph(name, [values[end] for end in model.outputs])
    except KeyError:
        raise UnreadError("it does not say which layers are its outputs") from None
    if not graph.nodes or len(graph.input.shape) != 3:
        raise UnreadError("it takes no images")
    if sum(isinstance(one.op, ops.Input) for one in graph.nodes) > 1:
        raise UnreadError("it goes on from images that it resized, and from those that arrive as well")
    return Read(graph, lambda: _arrays(path, graph, stored), tuple(builder.notes), builder.before, model.called)


def _normalisations(path: Path, calls: Sequence[Call]) -> Mapping[str, Sequence[Array]]:
    """The weights of layers that normalise by them; none where the file has none."""
    places = [one.stored for one in calls if one.kind == "Normalization" and one.config.get("mean") is None]
    if not places or path.suffix == ".json":
        return {}
    from archbuilder.weights.hdf5 import arrays_of_archive

    with suppress(ArchbuilderError):
        return arrays_of_archive(path, places)
    return {}


def _sized(call: Call, size: Pair | None) -> Call:
    """An input layer of images of any size, which get one."""
    if call.kind != "InputLayer" or size is None:
        return call
    key = "batch_shape" if call.config.get("batch_shape") else "batch_input_shape"
    match call.config.get(key):
        case [batch, height, width, channels]:
            shape = [batch, height or size[0], width or size[1], channels]
            return replace(call, config={**call.config, key: shape})
        case _:
            return call


def _read(call: Call, values: Mapping[str, Value], builder: Builder) -> Value:
    try:
        arriving = tuple(values[source] for source in call.sources)
        if not arriving and call.kind != "InputLayer":
            raise KeyError
        return result(Layer(call, _node_name(call.path), arriving, builder))
    except (KeyError, TypeError, IndexError, AttributeError):
        raise UnreadError(f"its layer '{call.path}' ({call.kind}) lacks a setting, or an input") from None
    except (UnreadError, ShapeError, ValueError, OverflowError) as error:
        why = str(error) if isinstance(error, UnreadError | ShapeError) else "one of its settings is of another form"
        raise UnreadError(f"its layer '{call.path}' ({call.kind}): {why}") from None


def _node_name(path: str) -> str:
    """A layer's path as the name of a node, which may be printed."""
    shown = (one if one.isprintable() else one.encode("unicode_escape", "surrogatepass").decode() for one in path)
    return "".join(shown).replace(".", "/")


def _arrays(path: Path, graph: Graph, stored: Mapping[str, tuple[str, int]]) -> dict[str, tuple[Array, ...]]:
    """The weights of each node; raises ArchbuilderError where the file has none, or others."""
    if path.suffix == ".json":
        raise ArchbuilderError(f"{path} has no weights: a .keras file has")
    from archbuilder.weights.hdf5 import arrays_of_archive

    nodes = [node for node in graph.nodes if node.weights]
    held = arrays_of_archive(path, dict.fromkeys(stored[node.name][0] for node in nodes))
    found = {}
    for node in nodes:
        place, first = stored[node.name]
        arrays = held[place][first : first + len(node.weights)]
        if [array.size for array in arrays] != [weight.size for weight in node.weights]:
            raise ArchbuilderError(f"{path}: the weights of its layer '{printable(node.name)}' have other shapes")
        found[node.name] = tuple(
            array.reshape(weight.shape) for array, weight in zip(arrays, node.weights, strict=True)
        )
    return found
