"""Networks that no outline of stages and units describes, compared op by op."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import fields, replace

from archbuilder.comparison.deviations.deviation import Deviation
from archbuilder.comparison.deviations.layer_settings import PADDED, of_description, of_settings, settled
from archbuilder.comparison.wording.phrases import listed
from archbuilder.comparison.wording.subjects import Pair
from archbuilder.formatting import counted
from archbuilder.graph.network import Costs, Graph, Node
from archbuilder.graph.ops import Op, show
from archbuilder.graph.words import node_words
from archbuilder.outline.canonical import Row, canonical, ordered_rows, side_by_side, trees
from archbuilder.outline.from_graph import stages_of
from archbuilder.outline.parts import Outline, word
from archbuilder.outline.resizing import with_ops

OP_BY_OP = "layers"
"""The code of the deviation that stands for all differences of layers and of how they are connected."""
MOST_NAMES = 4
"""The most layers that are named one by one."""


def compare_op_by_op(
    mine: Graph, fitted: Graph | None, theirs: Graph
) -> tuple[tuple[Deviation, ...], tuple[Deviation, ...]]:
    """The deviations of my network, and notes; `fitted` is mine at the size of their images, where it fits that."""
    network = fitted or mine
    found: list[Deviation] = []
    if mine.input.shape != theirs.input.shape:
        message = f"the image is {show(mine.input.shape)}, that of {theirs.name} {show(theirs.input.shape)}"
        found.append(Deviation("input", message, (), mine.costs - fitted.costs if fitted else None))
    if fitted and canonical(fitted) == canonical(theirs):
        return tuple(found), tuple(_notes(fitted, theirs))
    if rows := side_by_side(network, theirs):
        of_settings, notes = _of_settings(network, theirs, rows)
        return (*found, *of_settings), notes
    code, message, where = _difference(network, theirs)
    return (*found, Deviation(code, message, where, network.costs - theirs.costs)), ()


def _of_settings(mine: Graph, theirs: Graph, rows: list[tuple[Row, Row]]) -> tuple[tuple[Deviation, ...], ...]:
    """The deviations, and the notes, of networks in which only settings of layers differ."""
    places = {node.name: place for place, node in enumerate(theirs.nodes)}
    rows = sorted((row for row in rows if row[1].inputs), key=lambda row: places[row[1].node.name])
    pairs, names = _pairs(theirs, rows), [ours.node.name for ours, _ in rows]
    network = Outline(theirs.input.shape, (), stages_of(theirs), (), ())
    found: list[Deviation] = []
    notes: list[Deviation] = []
    before: Costs | None = mine.costs
    for differences in (of_description, of_settings):
        for one in settled(pairs, differences, network, theirs.name):
            undone = with_ops(mine, dict(zip(names, one.after, strict=True)))
            after = undone.costs if undone else None
            effect = before - after if before is not None and after is not None else None
            (notes if one.is_note else found).append(Deviation(one.code, one.message, one.where, effect))
            before, pairs = after, [replace(pair, mine=op) for pair, op in zip(pairs, one.after, strict=True)]
    return tuple(found), tuple(notes)


def _pairs(theirs: Graph, rows: Iterable[tuple[Row, Row]]) -> list[Pair]:
    """Layers side by side; of two ways to write one layer, theirs counts for both."""
    seen: Counter[tuple[str, bool, str]] = Counter()
    found = []
    for ours, other in rows:
        mine, op, node = ours.node.op, other.node.op, other.node
        if ours.item == other.item and mine.untrained() != op.untrained():
            mine = op
        if isinstance(mine, PADDED) and isinstance(op, PADDED) and _padding(ours) == _padding(other):
            mine = replace(mine, padding=op.padding)
        pair = Pair(mine, op, theirs[node.inputs[0]].shape, node.section, on_shortcut=False, number=0)
        on_shortcut = pair.in_unit and "shortcut" in node.name.split("/")
        seen[place := (node.section, on_shortcut, word(op))] += 1
        found.append(replace(pair, on_shortcut=on_shortcut, number=seen[place]))
    return found


def _padding(row: Row) -> object:
    return row.item.padding if isinstance(row.item, PADDED) else None


def _difference(mine: Graph, theirs: Graph) -> tuple[str, str, tuple[str, ...]]:
    """The layers that the other network does not compute, or else how what they return is used."""
    (here, our_outputs), (there, their_outputs) = trees(mine), trees(theirs)
    ours, others = _without_counterpart(here, there), _without_counterpart(there, here)
    where = tuple(dict.fromkeys(node.section for node in ours))
    if ours or others:
        parts = (_missing(ours, len(here), theirs.name), _missing(others, len(there), "", theirs.name))
        return OP_BY_OP, "; ".join(parts), where
    if our_outputs != their_outputs:
        return "outputs", f"the outputs are {_named(mine.outputs)}, those of {theirs.name} {_named(theirs.outputs)}", ()
    return OP_BY_OP, f"the layers are those of {theirs.name}, but what equal ones return goes to other layers", ()


def _without_counterpart(mine: Iterable[tuple[Hashable, Node]], theirs: Iterable[tuple[Hashable, Node]]) -> list[Node]:
    left, missing = Counter(value for value, _ in theirs), []
    for value, node in mine:
        left[value] -= 1
        if left[value] < 0:
            missing.append(node)
    return missing


def _missing(nodes: list[Node], count: int, other: str, owner: str = "") -> str:
    """`2 of 9 layers are computed as none of X is, from stem/conv1 (3x3 conv, 8, behind input) on`."""
    whose = f"of the {counted(count, 'layer')} of {owner}" if owner else f"of {counted(count, 'layer')}"
    there = f"of {other}" if other else "here"
    if not nodes:
        return f"all {whose} are computed as one {there} is"
    first = nodes[0]
    words = f"{node_words(first)}, behind {_named(first.inputs)}" if first.inputs else node_words(first)
    is_computed = "is computed" if len(nodes) == 1 else "are computed"
    return f"{len(nodes):,} {whose} {is_computed} as none {there} is, from {first.name} ({words}) on"


def _named(names: tuple[str, ...]) -> str:
    if len(names) <= MOST_NAMES:
        return listed(names)
    return f"{', '.join(names[: MOST_NAMES - 1])} and {len(names) - MOST_NAMES + 1:,} more"


def _notes(mine: Graph, theirs: Graph) -> Iterable[Deviation]:
    """How the weights of equal layers start and are regularised, where that differs."""
    pairs = zip(ordered_rows(mine)[0], ordered_rows(theirs)[0], strict=True)
    places = {node.name: place for place, node in enumerate(mine.nodes)}
    differing = [a.node for a, b in pairs if _of_training(a.node.op) != _of_training(b.node.op)]
    if differing:
        first = min(differing, key=lambda node: places[node.name])
        message = f"weights of {counted(len(differing), 'layer')} start or are regularised otherwise"
        yield Deviation("start", f"{message}, first those of {first.name}", (first.section,), None)


def _of_training(op: Op) -> dict[str, object]:
    """What of an op only starts or regularises its weights, where it is not as it is by default."""
    plain = op.untrained()
    return {
        field.name: value for field in fields(op) if (value := getattr(op, field.name)) != getattr(plain, field.name)
    }
