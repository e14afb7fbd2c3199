"""Shortcuts: option A, B or C, with or without norm, or none at all."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from archbuilder.comparison.deviations.deviation import Undoing, UnitPlace
from archbuilder.comparison.deviations.layer_order import ADDITION, order, tokens
from archbuilder.comparison.wording.phrases import names, shortcut_kind, units
from archbuilder.graph.ops import Shape
from archbuilder.outline.parts import Branch, Outline, Shortcut, Unit, skeleton
from archbuilder.outline.shapes import blocks, passages

NONE, IDENTITY, ZERO_PADDING, SUBSAMPLED = "none", "identity", "zero padding", "subsampled identity"
_OPTIONS = {
    ("zero padding", "identity"): "option A (zero padding where the shape changes)",
    ("projection with norm", "identity"): "option B (projections with norm where the shape changes)",
    ("projection with norm", "projection with norm"): "option C (projections with norm in every unit)",
    ("projection without norm", "identity"): "projections without norm where the shape changes",
    ("identity", "identity"): "the identity",
    (NONE, NONE): NONE,
}  # fmt: skip
"""The kinds of shortcuts where the shape changes, and elsewhere (arXiv:1512.03385, sections 3.3 and 4.1)."""


def kind(unit: Unit) -> str:
    return shortcut_kind(unit.shortcut.layers) if unit.shortcut else NONE


def option(network: Outline) -> str | None:
    """The one rule that all shortcuts of a network follow, if there is one."""
    kinds: dict[bool, set[str]] = {True: set(), False: set()}
    for unit, before, after in _shapes(network):
        kinds[before != after].add(kind(unit))
    if any(len(found) > 1 for found in kinds.values()) or not any(kinds.values()):
        return None
    where, elsewhere = (next(iter(found), "") for found in (kinds[True], kinds[False]))
    pair = (where or elsewhere, elsewhere or (NONE if where == NONE else IDENTITY))
    return _OPTIONS.get(pair, f"{_article(pair[0])} where the shape changes, {_article(pair[1])} elsewhere")


def _article(kind: str, plural: bool = False) -> str:
    if kind in (IDENTITY, SUBSAMPLED):
        return f"the {kind}"
    if kind.startswith(("projection", "product")):
        return kind.replace("projection", "projections") if plural else f"a {kind}"
    return kind


def _shapes(network: Outline) -> list[tuple[Unit, Shape, Shape]]:
    """Each unit with the shapes that arrive and leave."""
    shapes = [network.input, *(passage.shape for passage in passages(network))]
    placed = zip(blocks(network), shapes[:-1], shapes[1:], strict=True)
    return [(block, before, after) for block, before, after in placed if isinstance(block, Unit)]


def compare_shortcuts(state: Undoing) -> None:
    """Takes one deviation for two rules, else one for each difference that widths and strides do not ask for."""
    differing = {
        place
        for place, mine, theirs in state.units()
        if _shape(mine) != _shape(theirs) and not _other_merge(mine) and not _other_merge(theirs)
    }
    mine, theirs = option(state.mine), option(state.theirs)
    if not differing or (mine and mine == theirs):
        return
    if mine and theirs:
        undone = state.with_units(lambda a, b: _shortened(state, a, b), differing)
        state.take("shortcut", _sentence(mine, theirs, state.name), undone, names(differing))
    else:
        _compare_singly(state, differing)


def _other_merge(unit: Unit) -> bool:
    """Whether a unit has no shortcut that is added, but paths that meet in another way (gates, concatenation).

    A product only weighs what is there.
    """
    return unit.shortcut is None and any(isinstance(item, Branch) and item.kind != "multiply" for item in unit.main)


def _shape(unit: Unit) -> object:
    return skeleton(unit.shortcut.layers) if unit.shortcut else None


def _sentence(mine: str, theirs: str, name: str) -> str:
    if mine == NONE:
        return f"there are no shortcuts, {name} has {theirs}"
    return f"shortcuts are {mine}, {'but ' + name + ' has none' if theirs == NONE else f'those of {name} {theirs}'}"


def _compare_singly(state: Undoing, differing: set[UnitPlace]) -> None:
    groups: dict[tuple[str, str], set[UnitPlace]] = defaultdict(set)
    mine, theirs = (_kinds(one) for one in (state.mine, state.theirs))
    for index, (place, _, _) in enumerate(state.units()):
        if place in differing:
            groups[mine[index], theirs[index]].add(place)
    for pair, places in groups.items():
        about = units(places, state.theirs)
        mine_text, their_text = (_article(one, about.plural) for one in pair)
        shortcuts = "the shortcuts" if about.plural else "the shortcut"
        message = f"{shortcuts} of {about.text} {about.are} {mine_text}, {about.of(state.name)} {their_text}"
        undone = state.with_units(lambda a, b: _shortened(state, a, b), places)
        state.take("shortcut", message, undone, names(places))


def _kinds(network: Outline) -> list[str]:
    """The kind of shortcut of each unit; zero padding that appends no channels only leaves out rows and columns."""
    found = []
    for unit, before, after in _shapes(network):
        subsampled = kind(unit) == ZERO_PADDING and before[-1] == after[-1]
        found.append(SUBSAMPLED if subsampled else kind(unit))
    return found


def _shortened(state: Undoing, mine: Unit, theirs: Unit) -> Unit:
    """My unit with their shortcut."""
    if theirs.shortcut is None:
        return Unit(mine.main, None)
    layers = state.dressed(theirs.shortcut.layers, mine)
    if mine.shortcut:
        return replace(mine, shortcut=replace(mine.shortcut, layers=layers))
    return Unit(mine.main, Shortcut(*_ends(mine, theirs), layers))


def _ends(mine: Unit, theirs: Unit) -> tuple[int, int]:
    """Where a shortcut forks and is added in a unit that has none: as in theirs, if the layers are the same."""
    assert theirs.shortcut
    if tokens(mine) == tokens(replace(theirs, shortcut=None)):
        return theirs.shortcut.fork, theirs.shortcut.merge
    found = order(mine)
    return 0, found.tokens(tokens(mine).count("conv")).index(ADDITION) if found else len(mine.main)
