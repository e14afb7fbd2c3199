"""The networks of a file that holds several, such as a student and its teacher, or a model and its average."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from archbuilder.errors import ArchbuilderError
from archbuilder.formatting import printable
from archbuilder.graph.network import Graph
from archbuilder.weights.names import path
from archbuilder.weights.signatures import Signature, of_layer, of_node
from archbuilder.weights.weight_file import Layer, WeightFile

_DEPTH = 4
_SHOWN = 6


def chosen(source: WeightFile, part: str | None, graph: Graph) -> WeightFile:
    """The file, or the part of it that is asked for; raises ArchbuilderError where several parts hold the network."""
    if part is not None:
        begins = [f"{one.rstrip('.')}." for one in (part, part.removeprefix("module."))]
        begin = next((one for one in begins if any(layer.name.startswith(one) for layer in source.layers)), begins[0])
        layers = tuple(layer for layer in source.layers if layer.name.startswith(begin))
        if not layers:
            raise ArchbuilderError(f"there is nothing under {printable(part)} in {source.file}{_hint(source.layers)}")
        stripped = (replace(layer, name=layer.name.removeprefix(begin)) for layer in layers)
        return replace(source, layers=tuple(stripped))
    found = _networks(source.layers, Counter(of_node(node) for node in graph.nodes if node.weights))
    if len(found) > 1:
        names = ", ".join(found[:_SHOWN])
        message = f"{source.file} holds several networks that fit {graph.name}: {names}"
        raise ArchbuilderError(f"{message}\n  hint: choose one, such as --weights-part {found[0]}")
    return source


def _networks(layers: tuple[Layer, ...], wanted: Counter[Signature]) -> list[str]:
    """The prefixes, side by side, under each of which all layers that are wanted are found, but for stem and head."""
    for depth in range(1, _DEPTH + 1):
        groups: dict[str, Counter[Signature]] = {}
        for layer in layers:
            parts = path(layer.name)
            if len(parts) > depth:
                groups.setdefault(".".join(parts[:depth]), Counter())[of_layer(layer)] += 1
        whole = [name for name, counted in groups.items() if (wanted - counted).total() <= min(2, wanted.total() // 4)]
        if len(whole) > 1:
            return whole
        if not whole:
            return []
    return []


def _hint(layers: tuple[Layer, ...]) -> str:
    first = [name for name in dict.fromkeys(path(layer.name)[0] for layer in layers) if name]
    return f"\n  hint: its names begin with {printable(', '.join(first[:_SHOWN]))}"
