"""The layers of a unit and their order: kinds of units, post- and pre-activation, single layers more or fewer."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from archbuilder.comparison.deviations.deviation import Undoing, UnitPlace
from archbuilder.comparison.wording.phrases import (
    Subject,
    is_projection,
    kind,
    kinds,
    listed,
    names,
    ordinal,
    size,
    units,
)
from archbuilder.graph import ops
from archbuilder.outline.parts import Block, Branch, Item, Outline, Shortcut, Unit, skeleton, word

POST, PRE, RELU_ONLY = "post-activated", "pre-activated", "pre-activated by the activation only"
ADDITION = "+"
_ORDERS = {
    POST: ("conv norm activation", "conv norm + activation"),
    "post-activated, with norm after the addition": ("conv norm activation", "conv + norm activation"),
    "post-activated, with the activation before the addition": ("conv norm activation", "conv norm activation +"),
    RELU_ONLY: ("activation conv norm", "activation conv norm +"),
    PRE: ("norm activation conv", "norm activation conv +"),
}  # fmt: skip
"""Each order (arXiv:1603.05027, figure 4): what stands around every convolution, and around the last."""
Texts = tuple[str, str]
"""The words for my units, and for theirs."""


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a unit's layers; `cut` of the first are left out since what comes before has done their work."""

    name: str
    cut: int = 0

    def tokens(self, count: int) -> list[str]:
        """The layers of a unit of so many convolutions, with the addition among them."""
        inner, last = _ORDERS[self.name]
        return [*inner.split() * (count - 1), *last.split()][self.cut :]


def tokens(unit: Unit) -> list[str]:
    """The layers of a unit, with the addition among them if it has a shortcut."""
    found = [word(item) for item in unit.main]
    return [*found[: unit.shortcut.merge], ADDITION, *found[unit.shortcut.merge :]] if unit.shortcut else found


def order(unit: Unit) -> Order | None:
    """The order of a unit's layers, if it has one of those with a name."""
    found = tokens(unit)
    count = found.count("conv")
    for one in _FORMS if count else ():
        wanted = one.tokens(count)
        if found == (wanted if unit.shortcut else [token for token in wanted if token != ADDITION]):
            return one
    return None


_FORMS = (*map(Order, _ORDERS), Order(PRE, cut=2), Order(RELU_ONLY, cut=1))


def main_convs(unit: Unit) -> list[ops.Conv]:
    return [item for item in unit.main if isinstance(item, ops.Conv)]


def compare_kinds(state: Undoing) -> None:
    """Units of different numbers of convolutions, such as basic units and bottlenecks."""
    groups: dict[Texts, set[UnitPlace]] = defaultdict(set)
    for place, mine, theirs in state.units():
        if len(main_convs(mine)) != len(main_convs(theirs)) and main_convs(mine) and main_convs(theirs):
            groups[_kind(mine), _kind(theirs)].add(place)
    for (mine_text, their_text), places in groups.items():
        subject = units(places, state.theirs)
        message = f"{subject.text} {subject.are} {mine_text}, {subject.of(state.name)} {their_text}"
        undone = state.with_units(lambda mine, theirs: _of_kind(state, mine, theirs), places, follow=True)
        rules = [depth_rule(one) for one in (state.mine, state.theirs)]
        if rules[0] and rules[1] and rules[0] != rules[1]:
            message += f"; so the depth is {rules[0]}, not {rules[1]}"
        state.take("unit-kind", message, undone, names(places))


def _kind(unit: Unit) -> str:
    sizes = [size(conv.kernel) for conv in main_convs(unit)]
    name = {("1x1", "3x3", "1x1"): "bottlenecks", ("3x3", "3x3"): "basic"}.get(tuple(sizes))
    if name is None:
        return f"of {listed(sizes)} convolutions" if len(sizes) > 1 else f"of a {sizes[0]} convolution"
    return f"{name} ({', '.join(sizes)})"


def depth_rule(network: Outline) -> str | None:
    """`6n+2` for n units a stage, where all stages have as many of one kind."""
    counts = {len(stage.units) for stage in network.stages}
    each = {len(main_convs(unit)) for stage in network.stages for unit in stage.units}
    layers = [item for item in (*network.stem, *network.head) if not isinstance(item, Branch)]
    outside = sum(layer.family in ("conv", "dense") for layer in layers)
    return f"{len(network.stages) * each.pop()}n+{outside}" if len(counts) == len(each) == 1 else None


def _of_kind(state: Undoing, mine: Unit, theirs: Unit) -> Unit:
    """A unit of their convolutions, as wide as mine, in my order."""
    own, other = main_convs(mine), main_convs(theirs)
    convs = [replace(conv, filters=max(1, conv.filters * own[0].filters // other[0].filters)) for conv in other]
    own_order = order(mine)
    if own_order is None:
        return _arranged(state, mine, theirs, convs)
    wanted = own_order.tokens(len(convs))
    parts = {"norm": _first(mine, ops.Norm), "activation": _first(mine, ops.Activation)}
    source = iter(state.dressed(tuple(convs), mine))
    main = [next(source) if one == "conv" else parts[one] for one in wanted if one != ADDITION]
    shortcut = mine.shortcut and Shortcut(mine.shortcut.fork, wanted.index(ADDITION), mine.shortcut.layers)
    return Unit(tuple(item for item in main if item is not None), shortcut)


def _first(unit: Unit, kind: type[ops.Norm | ops.Activation]) -> Item | None:
    return next((item for item in unit.main if isinstance(item, kind)), None)


def _arranged(state: Undoing, mine: Unit, theirs: Unit, convs: list[ops.Conv] | None = None) -> Unit:
    """My convolutions, and branches that theirs have too, in their order with my settings."""
    own = iter(convs or main_convs(mine))
    keep = len(convs or main_convs(mine)) == len(main_convs(theirs))
    branches = {skeleton((item,)): item for item in mine.main if isinstance(item, Branch)}

    def mine_for(item: Item) -> Item:
        if isinstance(item, ops.Conv):
            return next(own) if keep else state.dressed((item,), mine)[0]
        return branches.get(skeleton((item,)), item) if isinstance(item, Branch) else state.dressed((item,), mine)[0]

    main = tuple(map(mine_for, theirs.main))
    if theirs.shortcut and not mine.shortcut:
        return Unit(main, replace(theirs.shortcut, layers=state.dressed(theirs.shortcut.layers, mine)))
    shortcut = theirs.shortcut and Shortcut(
        theirs.shortcut.fork, theirs.shortcut.merge, mine.shortcut.layers if mine.shortcut else ()
    )
    return Unit(main, shortcut)


def compare_orders(state: Undoing) -> None:
    """Post- and pre-activation, and the orders between them."""
    groups: dict[Texts, set[UnitPlace]] = defaultdict(set)
    for place, mine, theirs in state.units():
        a, b = order(mine), order(theirs)
        if a and b and a.name != b.name:
            groups[a.name, b.name].add(place)
    for (mine_text, their_text), places in groups.items():
        subject = units(places, state.theirs)
        message = f"{subject.text} {subject.are} {mine_text}, {subject.of(state.name)} {their_text}"
        undone = state.with_units(lambda mine, theirs: _arranged(state, mine, theirs), places)
        state.take("activation-order", message, undone, names(places))


def compare_layers(state: Undoing) -> None:
    """Single layers that units have more or fewer of, or elsewhere."""
    groups: dict[str, set[UnitPlace]] = defaultdict(set)
    texts: dict[str, tuple[Unit, Unit]] = {}
    for place, mine, theirs in state.units():
        if (skeleton(mine.main), _merge(mine)) != (skeleton(theirs.main), _merge(theirs)):
            key = _difference(Subject("{0}"), mine, theirs, "{1}")
            groups[key].add(place)
            texts[key] = (mine, theirs)
    for key, places in groups.items():
        message = _difference(units(places, state.theirs), *texts[key], state.name)
        undone = state.with_units(lambda mine, theirs: _arranged(state, mine, theirs), places)
        state.take("unit-layers", message, undone, names(places))


def _merge(unit: Unit) -> int | None:
    return unit.shortcut.merge if unit.shortcut else None


def _difference(subject: Subject, mine: Unit, theirs: Unit, name: str) -> str:
    """How two units differ in their layers, run by run."""
    items = [_with_addition(unit) for unit in (mine, theirs)]
    mine_keys, their_keys = ([_key(item) for item in one] for one in items)
    matcher = SequenceMatcher(None, mine_keys, their_keys, autojunk=False)
    runs = [run for run in matcher.get_opcodes() if run[0] != "equal"]
    changed = [item for _, a, b, c, d in runs for item in (*items[0][a:b], *items[1][c:d])]
    if len(runs) > 1 and any(item == ADDITION or isinstance(item, Branch) for item in changed):
        laid = [", ".join(_kinds(one)) for one in items]
        return f"{subject.text} {subject.are} {laid[0]}; {subject.of(name)} {laid[1]}"
    replaced = {(tuple(_kinds(items[0][a:b])), tuple(_kinds(items[1][c:d]))) for _, a, b, c, d in runs}
    if len(runs) > 1 and len(replaced) == 1 and all(tag == "replace" for tag, *_ in runs):
        [(ours, other)] = replaced
        return (
            f"{subject.text} {subject.have} {listed(ours)} wherever {subject.of(name)} {subject.have} {listed(other)}"
        )
    parts = [_run(subject, items, run, name) for run in runs]
    return f"{subject.text} {'; they '.join(parts)}"


def _key(item: Item | str) -> object:
    return item if isinstance(item, str) else skeleton((item,))


def _with_addition(unit: Unit) -> list[Item | str]:
    items: list[Item | str] = list(unit.main)
    if unit.shortcut:
        items.insert(unit.shortcut.merge, ADDITION)
    return items


def _kinds(items: list[Item | str]) -> list[str]:
    return ["addition" if isinstance(item, str) else kind(item) for item in items]


def _run(subject: Subject, items: list[list[Item | str]], run: tuple[str, int, int, int, int], name: str) -> str:
    _, a, b, c, d = run
    ours, other = listed(_kinds(items[0][a:b]) or [""]), listed(_kinds(items[1][c:d]) or [""])
    do = "do" if subject.plural else "does"
    if not other:
        return f"{subject.have} {ours} {_position(items[0], a, b)}, {subject.of(name)} {do} not"
    if not ours:
        missing, pronoun = other.replace(" and ", " and no "), "one" if d - c == 1 else "them"
        return f"{subject.have} no {missing} {_position(items[1], c, d)}, {subject.of(name)} {subject.have} {pronoun}"
    return f"{subject.have} {ours} {_position(items[1], c, d)}, {subject.of(name)} {other}"


def _position(items: list[Item | str], start: int, end: int) -> str:
    """Where a run of layers stands, told by the convolutions and the addition."""
    if ADDITION in items[:start]:
        return "after the addition"
    before = sum(isinstance(item, ops.Conv) for item in items[:start])
    total = sum(isinstance(item, ops.Conv) for item in items)
    if before == 0:
        return "before the first convolution" if total else "at the start"
    return "behind the last convolution" if before == total else f"behind the {ordinal(before)} convolution"


def compare_forks(state: Undoing) -> None:
    """Whether the shortcut takes what arrives at the unit, or what its first norm and activation make of it."""
    groups: dict[tuple[bool, str, str], set[UnitPlace]] = defaultdict(set)
    for place, mine, theirs in state.units():
        if mine.shortcut and theirs.shortcut and mine.shortcut.fork != theirs.shortcut.fork:
            texts = (_source(mine.main[: mine.shortcut.fork]), _source(theirs.main[: theirs.shortcut.fork]))
            groups[is_projection(mine.shortcut.layers), *texts].add(place)
    for (projections, a, b), places in groups.items():
        what = "projections take" if projections else f"the shortcuts of {units(places, state.theirs).text} take"
        message = f"{what} {a}, those of {state.name} {b}"
        state.take("shortcut-input", message, state.with_units(_forked, places), names(places))


def _source(before: Block) -> str:
    if not before:
        return "the unit's raw input"
    preactivated = [word(item) for item in before] == ["norm", "activation"]
    return "the pre-activated input" if preactivated else f"the input behind {kinds(before)}"


def _forked(mine: Unit, theirs: Unit) -> Unit:
    assert mine.shortcut
    assert theirs.shortcut
    return replace(mine, shortcut=replace(mine.shortcut, fork=theirs.shortcut.fork))
