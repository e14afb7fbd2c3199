"""The bundled networks, each loaded and expanded once for all tests, and a small network of their kind."""

from __future__ import annotations

from functools import cache

from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.spec import Spec, load

SMALL = """
archbuilder: 1
name: small
input: [8, 8, 1]
stem: [{conv: {filters: 4, kernel: 3}}, norm, relu]
unit: basic
shortcut: projection
stages:
  - {units: 2, filters: 4, after: [{max_pool: {size: 2, stride: 2}}]}
  - {units: 1, filters: 8, stride: 2}
head: [global_average_pool, {dense: {units: 10}}, softmax]
"""


@cache
def spec_of(name: str) -> Spec:
    return load(name)


@cache
def graph_of(name: str) -> Graph:
    return expand(spec_of(name))
