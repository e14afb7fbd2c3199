"""One unit close up, as papers draw it: what arrives, the residual, the shortcut, and what their merge returns."""

from __future__ import annotations

from dataclasses import replace

from archbuilder.aliases import Level
from archbuilder.diagram.content import section_flow, times
from archbuilder.diagram.flow import Box, Flow, Fork, Words
from archbuilder.errors import UsageError, suggest
from archbuilder.graph import ops
from archbuilder.graph.analysis import Parallel, Section, ShortcutKind, series, shortcut, shortcut_kind, stages, units
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import show

SHORTCUTS: dict[ShortcutKind, tuple[str, str]] = {
    "identity": ("x", "identity"), "projection": ("Wx", "projection"), "parameter-free": ("h(x)", "h(x)"),
}  # fmt: skip
"""What a shortcut returns, and the words beside it."""


def find(graph: Graph, name: str) -> Section:
    """The unit, or else the stage, of a name; raises UsageError where there is none."""
    parts = [stage for stage in stages(graph) if stage.nodes != (graph.input,)]
    sections = {section.name: section for stage in parts for section in (*units(stage), stage)}
    if name not in sections:
        hint = suggest(name, sections, "units")
        raise UsageError(f"there is no unit called '{name}' in {graph.name}; {hint}")
    return sections[name]


def alone(graph: Graph, section: Section) -> Graph:
    """A section as a graph of its own, with an input for each node that it takes in."""
    own = {node.name for node in section.nodes}
    names = dict.fromkeys(name for node in section.nodes for name in node.inputs if name not in own)
    images = [_arriving(graph[name]) for name in names]
    taken = {name for node in graph.nodes if node.name not in own for name in node.inputs} | {*graph.outputs}
    ends = tuple(node.name for node in section.nodes if node.name in taken)
    return Graph(graph.name, (*images, *section.nodes), ends)


def _arriving(node: Node) -> Node:
    return Node(node.name, ops.Input(node.shape), (), node.shape, (), 0)


def close_up(graph: Graph, section: Section, level: Level) -> Flow:
    """What a section that is series-parallel shows, between what arrives and what it returns."""
    nodes = section.nodes if section.nodes[0] is not graph.input else section.nodes[1:]
    [arrives] = {name for node in nodes for name in node.inputs} - {node.name for node in nodes}
    flow = section_flow(Section(section.name, nodes), level)
    first = series(nodes)[0]
    if isinstance(first, Parallel) and isinstance(flow[0], Fork):
        flow = (_explained(first, flow[0]), *flow[1:])
    end = f"{nodes[-1].name}/"
    return (_mark(arrives, "x", graph[arrives]), *flow, _mark(end, "", nodes[-1]))


def _mark(name: str, words: str, node: Node) -> Box:
    shape = Words(times(show(node.shape)), faint=True)
    return Box(name, ((Words(words), shape) if words else (shape,),), "mark", (node,))


def _explained(parallel: Parallel, fork: Fork) -> Fork:
    """A fork with the papers' words: the residual F of what arrives, the shortcut, and what comes of both."""
    if isinstance(parallel.merge.op, ops.Gate):
        return replace(fork, label="H(x)", result="H·T + x·C")
    kind = shortcut_kind(parallel)
    if kind is None or not fork.sides:
        return fork
    if not isinstance(parallel.merge.op, ops.Add | ops.Concat):
        return fork
    *others, last = fork.sides
    carried, words = SHORTCUTS[kind if _is_plain(parallel) else "parameter-free"]
    result = f"[F(x), {carried}]" if isinstance(parallel.merge.op, ops.Concat) else f"F(x) + {carried}"
    named = last if last.label else replace(last, label=(words,))
    return replace(fork, sides=(*others, named), label="F(x)", result=result)


def _is_plain(parallel: Parallel) -> bool:
    """Whether a shortcut is no more than some layers one after the other."""
    index = shortcut(parallel)
    return index is not None and not any(isinstance(element, Parallel) for element in parallel.paths[index])
