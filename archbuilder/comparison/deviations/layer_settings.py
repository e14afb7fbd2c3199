"""Settings of single layers, compared where all layers of two networks stand side by side."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace

from archbuilder.comparison.deviations.deviation import Undoing
from archbuilder.comparison.wording.phrases import layer
from archbuilder.comparison.wording.sentences import described, sentence, span, values
from archbuilder.comparison.wording.subjects import Pair, subject
from archbuilder.graph import ops
from archbuilder.graph.ops import Op
from archbuilder.outline.parts import Block, Outline, Stage, Unit, mapped, walk
from archbuilder.outline.reduction import resolved_padding
from archbuilder.outline.shapes import arrivals, blocks

PADDED = ops.Windowed | ops.ConvTranspose
MOST_VALUES = 3
"""The most values of one setting that are named one by one."""


def pairs(state: Undoing) -> list[Pair]:
    """Each of my layers beside theirs, with the place of both."""
    shapes = iter(arrivals(state.theirs))
    found = []
    for name, mine, theirs in zip(_names(state.theirs), blocks(state.mine), blocks(state.theirs), strict=True):
        for on_shortcut, a, b in zip((False, True), _parts(mine), _parts(theirs), strict=True):
            seen: dict[type[Op], int] = defaultdict(int)
            for ours, other in zip(walk(a), walk(b), strict=True):
                seen[type(other)] += 1
                found.append(Pair(ours, other, next(shapes)[1], name, on_shortcut, seen[type(other)]))
    return found


def _names(network: Outline) -> Iterator[str]:
    yield "stem"
    for index, stage in enumerate(network.stages, 1):
        yield from (f"stage{index}/unit{number}" for number in range(1, len(stage.units) + 1))
        yield f"stage{index}"
    yield "head"


def _parts(block: Block | Unit) -> tuple[Block, Block]:
    if isinstance(block, Unit):
        return block.main, block.shortcut.layers if block.shortcut else ()
    return block, ()


def rebuilt(network: Outline, new: Sequence[Op]) -> Outline:
    """A network with other ops in the places of its own."""
    source = iter(new)

    def block(old: Block) -> Block:
        return mapped(old, lambda _: next(source))

    def unit(old: Unit) -> Unit:
        main = block(old.main)
        return Unit(main, old.shortcut and replace(old.shortcut, layers=block(old.shortcut.layers)))

    stem = block(network.stem)
    stages = tuple(Stage(tuple(map(unit, stage.units)), block(stage.after)) for stage in network.stages)
    return Outline(network.input, stem, stages, block(network.head), network.outputs)


@dataclass(frozen=True, slots=True)
class Key:
    """A difference: settings of one kind of layer, with both values in words."""

    op: type[Op]
    names: tuple[str, ...]
    mine: str
    theirs: str


Differences = Callable[[Pair], Iterator[Key]]


def compare_described(state: Undoing) -> None:
    """Layers outside of the units, and layers other than convolutions, that differ in what one says of them."""
    _compare(state, of_description)


def of_description(pair: Pair) -> Iterator[Key]:
    names = described(pair.theirs, pair.mine)
    conv_of_unit = isinstance(pair.theirs, ops.Conv) and pair.in_unit
    if not conv_of_unit and any(getattr(pair.mine, name) != getattr(pair.theirs, name) for name in names):
        yield Key(type(pair.theirs), names, *_described(names, pair))


def _described(names: tuple[str, ...], pair: Pair) -> tuple[str, str]:
    """Both layers in words, or the values of the only setting of these names."""
    if len(names) == 1:
        return values(names[0], getattr(pair.mine, names[0]), getattr(pair.theirs, names[0]))
    return layer(pair.mine), layer(pair.theirs)


def compare_settings(state: Undoing) -> None:
    """Every setting of every layer that still differs."""
    _drop_equal_paddings(state)
    _compare(state, of_settings)


def of_settings(pair: Pair) -> Iterator[Key]:
    for field in fields(pair.theirs):
        a, b = getattr(pair.mine, field.name), getattr(pair.theirs, field.name)
        if a != b:
            yield Key(type(pair.theirs), (field.name,), *values(field.name, a, b))


def _drop_equal_paddings(state: Undoing) -> None:
    """Paddings of different names that come to the same are the same."""
    found = pairs(state)
    new = [pair.mine for pair in found]
    for index, pair in enumerate(found):
        mine, theirs = pair.mine, pair.theirs
        if isinstance(mine, PADDED) and isinstance(theirs, PADDED) and mine.padding != theirs.padding:
            here = replace(theirs, padding=mine.padding)
            if resolved_padding(here, pair.arriving) == resolved_padding(theirs, pair.arriving):
                new[index] = replace(mine, padding=theirs.padding)
    state.mine = rebuilt(state.mine, new)


def _compare(state: Undoing, differences: Differences) -> None:
    for one in settled(pairs(state), differences, state.theirs, state.name):
        state.take(one.code, one.message, rebuilt(state.mine, one.after), one.where, one.is_note)


@dataclass(frozen=True, slots=True)
class Settled:
    """A difference of settings in words, and all of my layers once it and those before it are undone."""

    code: str
    message: str
    where: tuple[str, ...]
    after: tuple[Op, ...]
    is_note: bool
    """Whether it does not make it another network."""


def settled(found: Sequence[Pair], differences: Differences, network: Outline, name: str) -> Iterator[Settled]:
    """The differences between layers side by side, those of one kind together, one after the other."""
    groups: dict[Key, list[int]] = defaultdict(list)
    for index, pair in enumerate(found):
        for key in differences(pair):
            groups[key].append(index)
    current = [pair.mine for pair in found]
    for key, indices in _joined(groups).items():
        before = current[indices[0]]
        for index in indices:
            theirs = found[index].theirs
            changed = {name: getattr(theirs, name) for name in key.names}
            current[index] = replace(current[index], **changed)
        concerned = [found[index] for index in indices]
        strided = key.names == ("padding",) and all(pair.has_stride for pair in concerned)
        about = subject(concerned, found, network, strided)
        message = sentence(about, key.names, key.mine, key.theirs, name)
        where = tuple(dict.fromkeys(pair.part for pair in concerned))
        is_note = before.untrained() == current[indices[0]].untrained()
        yield Settled(_code(key), message, where, tuple(current), is_note)


def _code(key: Key) -> str:
    """`conv-bias`; only `conv` where several settings are told together."""
    kind = re.sub(r"(?<!^)(?=[A-Z])", "-", key.op.__name__).lower()
    return f"{kind}-{key.names[0].replace('_', '-')}" if len(key.names) == 1 else kind


def _joined(groups: dict[Key, list[int]]) -> dict[Key, list[int]]:
    """Groups of one setting that has many values, such as rates that grow from unit to unit, in one."""
    alike: dict[tuple[type[Op], tuple[str, ...]], list[Key]] = defaultdict(list)
    for key in groups:
        alike[key.op, key.names].append(key)
    joined: dict[Key, list[int]] = {}
    for (op, names), keys in alike.items():
        if len(keys) <= MOST_VALUES:
            joined |= {key: groups[key] for key in keys}
        else:
            ours, other = (span([getattr(key, side) for key in keys]) for side in ("mine", "theirs"))
            joined[Key(op, names, ours, other)] = sorted(index for key in keys for index in groups[key])
    return joined
