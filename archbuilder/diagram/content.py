"""The content of a diagram at one of three levels: stages, units or layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, takewhile
from typing import assert_never

from archbuilder.aliases import Level
from archbuilder.diagram.flow import Box, Flow, Fork, Kind, Line, Panel, Side, Stroke, Words
from archbuilder.graph import ops
from archbuilder.graph.analysis import (
    Parallel,
    Section,
    Series,
    ShortcutKind,
    flatten,
    shortcut,
    shortcut_kind,
    signature,
    stages,
    units,
)
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Op, show
from archbuilder.graph.words import node_words

TIMES = "\N{MULTIPLICATION SIGN}"
STROKES: dict[ShortcutKind | None, Stroke] = {
    "identity": "solid", "projection": "dashed", "parameter-free": "dotted", None: "solid"
}  # fmt: skip


def content(graph: Graph, level: Level) -> Flow:
    """All that the diagram of a network shows, from the input down, where it is series-parallel."""
    return tuple(element for stage in stages(graph) for element in _stage(graph, stage, level))


def _stage(graph: Graph, stage: Section, level: Level) -> Flow:
    parts = units(stage)
    if all(part.name == stage.name for part in parts):
        return _elements(stage.series, level)
    flow: list[Box | Fork | Panel] = []
    for _, same in groupby(parts, key=lambda unit: (unit.name == stage.name, signature(graph, unit.nodes))):
        flow += _units(stage, list(same), level)
    return (stage_panel(stage, tuple(flow)),)


def stage_panel(stage: Section, flow: Flow) -> Panel:
    details = f"{times(show(stage.nodes[-1].shape))} · {sum(node.trainable for node in stage.nodes):,} parameters"
    return Panel(stage.name, _spaced(stage.name), details, flow)


def unit_panel(unit: Section, flow: Flow) -> Panel:
    return Panel(unit.name, _spaced(unit.name.rpartition("/")[2]), "", flow)


def repeated_panel(name: str, count: int, flow: Flow) -> Panel:
    """The frame around the last of some equal units, which stands for all."""
    return Panel(name, f"{TIMES}{count}", "", flow)


def _units(stage: Section, same: Sequence[Section], level: Level) -> Flow:
    """Consecutive units that are alike: one for all at stage level, each for itself otherwise."""
    if level == "stage" and len(same) > 1:
        return (repeated_panel(same[-1].name, len(same), _elements(same[-1].series, level)),)
    flows = [(unit, _elements(unit.series, level)) for unit in same]
    if level == "layer" and same[0].name != stage.name:
        return tuple(unit_panel(unit, flow) for unit, flow in flows)
    return tuple(element for _, flow in flows for element in flow)


def _spaced(name: str) -> str:
    """`stage 1` from `stage1`."""
    return re.sub(r"(?<=[a-z])(?=\d+$)", " ", name)


def times(text: str) -> str:
    """Sizes with a proper multiplication sign."""
    return re.sub(r"(?<=\d)x(?=\d)", TIMES, text)


def _elements(series: Series, level: Level) -> Flow:
    if level == "layer":
        return tuple(_layer(element) for element in series)
    return tuple(_summaries(series, level))


def _layer(element: Node | Parallel) -> Box | Fork:
    if isinstance(element, Node):
        return Box(element.name, ((Words(_words(element)),),), element.op.family)
    main, sides = _split(element)
    flows = [Side(_elements(element.paths[index], "layer"), _stroke(element, index), ()) for index in sides]
    return Fork(_elements(element.paths[main], "layer"), tuple(flows), merge_box(element.merge, ()))


def _split(parallel: Parallel) -> tuple[int, list[int]]:
    """The path that is drawn on the spine, and those beside it, the shortcut last."""
    aside = shortcut(parallel)
    others = [index for index in range(len(parallel.paths)) if index != aside] or [0]
    return others[0], others[1:] + ([aside] if aside not in (None, others[0]) else [])


def _stroke(parallel: Parallel, index: int) -> Stroke:
    return STROKES[shortcut_kind(parallel)] if index == shortcut(parallel) else "solid"


def merge_box(node: Node, after: Sequence[Node]) -> Box:
    """A merge, with the norm and activation that follow it."""
    line = (Words(_symbol(node.op)), *(Words(_words(minor), faint=True) for minor in after))
    return Box([node, *after][-1].name, (line,), "merge")


def _words(node: Node) -> str:
    return times(f"input, {show(node.shape)}" if isinstance(node.op, ops.Input) else node_words(node))


def _symbol(merge: Op) -> str:
    assert isinstance(merge, ops.Merge)
    match merge:
        case ops.Add():
            return "+"
        case ops.Multiply():
            return TIMES
        case ops.Concat():
            return "concat"
        case ops.Gate():
            return "gate"
        case _:
            assert_never(merge)


def _summaries(series: Series, level: Level) -> Iterator[Box | Fork]:
    """A unit in few boxes: one for each run of alike layers, and one for each path to a merge."""
    rest = series
    while rest:
        run = tuple(takewhile(lambda element: isinstance(element, Node), rest))
        if run:
            yield from boxes(run, level)
            rest = rest[len(run) :]
        elif isinstance(rest[0], Parallel):
            after = _told_with_merge(rest[1:])
            yield _summary(rest[0], after, level)
            rest = rest[1 + len(after) :]


def _told_with_merge(behind: Series) -> list[Node]:
    """The norm and activation behind a merge, where no layer follows that they could belong to."""
    nodes: list[Node] = []
    for element in behind:
        if isinstance(element, Parallel):
            break
        nodes.append(element)
    return [] if any(map(is_major, nodes)) else nodes


def _summary(parallel: Parallel, after: Sequence[Node], level: Level) -> Fork:
    main, sides = _split(parallel)
    merge = merge_box(parallel.merge, after)
    return Fork(_path(parallel.paths[main], level), tuple(_side(parallel, index, level) for index in sides), merge)


def _path(series: Series, level: Level) -> Flow:
    """A path in few boxes; merges of several paths with weights, as in an Inception unit, are drawn in it."""
    if any(isinstance(element, Parallel) and _has_paths(element) for element in series):
        return tuple(_summaries(series, level))
    return boxes(series, level)


def _has_paths(parallel: Parallel) -> bool:
    """Whether several paths of a merge hold weights; those of a product only weigh the first, which a line tells."""
    weighed = [path for path in parallel.paths if any(node.weights for node in flatten(path))]
    return len(weighed) > 1 and not isinstance(parallel.merge.op, ops.Multiply)


def _side(parallel: Parallel, index: int, level: Level) -> Side:
    path = parallel.paths[index]
    stroke = _stroke(parallel, index)
    if index != shortcut(parallel):
        return Side(_path(path, level), stroke, ())
    lines = [_line(row, level) for row in _rows(path)]
    return Side((), stroke, tuple(" · ".join(word.text for word in line) for line in lines))


def boxes(series: Series, level: Level) -> tuple[Box, ...]:
    """Rows of one kind that follow each other share a box."""
    rows = _rows(series)
    kinds: list[Kind] = []
    for row in rows:
        kinds.append(_row_kind(row, kinds[-1] if kinds else "other"))
    found = []
    for kind, pairs in groupby(zip(kinds, rows, strict=True), key=lambda pair: pair[0]):
        same = [row for _, row in pairs]
        found.append(Box(same[-1][-1].name, tuple(_line(row, level) for row in same), kind))
    return tuple(found)


Row = list["Node | Parallel"]


def _rows(series: Series) -> list[Row]:
    """The groups of layers that share a line: a layer with the norm and activation before it, or else behind it."""
    elements = list(_inlined(series))
    before = bool(elements) and not is_major(elements[0])
    rows: list[Row] = []
    for element in elements:
        if not rows or (is_major(rows[-1][-1]) if before else is_major(element)):
            rows.append([])
        rows[-1].append(element)
    if len(rows) > 1 and not any(map(is_major, rows[-1])):
        rows[-2:] = [rows[-2] + rows[-1]]
    return rows


def _inlined(series: Series) -> Iterator[Node | Parallel]:
    """A series with the main path of each inner merge before the merge."""
    for element in series:
        if isinstance(element, Parallel):
            yield from _inlined(element.paths[_split(element)[0]])
        yield element


def is_major(element: Node | Parallel) -> bool:
    """Whether it has a line of its own; what is minor is told beside a convolution."""
    if isinstance(element, Parallel):
        return True
    op = element.op
    if isinstance(op, ops.Elementwise):
        return False
    if isinstance(op, ops.Weighted | ops.Pooling | ops.Merge):
        return True
    match op:
        case ops.LocalResponseNorm() | ops.Flatten() | ops.Pad() | ops.ShuffleChannels():
            return False
        case ops.Input() | ops.Subsample() | ops.Upsample() | ops.PadChannels() | ops.SliceChannels():
            return True
        case _:
            assert_never(op)


def _row_kind(row: Row, previous: Kind) -> Kind:
    """The kind of what a row is about; an inner merge goes with the row before."""
    main = next(filter(is_major, row), row[0])
    return previous if isinstance(main, Parallel) else main.op.family


def _line(row: Row, level: Level) -> Line:
    """All that a row holds; at stage level only its layers, as in the papers' tables."""
    told = [element for element in row if level == "unit" or is_major(element) or _telling(element)] or row
    return tuple(_told(element) for element in told)


def _telling(element: Node | Parallel) -> bool:
    """Whether an activation says what a path is for: an output or a gate."""
    return isinstance(element, Node) and element.op in (ops.Activation("softmax"), ops.Activation("sigmoid"))


def _told(element: Node | Parallel) -> Words:
    if isinstance(element, Node):
        return Words(_words(element), faint=not is_major(element))
    op = element.merge.op
    assert isinstance(op, ops.Merge)
    names = [op.paths[index] for index in _split(element)[1]]
    return Words(f"{_symbol(op)} {', '.join(names)}")
