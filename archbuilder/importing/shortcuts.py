"""The shortcuts of units by their names: those of the library first, others as templates of the spec's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from archbuilder.graph import ops
from archbuilder.graph.ops import Op, Shape
from archbuilder.importing import paddings
from archbuilder.importing.matching import Beside
from archbuilder.importing.steps import Leaf, Step, Steps, walked
from archbuilder.importing.writing import Defaults, Writer, Yaml, layer, named_paths, plain, settings_of
from archbuilder.outline.parts import Block
from archbuilder.outline.reduction import reduced
from archbuilder.spec import library, op_layers
from archbuilder.spec.expressions import Expression
from archbuilder.spec.layers import Passed
from archbuilder.spec.network import ShortcutTemplate

_ORDER = ("identity", "projection", "zero_pad", "bare_projection", "projection_always")


@dataclass(frozen=True)
class Place:
    """A unit's own path beside which a shortcut stands, and the shortcut."""

    own: Steps
    entry: Shape
    beside: Beside

    @property
    def channels(self) -> int:
        return (self.own[-1].leaving if self.own else self.entry)[-1]

    @property
    def changes(self) -> bool:
        return bool(self.own) and self.own[-1].leaving != self.entry

    @property
    def stride(self) -> int | tuple[int, int]:
        strides = [
            step.op.stride for step in self.own
            if isinstance(step, Leaf) and isinstance(step.op, ops.Windowed | ops.Subsample)
        ]  # fmt: skip
        if len(self.entry) != 3 or not self.own or len(self.own[-1].leaving) != 3:
            return 1
        rows, columns = prod(one[0] for one in strides), prod(one[1] for one in strides)
        return rows if rows == columns else (rows, columns)


@dataclass(frozen=True)
class Named:
    """The name of each place's shortcut, and the templates that the library does not have."""

    names: tuple[str | None, ...]
    templates: Mapping[str, Yaml]


def named(places: Sequence[Place | None], writer: Writer) -> Named:
    """As few names as do for all places; None where there is nothing to name."""
    known: dict[Place, frozenset[str]] = {}
    templates: dict[str, Yaml] = {}
    by_text: dict[str, str] = {}
    for place in places:
        if place is None or place in known:
            continue
        if place.beside.steps is None:
            known[place] = frozenset(["none"])
            continue
        found = {name for name in _ORDER if _is(name, place, writer.defaults)}
        if not found:
            layers = [_followed(step, place, writer) for step in place.beside.steps]
            own = by_text.setdefault(repr(layers), _name(place.beside.steps, len(by_text)))
            templates[own] = {"layers": layers}
            found = {own}
        known[place] = frozenset(found)
    _say_when(templates, known)
    order: list[str] = []
    left = [known[place] for place in places if place is not None]
    while left:
        counts = Counter(name for names in left for name in names)
        best = max(counts, key=lambda name: (counts[name], name in _ORDER and -_ORDER.index(name)))
        order.append(best)
        left = [names for names in left if best not in names]
    names = tuple(None if place is None else next(name for name in order if name in known[place]) for place in places)
    return Named(names, {name: one for name, one in templates.items() if name in names})


def _say_when(templates: dict[str, Yaml], known: dict[Place, frozenset[str]]) -> None:
    """Lets a template of one's own be the identity elsewhere, where it only stands where the shape changes."""
    for name, template in templates.items():
        if all(place.changes for place, names in known.items() if name in names):
            templates[name] = {"when": "shape_changes", **template}
            for place, names in known.items():
                if not place.changes and "identity" in names:
                    known[place] = names | {name}


def _name(steps: Steps, count: int) -> str:
    kinds = {step.word for step in steps}
    name = "pooled_projection" if {"average_pool", "max_pool"} & kinds and "conv" in kinds else "own_shortcut"
    if kinds <= {"conv", "norm"}:
        name = "own_projection"
    return f"{name}{count + 1}" if count else name


def _followed(step: Step, place: Place, writer: Writer) -> Yaml:
    """A layer of a shortcut by the numbers that follow from the path beside it."""
    if not isinstance(step, Leaf):
        [attached] = writer.layers((step,))
        if not isinstance(attached, dict) or step.word not in attached:
            return attached
        paths = [[_followed(one, place, writer) for one in path] for path in step.paths]
        return {step.word: named_paths(step.word, paths)}
    settings, usual = settings_of(step.op), writer.defaults.of_op(step.op)
    for key, name, value in (("filters", "channels", place.channels), ("channels", "channels", place.channels),
                             ("stride", "stride", place.stride)):  # fmt: skip
        if key in settings and plain(settings[key]) == value:
            settings[key] = f"${name}"
    return layer(step.word, settings, usual)


def _is(name: str, place: Place, defaults: Defaults) -> bool:
    """Whether a shortcut of the library is the one that stands there."""
    template = library.definition("shortcuts", name).template
    assert isinstance(template, ShortcutTemplate)
    assert isinstance(template.layers, tuple)
    assert place.beside.steps is not None
    if template.when == "never" or (template.when == "shape_changes" and not place.changes):
        return not place.beside.steps
    items: list[Any] = []
    shape = place.entry
    for model in template.layers:
        op = _op(model, place, defaults)
        if op is None:
            return False
        try:
            items, shape = reduced(items, op, shape), op.output_shape(shape)
        except ops.ShapeError:
            return False
    return _resolved(tuple(walked(tuple(items), place.entry))) == _resolved(place.beside.steps)


def _op(model: Any, place: Place, defaults: Defaults) -> Op | None:
    names = {"channels": place.channels, "stride": place.stride, "arriving": place.entry[-1]}
    if isinstance(model, Passed):  # a norm, as those of the network are
        model = op_layers.Norm()
    assert isinstance(model, op_layers.Op)
    said = {key: getattr(model, key) for key in model.model_fields_set if key != "kind"}
    said = {key: value.evaluate(names) if isinstance(value, Expression) else value for key, value in said.items()}
    usual = dict(defaults.of.get(model.kind, {}))
    checked = type(model).model_validate({**usual, **said, "kind": model.kind})
    return model.op(**checked.fields())


def _resolved(steps: Steps) -> Block:
    """The ops of steps, each with one of the names of its padding."""
    return tuple(
        replace(step.op, padding=min(map(str, paddings.names(step.op, step.arriving))))  # type: ignore[arg-type]
        if isinstance(step, Leaf) and isinstance(step.op, ops.Windowed)
        else step.op
        if isinstance(step, Leaf)
        else step  # type: ignore[misc]
        for step in steps
    )
