"""Diagrams of networks, good enough for a paper."""

from __future__ import annotations

from graphviz import Digraph

from archbuilder.diagram.content import Level, content
from archbuilder.diagram.dot import digraph
from archbuilder.diagram.files import render
from archbuilder.diagram.layout import layout
from archbuilder.graph.network import Graph

__all__ = ["Level", "diagram", "render"]


def diagram(graph: Graph, level: Level = "stage") -> Digraph:
    """The diagram of a network: its stages with equal units folded, all its units, or all its layers."""
    return digraph(graph.name, layout(content(graph, level)))
