"""Networks to compare: small, and of every kind that the papers know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.spec import load, load_text
from tests.zoo import graph_of

IMAGENET = """
archbuilder: 1
name: imagenet
input: [64, 64, 3]
defaults: {conv: {padding: symmetric}}
stem:
  - conv: {filters: 16, kernel: 7, stride: 2}
  - norm
  - relu
  - max_pool: {size: 3, stride: 2, padding: symmetric}
unit: bottleneck
shortcut: projection
stages:
  - {units: 3, filters: 16}
  - {units: 4, filters: 32, stride: 2}
  - {units: 2, filters: 64, stride: 2}
head: [global_average_pool, {dense: {units: 100}}, softmax]
"""
PREACTIVATED = """
archbuilder: 1
name: preactivated
input: [32, 32, 3]
stem: [{conv: {filters: 16, kernel: 3}}]
unit: shared
shortcut: bare_projection
stages:
  - {units: 2, filters: 16}
  - {units: 2, filters: 32, stride: 2}
head: [norm, relu, global_average_pool, {dense: {units: 10}}, softmax]
templates:
  units:
    shared:
      parameters: {filters: required, stride: 1, shortcut: identity}
      layers:
        - norm
        - relu
        - add:
            residual:
              - conv: {filters: $filters, kernel: 3, stride: $stride}
              - norm
              - relu
              - conv: {filters: $filters, kernel: 3}
            shortcut: $shortcut
    raw:
      parameters: {filters: required, stride: 1, shortcut: identity}
      layers: [{preactivated_basic: {filters: $filters, stride: $stride, shortcut: $shortcut}}]
"""
SQUEEZED = """
archbuilder: 1
name: squeezed
input: [32, 32, 3]
stem: [{conv: {filters: 16, kernel: 3}}, norm, relu]
unit: squeezed
shortcut: projection
stages:
  - {units: 2, filters: 16}
  - {units: 2, filters: 32, stride: 2}
head: [global_average_pool, {dense: {units: 10}}, softmax]
templates:
  units:
    squeezed:
      parameters: {filters: required, stride: 1, ratio: 4, shortcut: identity}
      layers:
        - add:
            residual:
              - conv: {filters: $filters, kernel: 3, stride: $stride}
              - norm
              - relu
              - conv: {filters: $filters, kernel: 3}
              - norm
              - multiply:
                  features: []
                  gate: [global_average_pool, {dense: {units: "${channels // ratio}"}}, relu, {dense: {units: $filters}}, sigmoid]
            shortcut: $shortcut
        - relu
"""
DENSE = """
archbuilder: 1
name: densely_connected
input: [32, 32, 3]
stem: [{conv: {filters: 24, kernel: 3}}]
unit: dense_layer
stages:
  - {units: 3, growth: 12, after: [norm, relu, {conv: {filters: 30, kernel: 1}}, {average_pool: {size: 2, stride: 2}}]}
  - {units: 3, growth: 12}
head: [norm, relu, global_average_pool, {dense: {units: 10}}, softmax]
templates:
  units:
    dense_layer:
      parameters: {growth: required}
      layers:
        - concat:
            before: []
            new: [norm, relu, {conv: {filters: "${4 * growth}", kernel: 1}}, norm, relu, {conv: {filters: $growth, kernel: 3}}]
"""
MODERN = """
archbuilder: 1
name: modern
input: [32, 32, 3]
defaults: {norm: {over: layer}}
stem: [{conv: {filters: 16, kernel: 3}}, norm, leaky_relu]
unit: modern
stages:
  - {units: 3, filters: 16, after: [{pad: {amount: 1, mode: reflect}}, {conv: {filters: 32, kernel: 4, stride: 2, padding: valid}}]}
  - {units: 3, filters: 32}
head: [{conv_transpose: {filters: 16, kernel: 3, stride: 2, bias: true}}, {upsample: {factor: 2, method: bilinear}}, global_max_pool, {dense: {units: 10}}, softmax]
templates:
  units:
    modern:
      parameters: {filters: required}
      layers:
        - add:
            residual:
              - norm: {over: group, groups: 4}
              - prelu
              - concat:
                  kept: [{slice_channels: {stop: 8}}]
                  new: [{slice_channels: {start: 8, stop: $channels}}, {conv: {filters: "${filters - 8}", kernel: 3}}]
              - shuffle_channels: {groups: 2}
              - multiply: {features: [], gate: [global_average_pool, {channel_conv: {kernel: 3}}, sigmoid]}
              - multiply: {features: [], places: [{channel_pool: max}, {conv: {filters: 1, kernel: 3}}, sigmoid]}
              - scale: {learned: channel, factor: 0.1}
            shortcut: []
"""
OWN = {
    "modern": MODERN,
    "imagenet": IMAGENET,
    "preactivated": PREACTIVATED,
    "squeezed": SQUEEZED,
    "densely_connected": DENSE,
}
ORDERS = {
    "original": "[{add: {residual: [CONV, norm, relu, CONV, norm], shortcut: []}}, relu]",
    "norm_after_addition": "[{add: {residual: [CONV, norm, relu, CONV], shortcut: []}}, norm, relu]",
    "relu_before_addition": "[{add: {residual: [CONV, norm, relu, CONV, norm, relu], shortcut: []}}]",
    "relu_only_preactivation": "[{add: {residual: [relu, CONV, norm, relu, CONV, norm], shortcut: []}}]",
    "full_preactivation": "[{add: {residual: [norm, relu, CONV, norm, relu, CONV], shortcut: []}}]",
}
"""The five orders of arXiv:1603.05027, figure 4."""


def network(name: str, edits: Sequence[str] = (), called: str | None = None) -> Graph:
    """A bundled network, or one of the above, after some edits."""
    return replace(_network(name, tuple(edits)), name=called or name)


@cache
def _network(name: str, edits: tuple[str, ...]) -> Graph:
    if name in OWN:
        return expand(load_text(OWN[name], name, edits))
    return expand(load(name, edits)) if edits else graph_of(name)


def ordered(order: str) -> Graph:
    """A network whose units have their layers in one of the orders."""
    layers = ORDERS[order].replace("CONV", "{conv: {filters: 8, kernel: 3}}")
    text = f"""
archbuilder: 1
name: {order}
input: [8, 8, 3]
stem: [{{conv: {{filters: 8, kernel: 3}}}}]
unit: mine
stages: [{{units: 3}}]
head: [global_average_pool, {{dense: {{units: 10}}}}]
templates: {{units: {{mine: {{layers: {layers}}}}}}}
"""
    return expand(load_text(text, order))
