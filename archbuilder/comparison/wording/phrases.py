"""Places, numbers and layers in the words of papers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from archbuilder.comparison.deviations.deviation import UnitPlace
from archbuilder.graph import ops, words
from archbuilder.graph.ops import Op
from archbuilder.outline.parts import DEPTHWISE, Block, Branch, Item, Outline, skeleton, walk

_ON_SHORTCUTS = (
    (["subsample", "channel padding"], "zero padding"),
    (["1x1 convolution", "norm"], "projection with norm"),
    (["1x1 convolution"], "projection without norm"),
)
_NOUNS: dict[type[Op], str] = {
    ops.ConvTranspose: "transposed convolution",
    ops.ChannelConv: "channel convolution",
    ops.SliceChannels: "channel slice",
    ops.ShuffleChannels: "channel shuffle",
    ops.PadChannels: "channel padding",
}
_ATTENTIONS: dict[tuple[object, ...], str] = {
    ("multiply", (), ("global_average_pool", "dense", "activation", "dense", "activation")):
        "squeeze-and-excitation gate",
    ("multiply", (), ("global_average_pool", "channel_conv", "activation")):
        "efficient channel attention",
}  # fmt: skip
"""Products that papers have a name for, by the kinds of their layers."""
_MERGES = {"add": "sum", "concat": "concatenation", "multiply": "product", "gate": "gate"}
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth")


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a sentence, in the singular or plural."""

    text: str
    plural: bool = True
    classes: bool = False
    """Whether it is the last dense layer, which has an output for each class."""

    @property
    def are(self) -> str:
        return "are" if self.plural else "is"

    @property
    def have(self) -> str:
        return "have" if self.plural else "has"

    @property
    def those(self) -> str:
        return "those" if self.plural else "that"

    def of(self, owner: str) -> str:
        return f"{self.those} of {owner}"


def ordinal(number: int) -> str:
    return ORDINALS[number - 1] if number <= len(ORDINALS) else f"{number}th"


def listed(parts: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def number(value: float) -> str:
    """A setting as specs write it: `1e-3`, `0.99`, `1.001e-5`."""
    text = f"{value:.10g}"
    if value and abs(value) < 0.01:
        mantissa, _, exponent = f"{value:.10e}".partition("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return text


def per_stage(values: Sequence[object]) -> str:
    """`16-32-64`, one for each stage."""
    return "-".join(map(str, values))


def size(pair: ops.Pair) -> str:
    return f"{pair[0]}x{pair[1]}"


def stages(indices: Iterable[int]) -> str:
    """`stage 2`, `stages 2 and 3`."""
    found = sorted(indices)
    return f"stage{'s' if len(found) > 1 else ''} {listed([str(index) for index in found])}"


def names(places: Iterable[UnitPlace]) -> tuple[str, ...]:
    return tuple(f"stage{stage}/unit{unit}" for stage, unit in sorted(places))


def units(places: Collection[UnitPlace], network: Outline, among: Collection[UnitPlace] | None = None) -> Subject:
    """The units at some places: `units` if these are all (of `among`), `the first unit of every stage`, ..."""
    found = set(places)
    everywhere = {(s, u) for s, stage in enumerate(network.stages, 1) for u in range(1, len(stage.units) + 1)}
    if found in (everywhere, set(among or everywhere)):
        return Subject("units")
    if found == {place for place in everywhere if place[1] > 1}:
        return Subject("the units behind the first of each stage")
    touched = {stage for stage, _ in found}
    if all(unit == 1 for _, unit in found):
        return _ends("first", touched, len(network.stages))
    if all(unit == len(network.stages[stage - 1].units) for stage, unit in found):
        return _ends("last", touched, len(network.stages))
    return _units_of_stages(found, everywhere)


def _ends(which: str, found: set[int], total: int) -> Subject:
    if len(found) == 1:
        return Subject(f"the {which} unit of {stages(found)}", plural=False)
    return Subject(f"the {which} units of {'all stages' if len(found) == total else stages(found)}")


def _units_of_stages(found: set[UnitPlace], everywhere: set[UnitPlace]) -> Subject:
    touched = {stage for stage, _ in found}
    if found == {place for place in everywhere if place[0] in touched}:
        return Subject(f"the units of {stages(touched)}")
    missing = everywhere - found
    if len(missing) == 1:
        [(stage, unit)] = missing
        return Subject(f"all units but the {ordinal(unit)} of stage {stage}")
    (stage, unit), *others = sorted(found)
    if not others:
        return Subject(f"the {ordinal(unit)} unit of stage {stage}", plural=False)
    if len(others) < 3:
        return Subject(f"the units {listed([f'{u} of stage {s}' for s, u in sorted(found)])}")
    return Subject(f"{len(found)} units, the {ordinal(unit)} of stage {stage} and others,")


def layer(item: Item) -> str:
    """A layer with its settings, such as `3x3 conv, 64, /2`."""
    if isinstance(item, Branch):
        return _branch(item)
    if isinstance(item, ops.Conv) and item.groups == DEPTHWISE:
        return f"depthwise {words.words(item)}"
    return words.words(item)


def kind(item: Item) -> str:
    """A layer without its settings, such as `3x3 convolution`, `norm`, `relu`."""
    match item:
        case Branch():
            return _branch(item)
        case ops.Conv():
            return f"{size(item.kernel)} convolution"
        case ops.Scale() if item.learned != "none":
            return "learned scale"
        case _:
            return layer_noun(item)


def layer_noun(op: Op) -> str:
    """A layer as papers call it, such as `channel shuffle`; an activation by its function."""
    return _NOUNS.get(type(op)) or words.op_name(op).replace("_", " ")


def _branch(branch: Branch) -> str:
    if called := _ATTENTIONS.get((branch.kind, *map(skeleton, branch.paths))):
        return called
    paths = [f"({kinds(path)})" if path else "the identity" for path in branch.paths]
    return f"{_MERGES[branch.kind]} of {listed(paths)}"


def kinds(block: Block) -> str:
    return ", ".join(map(kind, block))


def shortcut_kind(layers: Block) -> str:
    """The layers of a shortcut in the papers' words, such as `projection with norm`."""
    parts = [kind(item) for item in layers]
    found = []
    while parts:
        wanted, called = next(
            (known for known in _ON_SHORTCUTS if parts[: len(known[0])] == known[0]), (parts[:1], parts[0])
        )
        found.append(called)
        parts = parts[len(wanted) :]
    return listed(found) if found else "identity"


def is_projection(layers: Block) -> bool:
    return any(isinstance(op, ops.Conv) for op in walk(layers))
