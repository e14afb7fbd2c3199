"""The outline of a graph whose stages and units follow each other."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain, takewhile
from typing import cast

from archbuilder.graph import analysis, ops
from archbuilder.graph.analysis import Parallel, Section, Series
from archbuilder.graph.network import Graph
from archbuilder.graph.words import op_name
from archbuilder.outline.parts import (
    FOLLOWED_STRIDE,
    FOLLOWS,
    Block,
    Branch,
    Item,
    MergeKind,
    Outline,
    Shortcut,
    Stage,
    Strided,
    Unit,
    stride,
)  # fmt: skip
from archbuilder.outline.reduction import reduced

_STAGE = re.compile(r"stage\d+")
_UNIT = re.compile(r"stage\d+/unit\d+")


def outline(graph: Graph) -> Outline:
    """The outline of a graph; layers that can stand on either side of a border are moved to one of them.

    What comes before the fork of the very first unit belongs to the stem, what comes behind the last to the head.
    """
    sections = analysis.stages(graph)
    stages = tuple(_stage(graph, section) for section in sections if _STAGE.fullmatch(section.name))
    stem, head = (block(graph, tuple(elements)) for elements in _ends(sections))
    outputs = _outputs(graph, sections)
    if not stages:
        return Outline(graph.input.shape, stem, (), head, outputs)
    *others, last = stages
    settled = (*others, replace(last, after=()))
    network = Outline(graph.input.shape, stem, settled, (*last.after, *head), outputs)
    shortcut = network.stages[0].units[0].shortcut
    return with_longer_stem(network, shortcut.fork) if shortcut else network


def stages_of(graph: Graph) -> tuple[Stage, ...]:
    """The stages of any graph with as many units as they have, without their layers."""
    units = Counter(node.section for node in graph.nodes if _UNIT.fullmatch(node.section))
    counts = Counter(name.partition("/")[0] for name in units)
    last = max((int(name.removeprefix("stage")) for name in counts), default=0)
    return tuple(Stage((Unit((), None),) * counts[f"stage{number}"], ()) for number in range(1, last + 1))


def _ends(sections: Sequence[Section]) -> tuple[Series, Series]:
    """The layers before the first stage, without the input, and those behind the last."""
    before = list(takewhile(lambda section: not _STAGE.fullmatch(section.name) and section.name != "head", sections))
    behind = [section for section in sections[len(before) :] if not _STAGE.fullmatch(section.name)]
    stem, head = (tuple(chain.from_iterable(one.series for one in part)) for part in (before, behind))
    return stem[1:], head


def with_longer_stem(network: Outline, count: int) -> Outline:
    """The network with the first layers of its first unit, which stand before its fork, at the end of the stem."""
    first, unit = network.stages[0], network.stages[0].units[0]
    shortcut = unit.shortcut and replace(unit.shortcut, fork=0, merge=unit.shortcut.merge - count)
    shorter = replace(first, units=(Unit(unit.main[count:], shortcut), *first.units[1:]))
    return replace(network, stem=(*network.stem, *unit.main[:count]), stages=(shorter, *network.stages[1:]))


def _outputs(graph: Graph, sections: Iterable[Section]) -> tuple[str, ...]:
    ends = {section.nodes[-1].name: section.name for section in sections}
    last = {graph.nodes[-1].name: "the last layer"}
    return tuple({**ends, **last}.get(name, name) for name in graph.outputs)


def _stage(graph: Graph, section: Section) -> Stage:
    parts = analysis.units(section)
    units = tuple(_unit(graph, part.series) for part in parts if _UNIT.fullmatch(part.name))
    after = chain.from_iterable(part.series for part in parts if not _UNIT.fullmatch(part.name))
    return Stage(units, block(graph, tuple(after)))


def _unit(graph: Graph, elements: Series) -> Unit:
    """A unit with a shortcut where it has one addition that has one, or else its layers as they stand."""
    additions = [one for one in elements if isinstance(one, Parallel) and isinstance(one.merge.op, ops.Add)]
    if len(additions) != 1 or len(additions[0].paths) != 2 or (index := analysis.shortcut(additions[0])) is None:
        return Unit(block(graph, elements), None)
    [addition], place = additions, elements.index(additions[0])
    before, residual = block(graph, elements[:place]), block(graph, addition.paths[1 - index])
    behind = block(graph, elements[place + 1 :])
    layers = _without_followed_numbers(block(graph, addition.paths[index]), residual, addition.merge.shape[-1])
    return Unit((*before, *residual, *behind), Shortcut(len(before), len(before) + len(residual), layers))


def block(graph: Graph, elements: Series) -> Block:
    items: list[Item] = []
    for element in elements:
        if isinstance(element, Parallel):
            items.append(_branch(graph, element))
        else:
            arriving = graph[element.inputs[0]].shape if element.inputs else element.shape
            items = reduced(items, element.op, arriving)
    return tuple(items)


def _branch(graph: Graph, parallel: Parallel) -> Branch:
    """The paths of a merge; where their order does not count, in one that does not depend on it.

    That of a product begins with one of its shape, which the others weigh.
    """
    merge = parallel.merge
    paths = [block(graph, path) for path in parallel.paths]
    if isinstance(merge.op, ops.Commutative):
        weighs = [graph[name].shape != merge.shape for name in merge.inputs]
        order = sorted(range(len(paths)), key=lambda index: (weighs[index], len(paths[index]), repr(paths[index])))
        paths = [paths[index] for index in order]
    return Branch(cast(MergeKind, op_name(merge.op)), tuple(paths))


def _without_followed_numbers(layers: Block, residual: Block, channels: int) -> Block:
    """The layers of a shortcut without the stride and the channels that follow from the residual path.

    Zero padding (option A) has its two layers even where there are no rows to leave out, or no channels to append.
    """
    items, total = list(layers), stride(residual)
    strided = [index for index, item in enumerate(items) if isinstance(item, Strided)]
    pads = any(isinstance(item, ops.PadChannels) for item in items)
    if stride(layers) == total and strided:
        leader = next(index for index in strided if _stride(items[index]) == total)
        items[leader] = replace(cast(Strided, items[leader]), stride=FOLLOWED_STRIDE)
    elif total == (1, 1) and pads:
        items.insert(0, ops.Subsample(FOLLOWED_STRIDE))
    if items == [ops.Subsample(FOLLOWED_STRIDE)]:
        items.append(ops.PadChannels(channels))
    return _without_followed_channels(items, channels)


def _stride(item: Item) -> ops.Pair | None:
    return item.stride if isinstance(item, Strided) else None


def _without_followed_channels(items: list[Item], channels: int) -> Block:
    for index, item in reversed(list(enumerate(items))):
        if isinstance(item, ops.Conv) and item.filters == channels:
            items[index] = replace(item, filters=FOLLOWS)
        elif isinstance(item, ops.PadChannels) and item.channels == channels:
            items[index] = replace(item, channels=FOLLOWS)
        if isinstance(item, ops.Conv | ops.PadChannels | Branch):
            break
    return tuple(items)
