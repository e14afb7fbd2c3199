"""Parts of a network by their names: stem, stages, their units, head; and `norms`, which are all of them."""

from __future__ import annotations

from collections.abc import Iterable

from archbuilder.errors import suggest
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Norm

NORMS = "norms"


def is_in(node: Node, parts: Iterable[str]) -> bool:
    """Whether a node belongs to one of some parts."""
    return any(
        f"{node.name}/".startswith(f"{part}/") or (part == NORMS and isinstance(node.op, Norm)) for part in parts
    )


def unknown(graph: Graph, part: str) -> str | None:
    """What a part may be called, where a network has none of that name that has weights."""
    weighted = _weighted(graph)
    if any(is_in(node, [part]) for node in weighted):
        return None
    paths = [node.name.split("/")[:-1] for node in weighted]
    names = {"/".join(path[:length]) for path in paths for length in (1, 2) if length <= len(path)}
    return suggest(part, names, "parts")


def nothing_left(graph: Graph, parts: Iterable[str]) -> bool:
    """Whether the parts hold all weights of a network."""
    chosen = tuple(parts)
    return all(is_in(node, chosen) for node in _weighted(graph))


def is_held(graph: Graph, part: str, frozen: Iterable[str]) -> bool:
    """Whether all of a part lies in parts that are frozen."""
    held = tuple(frozen)
    return all(is_in(node, held) for node in _weighted(graph) if is_in(node, [part]))


def factor_of(node: Node, factors: dict[str, float]) -> float:
    """That of the smallest part that a node belongs to: the longest name; norms are larger than any other."""
    found = [part for part in factors if is_in(node, [part])]
    return factors[max(found, key=lambda part: -1 if part == NORMS else len(part))] if found else 1.0


def _weighted(graph: Graph) -> list[Node]:
    return [node for node in graph.nodes if node.weights]
