"""The content of a diagram at one of three levels: stages, units or layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import chain, groupby, takewhile
from typing import assert_never

from archbuilder.aliases import Level
from archbuilder.diagram.flow import Box, Flow, Fork, Kind, Line, Panel, Side, Stroke, Words
from archbuilder.diagram.folding import Uses, rows, uses
from archbuilder.graph import ops
from archbuilder.graph.analysis import (
    Parallel,
    Section,
    Series,
    ShortcutKind,
    flatten,
    shortcut,
    shortcut_kind,
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
    used = uses(graph)
    return tuple(element for stage in stages(graph) for element in _stage(graph, stage, level, used))


def _stage(graph: Graph, stage: Section, level: Level, used: Uses) -> Flow:
    if is_bare(stage):
        return section_flow(stage, level)
    parts = rows(graph, stage, used) if level == "stage" else ((unit,) for unit in units(stage))
    return (stage_panel(stage, tuple(element for same in parts for element in _units(stage, same, level))),)


def _units(stage: Section, same: Sequence[Section], level: Level) -> Flow:
    """Equal units, of which one stands for all, or a single section."""
    *_, last = same
    flow = section_flow(last, level)
    if len(same) > 1:
        return (repeated_panel(same, flow),)
    return (unit_panel(last, flow),) if level == "layer" and last.name != stage.name else flow


def is_bare(stage: Section) -> bool:
    """Whether a stage has no units, as a stem or a head, and so no frame around it."""
    return all(part.name == stage.name for part in units(stage))


def section_flow(section: Section, level: Level) -> Flow:
    """What one section shows, without a frame around it."""
    return _elements(section.series, level)


def stage_panel(stage: Section, flow: Flow) -> Panel:
    """A stage in its frame; the shape told is that of its units, whatever stands behind them."""
    last = [unit for unit in units(stage) if unit.name != stage.name][-1]
    details = f"{times(show(last.nodes[-1].shape))} · {sum(node.trainable for node in stage.nodes):,} parameters"
    return Panel(stage.name, spaced(stage.name), details, flow, stage.nodes)


def unit_panel(unit: Section, flow: Flow) -> Panel:
    return Panel(unit.name, spaced(unit.name.rpartition("/")[2]), "", flow, unit.nodes)


def repeated_panel(same: Sequence[Section], flow: Flow) -> Panel:
    """The frame around the last of some equal units, which stands for all."""
    first, last = same[0].nodes[-1].shape[-1], same[-1].nodes[-1].shape[-1]
    details = "" if first == last else f"{first:,} to {last:,} channels"
    nodes = tuple(chain.from_iterable(unit.nodes for unit in same))
    return Panel(same[-1].name, f"{TIMES}{len(same)}", details, flow, nodes, tuple(same))


def spaced(name: str) -> str:
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
        return Box(element.name, ((Words(_words(element)),),), element.op.family, (element,))
    main, sides = _split(element)
    flows = tuple(_side(element, index, "layer") for index in sides)
    return Fork(_elements(element.paths[main], "layer"), flows, merge_box(element.merge, ()))


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
    return Box([node, *after][-1].name, (line,), "merge", (node, *after))


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
        run = tuple(takewhile(_is_told, rest))
        if run:
            yield from boxes(run, level)
            rest = rest[len(run) :]
        elif isinstance(rest[0], Parallel):
            after = _told_with_merge(rest[1:])
            yield _summary(rest[0], after, level)
            rest = rest[1 + len(after) :]


def _is_told(element: Node | Parallel) -> bool:
    """Whether a line tells it: a layer, or a product, whose other paths only weigh the first."""
    return isinstance(element, Node) or isinstance(element.merge.op, ops.Multiply)


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
    """Whether a merge has to be drawn: more than a line could tell, since several of its paths hold weights."""
    weighed = [path for path in parallel.paths if any(node.weights for node in flatten(path))]
    return len(weighed) > 1 and not _is_told(parallel)


def _side(parallel: Parallel, index: int, level: Level) -> Side:
    path = parallel.paths[index]
    stroke, nodes = _stroke(parallel, index), tuple(flatten(path))
    if level == "layer":
        return Side(_elements(path, level), stroke, (), nodes)
    if index != shortcut(parallel):
        return Side(_path(path, level), stroke, (), nodes)
    lines = [_line(row, level) for row in _rows(path)]
    return Side((), stroke, tuple(" · ".join(word.text for word in line) for line in lines), nodes)


Row = list["Node | Parallel"]


def boxes(series: Series, level: Level) -> tuple[Box, ...]:
    """Rows of one kind that follow each other share a box."""
    found = _rows(series)
    kinds: list[Kind] = []
    for row in found:
        kinds.append(_row_kind(row, kinds[-1] if kinds else "other"))
    return tuple(
        _box([row for _, row in pairs], kind, level)
        for kind, pairs in groupby(zip(kinds, found, strict=True), key=lambda pair: pair[0])
    )


def _box(same: Sequence[Row], kind: Kind, level: Level) -> Box:
    nodes = tuple(node for row in same for element in row for node in _held(element))
    return Box(same[-1][-1].name, tuple(_line(row, level) for row in same), kind, nodes)


def _held(element: Node | Parallel) -> Iterator[Node]:
    """What a line tells by an element of it: of an inner merge all but the main path, which has lines of its own."""
    if isinstance(element, Node):
        yield element
    else:
        for index in _split(element)[1]:
            yield from flatten(element.paths[index])
        yield element.merge


def _rows(series: Series) -> list[Row]:
    """The groups of layers that share a line: a layer with the norm and activation before it, or else behind it.

    Padding stands before the layer that it is for in either case.
    """
    elements = list(_inlined(series))
    before = _is_preactivated(elements)
    found: list[Row] = []
    for element in elements:
        has_layer = bool(found) and any(map(is_major, found[-1]))
        if not found or (has_layer and (before or is_major(element) or _is_padding(element))):
            found.append([])
        found[-1].append(element)
    if len(found) > 1 and not any(map(is_major, found[-1])):
        found[-2:] = [found[-2] + found[-1]]
    return found


def _is_padding(element: Node | Parallel) -> bool:
    return isinstance(element, Node) and isinstance(element.op, ops.Pad)


def _is_preactivated(elements: Sequence[Node | Parallel]) -> bool:
    """Whether norms and activations stand before their layers: one of them comes first."""
    minor = takewhile(lambda element: not is_major(element), elements)
    return any(not isinstance(node.op, ops.Flatten | ops.Pad | ops.Dropout) for node in flatten(tuple(minor)))


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
