"""Compares two graphs: the verdict op by op, the reasons kind by kind."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest

from archbuilder.comparison.deviations.deviation import Undoing
from archbuilder.comparison.deviations.layer_order import compare_forks, compare_kinds, compare_layers, compare_orders
from archbuilder.comparison.deviations.layer_settings import compare_described, compare_settings
from archbuilder.comparison.deviations.op_by_op import compare_op_by_op
from archbuilder.comparison.deviations.shortcuts import compare_shortcuts
from archbuilder.comparison.deviations.structure import (
    compare_input,
    compare_outputs,
    compare_stage_count,
    compare_stem_and_head,
    compare_unit_counts,
)  # fmt: skip
from archbuilder.comparison.deviations.widths_and_strides import compare_strides, compare_widths
from archbuilder.comparison.result import Comparison, Identity
from archbuilder.graph import analysis, ops
from archbuilder.graph.network import Graph
from archbuilder.outline.canonical import canonical
from archbuilder.outline.from_graph import outline, with_longer_stem
from archbuilder.outline.parts import Outline, Unit, skeleton
from archbuilder.outline.resizing import resized
from archbuilder.outline.shapes import blocks

STRUCTURE = (
    compare_stage_count, compare_unit_counts, compare_stem_and_head, compare_shortcuts, compare_kinds, compare_orders,
    compare_layers, compare_forks, compare_strides, compare_widths, compare_outputs,
)  # fmt: skip
"""The comparisons, from large parts to small ones; each sees the network without the deviations found before it."""


def compare(mine: Graph, theirs: Graph) -> Comparison:
    """Compares two networks: whether they are the same, and every deviation.

    Mine is first brought to the size of their images: layers that go with the size are no deviations of their own.
    """
    fitted = resized(mine, theirs.input.shape)
    if not (analysis.is_series_parallel(mine) and analysis.is_series_parallel(theirs)):
        found, notes = compare_op_by_op(mine, fitted, theirs)
        return Comparison(identity(mine), identity(theirs), not found, found, notes)
    state = Undoing(*_settled(outline(mine), outline(theirs)), theirs.name)
    compare_input(state, _like(outline(fitted), state.theirs) if fitted else None)
    of_size = tuple(state.found)
    alike = fitted is not None and canonical(fitted) == canonical(theirs)
    for look in STRUCTURE if not alike else ():
        look(state)
    if _side_by_side(state):
        compare_described(state)
        compare_settings(state)
    if not alike and (not state.found or state.mine != state.theirs):
        state.take("further", f"further differences: {_first_difference(mine, theirs)}", state.theirs)
    deviations = of_size if alike else tuple(state.found)
    return Comparison(identity(mine), identity(theirs), alike and not of_size, deviations, tuple(state.notes))


def identity(graph: Graph) -> Identity:
    return Identity(graph.name, analysis.depth(graph), graph.costs)


def _settled(mine: Outline, theirs: Outline) -> tuple[Outline, Outline]:
    """Both outlines with the same border of stem and first unit; a plain network has no fork that would set it."""
    return _like(mine, theirs), _like(theirs, mine)


def _like(one: Outline, other: Outline) -> Outline:
    if not one.stages or not other.stages:
        return one
    unit, example = one.stages[0].units[0], other.stages[0].units[0]
    if unit.shortcut is None and isinstance(example.main[0] if example.main else None, ops.Conv):
        lead = next((index for index, item in enumerate(unit.main) if isinstance(item, ops.Conv)), 0)
        return with_longer_stem(one, lead)
    return one


def _side_by_side(state: Undoing) -> bool:
    """Whether each layer has one of its kind beside it; lets shortcuts that only sizes asked for follow theirs."""
    if [len(stage.units) for stage in state.mine.stages] != [len(stage.units) for stage in state.theirs.stages]:
        return False
    state.mine = state.with_units(lambda mine, theirs: mine, follow=True)
    shapes = ([_shape(block) for block in blocks(one)] for one in (state.mine, state.theirs))
    return all(a == b for a, b in zip_longest(*shapes))


def _shape(block: object) -> object:
    if isinstance(block, Unit):
        return skeleton(block.main), block.shortcut and skeleton(block.shortcut.layers)
    assert isinstance(block, tuple)
    return skeleton(block)


def _first_difference(mine: Graph, theirs: Graph) -> str:
    """The first layers, in order, that are not the same but for their names."""
    for a, b in zip_longest(mine.nodes, theirs.nodes):
        if a is None or b is None or replace(a, name="", inputs=()) != replace(b, name="", inputs=()):
            return " and ".join(f"{'no layer' if node is None else node.name}" for node in (a, b))
    return "how layers are connected"
