"""The bundled networks, each loaded and expanded once for all tests."""

from __future__ import annotations

from functools import cache

from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.spec import Spec, load


@cache
def spec_of(name: str) -> Spec:
    return load(name)


@cache
def graph_of(name: str) -> Graph:
    return expand(spec_of(name))
