"""Which units of a stage an argument is for, where `first` and `last` name others."""

from __future__ import annotations

import pytest

import archbuilder
from archbuilder.spec.loading import load_text

TEMPLATES = """
archbuilder: 1
name: mine
input: [8, 8, 3]
templates:
  units:
    plain: {parameters: {filters: required}, layers: [conv: {filters: $filters, kernel: 1}]}
    wide: {parameters: {filters: required, width: 1}, layers: [conv: {filters: "${filters * width}", kernel: 1}]}
    free: {layers: [relu]}
    needy: {parameters: {shortcut: required}, layers: [add: {a: [], b: $shortcut}]}
shortcut: identity
unit: plain
"""


@pytest.mark.parametrize(
    ("stage", "channels"),
    [
        ("{units: 3, filters: 4, width: 2, first: {unit: wide}}", [8, 4, 4]),
        ("{units: 3, filters: 4, last: {unit: wide, width: 3}}", [4, 4, 12]),
        ("{units: 2, filters: 4, width: {each: [2, 3]}, last: {unit: wide}}", [4, 12]),
        ("{units: 1, filters: 4, width: 2, first: {unit: plain}, last: {unit: wide}}", [8]),
        ("{units: 1, first: {unit: free}}", [3]),
        ("{units: 2, unit: wide, first: {filters: 2}, last: {filters: 4, width: 2}}", [2, 8]),
        ("{units: 2, unit: needy}", [3, 3]),
    ],
)
def test_each_unit_takes_what_it_has(stage: str, channels: list[int]) -> None:
    graph = archbuilder.expand(load_text(f"{TEMPLATES}stages: [{stage}]\n"))
    ends = {node.section: node.shape[-1] for node in graph.nodes if node.section.startswith("stage")}
    assert list(ends.values()) == channels
