"""Layers as they are written in a spec, where the defaults of the network say the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from archbuilder.graph import ops
from archbuilder.graph.ops import Op
from archbuilder.importing.steps import Leaf, Row, Steps, all_leaves
from archbuilder.spec import op_layers
from archbuilder.spec.values import written

Yaml = Any
"""What is written: text, numbers, lists and mappings."""
Settings = Mapping[str, Any]
_MODELS: dict[type[Op], type[op_layers.Op]] = {model.op: model for model in op_layers.OPS}  # type: ignore[misc]
_DEFAULTS: dict[str, type[Any]] = {
    "conv": op_layers.ConvDefaults, "norm": op_layers.NormDefaults, "dense": op_layers.DenseDefaults,
}  # fmt: skip
_LISTED_FIRST = ("filters", "units", "kernel", "size", "stride")


@dataclass(frozen=True)
class Defaults:
    """What layers of a kind use where they do not say."""

    of: Mapping[str, Settings]

    def of_op(self, op: Op) -> dict[str, Any]:
        """The settings that an op has unless it says others."""
        model = _MODELS[type(op)]
        stock = {name: field.default for name, field in model.model_fields.items() if not field.is_required()}
        return {**stock, **self.of.get(model.model_fields["kind"].default, {})}

    def yaml(self) -> Yaml:
        """What a network has to say of them."""
        found = {}
        for kind, settings in self.of.items():
            fields = _DEFAULTS[kind].model_fields
            said = {key: written(value) for key, value in settings.items() if value != fields[key].default}
            if said:
                found[kind] = said
        return found


def defaults_of(row: Row) -> Defaults:
    """The most common value of each setting that a network can say once for all."""
    found: dict[str, dict[str, Counter[Any]]] = {}
    for leaf in all_leaves(row):
        kind = leaf.word
        for key in _DEFAULTS[kind].model_fields if kind in _DEFAULTS else ():
            if is_meant(leaf.op, key):
                found.setdefault(kind, {}).setdefault(key, Counter())[getattr(leaf.op, key)] += 1
    return Defaults({
        kind: {key: counts.most_common(1)[0][0] for key, counts in settings.items()} for kind, settings in found.items()
    })  # fmt: skip


def is_meant(op: Op, key: str) -> bool:
    """Whether a setting means something in an op: a norm over the channels of each place has no momentum."""
    if isinstance(op, ops.Norm):
        return {"momentum": op.is_over_batch, "groups": op.over == "group", "zero_scale": op.scale}.get(key, True)
    if isinstance(op, ops.Conv | ops.ConvTranspose | ops.ChannelConv | ops.Dense) and key == "initial_bias":
        return op.bias
    return True


def settings_of(op: Op) -> dict[str, Any]:
    """The settings of an op by the words of the language, the most telling ones first."""
    fields = [key for key in _MODELS[type(op)].model_fields if key != "kind"]
    if isinstance(op, ops.Activation):
        return {}
    fields.sort(key=lambda key: _LISTED_FIRST.index(key) if key in _LISTED_FIRST else len(_LISTED_FIRST))
    return {key: getattr(op, key) for key in fields if is_meant(op, key)}


def layer(word: str, settings: Settings, usual: Settings) -> Yaml:
    """A layer by its name, with the settings that are not as usual."""
    said = {key: plain(value) for key, value in settings.items() if key not in usual or usual[key] != value}
    if not said:
        return word
    short = op_layers.SHORT.get(word)
    return {word: said[short] if short and [*said] == [short] else said}


def plain(value: Any) -> Yaml:
    """A value as YAML has it."""
    if isinstance(value, Written):
        return value.yaml
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else float(value)
    return _listed(written(value))


def _listed(value: Any) -> Yaml:
    return [_listed(one) for one in value] if isinstance(value, tuple | list) else value


class Writer:
    """Writes steps as lists of layers; `units` names units that stand for some of them."""

    def __init__(self, defaults: Defaults, units: Callable[[Steps], tuple[Yaml, int] | None] | None = None) -> None:
        self.defaults, self.units = defaults, units

    def op(self, op: Op) -> Yaml:
        word = Leaf(op, (), ()).word
        return layer(word, settings_of(op), self.defaults.of_op(op))

    def layers(self, steps: Steps) -> list[Yaml]:
        found: list[Yaml] = []
        index = 0
        while index < len(steps):
            if self.units and (unit := self.units(steps[index:])):
                found.append(unit[0])
                index += unit[1]
                continue
            step = steps[index]
            if isinstance(step, Leaf):
                found.append(self.op(step.op))
            else:
                found.append({step.word: named_paths(step.word, [self.layers(path) for path in step.paths])})
            index += 1
        return found


@dataclass(frozen=True)
class Written:
    """Steps that a parameter stands for."""

    steps: Steps
    writer: Writer

    def is_as(self, other: Any, defaults: Defaults) -> bool:
        """Whether it means the same as other layers, written or not."""
        if isinstance(other, Written):
            return bool(self.yaml == other.yaml)
        alone = self.steps[0] if len(self.steps) == 1 else None
        if isinstance(alone, Leaf) and isinstance(other, str | dict):
            word, said = (other, {}) if isinstance(other, str) else next(iter(other.items()))
            usual = {key: plain(value) for key, value in defaults.of_op(alone.op).items()}
            mine = {key: plain(value) for key, value in settings_of(alone.op).items()}
            told: dict[str, Any] = {**usual, **said} if isinstance(said, dict) else {}
            return word == alone.word and mine == {key: told.get(key) for key in mine}
        return bool(self.yaml == other or (not self.steps and other in ([], ())))

    @property
    def yaml(self) -> Yaml:
        layers = self.writer.layers(self.steps)
        if not layers:
            return "none"
        return layers[0] if len(layers) == 1 else layers


def named_paths(word: str, paths: Iterable[Yaml]) -> dict[str, Yaml]:
    """The paths of a merge by names that say what they are."""
    from archbuilder.spec.layers import GATE_PATHS

    listed = list(paths)
    if word == "gate":
        return dict(zip(GATE_PATHS, listed, strict=True))
    if len(listed) == 2:
        pairs = {"add": ("shortcut", "residual"), "concat": ("before", "new"), "multiply": ("features", "weights")}
        if not listed[0]:
            return dict(zip(pairs[word], listed, strict=True))
    return {f"path{number}": path for number, path in enumerate(listed, 1)}


def words(data: Yaml) -> int:
    """How much there is to read in what is written: its words, and two for each line."""
    match data:
        case dict():
            return sum(1 + words(value) for value in data.values())
        case list():
            return sum(map(words, data))
        case str() if data.startswith("$"):
            return 1 + sum(data.count(mark) for mark in "*/=")
        case _:
            return 1
