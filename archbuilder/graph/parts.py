"""Parts of a network by their names: stem, stages, their units, head; and `norms`, which are all of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from archbuilder.errors import suggest
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Norm

NORMS = "norms"


def parts_of(node: Node) -> list[str]:
    """The parts that a node belongs to, the smallest first; norms are larger than any other."""
    names = node.name.split("/")
    smaller = ["/".join(names[:length]) for length in range(len(names), 0, -1)]
    return [*smaller, NORMS] if isinstance(node.op, Norm) else smaller


def is_in(node: Node, parts: Collection[str]) -> bool:
    """Whether a node belongs to one of some parts."""
    return any(part in parts for part in parts_of(node))


def left(graph: Graph, frozen: Collection[str]) -> set[str]:
    """The parts that have weights which are in none of those that are frozen."""
    return {part for node in graph.nodes if node.weights and not is_in(node, frozen) for part in parts_of(node)}


def hint_for(graph: Graph, unknown: str) -> str:
    """What a part may be called: those of sections and units that have weights."""
    paths = [node.name.split("/")[:-1] for node in graph.nodes if node.weights]
    names = {"/".join(path[:length]) for path in paths for length in (1, 2) if length <= len(path)}
    return suggest(unknown, names, "parts")


def factor_of(node: Node, factors: Mapping[str, float]) -> float:
    """That of the smallest part that a node belongs to."""
    return next((factors[part] for part in parts_of(node) if part in factors), 1.0)
