"""The places of strides, and the widths of units."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction

from archbuilder.comparison.deviations.deviation import Patch, Undoing, UnitPlace
from archbuilder.comparison.deviations.following import following
from archbuilder.comparison.wording.phrases import kind, listed, names, ordinal, per_stage, size, stages, units
from archbuilder.graph import ops
from archbuilder.graph.ops import Pair
from archbuilder.outline.parts import Outline, Stage, Strided, Unit, convs, with_convs

MOST_GROUPS = 3
"""The most kinds of units whose widths are told one by one."""
Stride = tuple[int, int, Pair]
"""The unit, the layer in its main path, and the stride."""


def compare_strides(state: Undoing) -> None:
    groups: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    pairs = list(zip(state.mine.stages, state.theirs.stages, strict=True))
    for index, (mine, theirs) in enumerate(pairs, 1):
        if (texts := _stride_texts(mine, theirs)) is not None:
            groups[texts].add(index)
    strided = {index for index, (_, theirs) in enumerate(pairs, 1) if _strides(theirs)}
    for (verb, mine_text, their_text), found in groups.items():
        of = "stages" if found == strided else stages(found)
        message = f"the stride of {of} {verb} {mine_text}, that of {state.name} {their_text}"
        places = {place for place, _, _ in state.units() if place[0] in found}
        undone = state.with_units(_strided, places, follow=True)
        state.take("stride", message, undone, tuple(f"stage{index}" for index in sorted(found)))


def _strides(stage: Stage) -> list[Stride]:
    """The strides of a stage, each with its place."""
    return [
        (number, position, item.stride)
        for number, unit in enumerate(stage.units, 1)
        for position, item in enumerate(unit.main)
        if isinstance(item, Strided) and item.stride != (1, 1)
    ]


def _stride_texts(mine: Stage, theirs: Stage) -> tuple[str, str, str] | None:
    a, b = _strides(mine), _strides(theirs)
    if a == b:
        return None
    if [stride for *_, stride in a] != [stride for *_, stride in b]:
        return "is", _totals(a), _totals(b)
    if [unit for unit, *_ in a] != [unit for unit, *_ in b]:
        return "stands", _unit_words(a, mine), _unit_words(b, theirs)
    return "stands", _layer_words(a, mine), _layer_words(b, theirs)


def _totals(found: list[Stride]) -> str:
    return listed([f"{s[0]}" if s[0] == s[1] else size(s) for *_, s in found] or ["1"])


def _unit_words(found: list[Stride], stage: Stage) -> str:
    last = len(stage.units)
    return listed([f"in the {'last' if unit == last > 1 else ordinal(unit)} unit" for unit, *_ in found])


def _layer_words(found: list[Stride], stage: Stage) -> str:
    return listed(list(dict.fromkeys(_which(stage.units[unit - 1], position) for unit, position, _ in found)))


def _which(unit: Unit, position: int) -> str:
    """`the 3x3 convolution`, `the first 1x1 convolution`."""
    alike = [index for index, item in enumerate(unit.main) if kind(item) == kind(unit.main[position])]
    number = f"{ordinal(alike.index(position) + 1)} " if len(alike) > 1 else ""
    return f"on the {number}{kind(unit.main[position])}"


def _strided(mine: Unit, theirs: Unit) -> Unit:
    main = tuple(
        replace(a, stride=b.stride) if isinstance(a, Strided) and isinstance(b, Strided) else a
        for a, b in zip(mine.main, theirs.main, strict=True)
    )
    return replace(mine, main=main)


def compare_widths(state: Undoing) -> None:
    """The widths inside the units, then how much wider they end, stage by stage; units that do not fit this, singly."""
    differing = {place for place, mine, theirs in state.units() if _widths(mine) != _widths(theirs)}
    if not differing:
        return
    tables = [table for one in (state.mine, state.theirs) if (table := _table(one)) is not None]
    if len(tables) < 2:
        _compare_singly(state, differing)
        return
    _take(state, "widths", "are {} wide", [[inner for inner, _ in table] for table in tables], _with_inner)
    expansions = [[expansion for _, expansion in table] for table in tables]
    _take(state, "expansion", "come out {} times as wide as they are inside", expansions, _with_filters)


def _widths(unit: Unit) -> tuple[int, ...]:
    return tuple(conv.filters for conv in convs(unit.main))


def _table(network: Outline) -> list[tuple[int, int]] | None:
    """Width and expansion of each stage; None where its units differ or have no such numbers."""
    rows = []
    for stage in network.stages:
        found = {_widths(unit) for unit in stage.units}
        if len(found) != 1 or (row := _row(found.pop())) is None:
            return None
        rows.append(row)
    return rows


def _row(widths: tuple[int, ...]) -> tuple[int, int] | None:
    if not widths or len(set(widths[:-1])) > 1 or widths[-1] % widths[0]:
        return None
    return widths[0], widths[-1] // widths[0]


def _take(state: Undoing, code: str, text: str, columns: list[list[int]], patch: Patch) -> None:
    mine, theirs = columns
    if mine == theirs:
        return
    found = {index for index, pair in enumerate(zip(mine, theirs, strict=True), 1) if pair[0] != pair[1]}
    message = f"units {text.format(_column(mine))}, those of {state.name} {_column(theirs)}"
    places = {place for place, _, _ in state.units() if place[0] in found}
    undone = state.with_units(patch, places, follow=True)
    state.take(code, message, undone, tuple(f"stage{index}" for index in sorted(found)))


def _column(values: list[int]) -> str:
    return str(values[0]) if len(set(values)) == 1 else per_stage(values)


def _with_inner(mine: Unit, theirs: Unit) -> Unit:
    """My unit as wide inside as theirs, with my expansion."""
    own, other = convs(mine.main), convs(theirs.main)
    widths = [conv.filters for conv in other]
    widths[-1] = widths[0] * own[-1].filters // own[0].filters
    return replace(mine, main=with_convs(mine.main, _filtered(own, widths)))


def _with_filters(mine: Unit, theirs: Unit) -> Unit:
    own = convs(mine.main)
    return replace(mine, main=with_convs(mine.main, _filtered(own, [conv.filters for conv in convs(theirs.main)])))


def _filtered(own: tuple[ops.Conv, ...], widths: list[int]) -> tuple[ops.Conv, ...]:
    return tuple(replace(conv, filters=width) for conv, width in zip(own, widths, strict=True))


def _compare_singly(state: Undoing, differing: set[UnitPlace]) -> None:
    """Units that differ by the same factors are told together, and all of them where there are many kinds."""
    groups: dict[tuple[Fraction, ...], set[UnitPlace]] = defaultdict(set)
    follow = following(state.mine, state.theirs)
    for (stage, unit), mine, theirs in state.units():
        pairs = enumerate(zip(_widths(mine), _widths(theirs), strict=True))
        factors = [Fraction(1) if ((stage - 1, unit - 1), at) in follow else Fraction(*pair) for at, pair in pairs]
        if (stage, unit) in differing and set(factors) != {Fraction(1)}:
            groups[tuple(factors)].add((stage, unit))
    parts = list(groups.values()) if len(groups) <= MOST_GROUPS else [set[UnitPlace]().union(*groups.values())]
    for places in parts:
        found = [(mine, theirs) for place, mine, theirs in state.units() if place in places]
        ours, others = (_spanned([_widths(pair[side]) for pair in found]) for side in (0, 1))
        subject = units(places, state.theirs)
        message = f"the convolutions of {subject.text} have {ours} filters, those of {state.name} {others}"
        undone = state.with_units(_with_filters, places, follow=True)
        state.take("widths", message, undone, names(places))


def _spanned(rows: list[tuple[int, ...]]) -> str:
    """The widths of some units, only the first and the last of many."""
    texts = list(dict.fromkeys(map(per_stage, rows)))
    return listed(texts) if len(texts) <= MOST_GROUPS else f"{texts[0]} to {texts[-1]}"
