"""Expands a spec to a graph: templates are unfolded, expressions evaluated, shapes followed and checked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from archbuilder import bounds
from archbuilder.errors import Diagnostic, Span
from archbuilder.expansion.namer import Namer
from archbuilder.expansion.repetition import ExpandedUnit
from archbuilder.expansion.scope import NOWHERE, UNKNOWN, Scope
from archbuilder.expansion.strides import stride_between
from archbuilder.expansion.work import OutOfBounds, Problem, TooMuchError, Work
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, leading_to, node
from archbuilder.graph.words import op_name
from archbuilder.spec.document import Place
from archbuilder.spec.expressions import Expression
from archbuilder.spec.layers import Conditional, Layer, Layers, Merge, Use
from archbuilder.spec.loading import Spec, spec_error
from archbuilder.spec.network import ShortcutReference, ShortcutTemplate, Stage, UnitChanges
from archbuilder.spec.op_layers import Op
from archbuilder.spec.problems import locate, message_of

_MERGES: dict[str, Callable[[tuple[str, ...]], ops.Merge]] = {op_name(one(())): one for one in get_args(ops.Merge)}

_SHORTCUT: TypeAdapter[Use] = TypeAdapter(ShortcutReference)


def expand(spec: Spec) -> Graph:
    """The graph of a spec, without layers that lead to no output.

    Raises SpecError with all that does not fit, each at its place in the YAML.
    """
    expansion = _Expansion(spec)
    try:
        expansion.run()
    except Problem as problem:
        expansion.note(problem)
    if expansion.problems:
        raise spec_error(expansion.problems.values(), spec.document)
    outputs = tuple(expansion.ends[name].name for name in spec.network.outputs) or (expansion.nodes[-1].name,)
    nodes = leading_to(outputs, expansion.nodes)
    names = {node.name for node in nodes}
    left_out = tuple(node.name for node in expansion.nodes if node.name not in names)
    return Graph(spec.name, nodes, outputs, left_out)


class _Expansion:
    def __init__(self, spec: Spec) -> None:
        self.spec, self.network = spec, spec.network
        self.nodes: list[Node] = []
        self.work = Work()
        self.checked: dict[Hashable, ops.Op] = {}
        """The ops of layers whose expressions came to the same values before."""
        self.ends: dict[str, Node] = {}
        """The last node of each part, by the part's name."""
        self.units: set[str] = set()
        """The names of the units of stages, and of those in the stem, in the head and behind the units of a stage."""
        self.problems: dict[tuple[str, Span | None], Diagnostic] = {}
        self.namer = Namer()
        self.defaults: dict[str, dict[str, Any]] = {
            kind: {name: getattr(model, name) for name in model.model_fields_set}
            for kind, model in spec.network.defaults
        }

    def note(self, problem: Problem) -> None:
        """Keeps a problem for the end; the same one in every unit of a stage is one."""
        found = problem.diagnostic
        self.problems.setdefault((found.code, found.span), found)

    def run(self) -> None:
        root = Scope("", self.spec.place, self.spec.document, self.work)
        current = self._append("input", ops.Input(self.network.input), (), root.at("input"))
        current = self._part("stem", self.network.stem, current, root.at("stem"))
        for index, stage in enumerate(self.network.stages):
            scope = replace(root.at("stages", index), name=f"stage{index + 1}")
            current = self.ends[scope.name] = self._stage(stage, current, scope)
        self._part("head", self.network.head, current, root.at("head"))

    def _part(self, name: str, layers: Layers, current: Node, scope: Scope) -> Node:
        self.ends[name] = self._layers(layers, current, scope.named(name))
        return self.ends[name]

    def _stage(self, stage: Stage, current: Node, scope: Scope) -> Node:
        """The units one after the other; those that the same shape and the same parameters reach are expanded once."""
        expanded: dict[Hashable, ExpandedUnit] = {}
        inner = replace(scope, use=scope.place.span)
        for index in range(1, stage.units + 1):
            here = ((stage.first, index == 1), (stage.last, index == stage.units))
            changes = [change for change, applies in here if change and applies]
            kind = (index == 1, *map(id, changes), current.shape)
            name = f"{scope.name}/unit{index}"
            self.units.add(name)
            if same := expanded.get(kind):
                current = self._repeated(same, name, current, inner.named(name))
                continue
            entry, nodes, names = current, len(self.nodes), len(self.namer)
            current = self._tried(self._stage_unit, stage, index, changes, entry, inner.named(name))
            if current is not NOWHERE or entry is NOWHERE:
                made = tuple(self.nodes[nodes:])
                expanded[kind] = ExpandedUnit(name, entry.name, current.name, made, self.namer.since(names))
        return self._layers(stage.after, current, scope.at("after"))

    def _tried(self, make: Callable[..., Node], *arguments: Any) -> Node:
        """What a method makes; where it cannot, that is noted, and what follows is checked as far as it can be."""
        try:
            return make(*arguments)
        except TooMuchError:
            raise
        except Problem as problem:
            self.note(problem)
            return NOWHERE

    def _repeated(self, unit: ExpandedUnit, name: str, current: Node, scope: Scope) -> Node:
        try:
            self.work.repeat(unit)
        except OutOfBounds as error:
            raise scope.too_much(error) from None
        if current is NOWHERE:
            return NOWHERE
        self.namer.take(unit.names_in(name))
        nodes = unit.nodes_in(name, current)
        end = nodes[unit.end]
        self.nodes += islice(nodes.values(), 1, None)  # without the one that is followed
        return end

    def _stage_unit(self, stage: Stage, index: int, changes: list[UnitChanges], current: Node, scope: Scope) -> Node:
        """One unit: the stage's parameters (its stride for the first unit only), then what first and last change."""
        unit = next((one.unit for one in reversed(changes) if one.unit), stage.unit or self.network.unit)
        shortcut = next((one.shortcut for one in reversed(changes) if one.shortcut), stage.shortcut)
        shortcut = shortcut or self.network.shortcut
        if unit is None:
            raise scope.problem("missing-key", "no unit is named")
        arguments = {**unit.arguments, **({"shortcut": shortcut} if shortcut else {}), **stage.arguments}
        if index > 1:
            arguments.pop("stride", None)
        for change in changes:
            arguments |= change.arguments
        definition = self.spec.definition("units", unit.name)
        known = {key: value for key, value in arguments.items() if key in definition.template.parameters}
        places = {key: self._given(key, unit.name, stage, changes, scope.place) for key in known}
        inside = scope.inside(definition, known, scope.names_at(current), places)
        return self._layers(_listed(definition.template.layers), current, inside)

    def _given(self, key: str, unit: str, stage: Stage, changes: list[UnitChanges], place: Place) -> Place:
        """Where an argument of a stage's unit was given: in first or last, in the stage, or beside the unit's name."""
        given = [("last", stage.last), ("first", stage.first)]
        at = [place.at(name, key) for name, change in given if change in changes]
        at += [place.at(key), *(where.at("unit", unit, key) for where in (place, self.spec.place))]
        at.append(self.spec.place.at(key))
        return next((one for one in at if one.path in one.document.values), place)

    def _layers(self, layers: Layers, current: Node, scope: Scope) -> Node:
        for index, layer in enumerate(layers):
            scope.step()
            current = self._tried(self._layer, layer, current, scope.at(index))
        return current

    def _layer(self, layer: Layer, current: Node, scope: Scope) -> Node:
        match layer:
            case Merge():
                return self._merge(layer, current, scope.at(layer.kind))
            case Conditional():
                scope.step(10)
                holds = scope.at("if").evaluate(layer.condition, scope.names_at(current))
                if holds is UNKNOWN:
                    return NOWHERE
                branch, key = (layer.then, "then") if holds else (layer.otherwise, "else")
                return self._layers(branch, current, scope.deeper().at(key))
            case Use():
                inner = scope.named(self.namer.numbered(scope.name, layer.name))
                self.units.add(inner.name)
                definition = self.spec.definition("units", layer.name)
                inside = inner.inside(definition, layer.arguments, scope.names_at(current))
                return self._layers(_listed(definition.template.layers), current, inside)
            case _:
                name = self.namer.numbered(scope.name, layer.kind)
                op = self._op(layer, current, scope)
                return self._append(name, op, (current,), scope.at(layer.kind)) if op else NOWHERE

    def _op(self, layer: Op, current: Node, scope: Scope) -> ops.Op | None:
        """The op of a layer, with the defaults filled in and the expressions evaluated and checked.

        None where a value is not known.
        """
        inner, names = scope.at(layer.kind), scope.names_at(current)
        said = {name: getattr(layer, name) for name in layer.model_fields_set}
        fields = {**self.defaults.get(layer.kind, {}), **said, "kind": layer.kind}
        values = {
            key: inner.at(key).evaluate(value, names) if isinstance(value, Expression) else value
            for key, value in fields.items()
        }
        known = {key: value for key, value in values.items() if value is not UNKNOWN}
        came_to = tuple(known.get(key) for key, value in fields.items() if isinstance(value, Expression))
        is_plain = len(known) == len(values) and all(isinstance(value, str | int | float) for value in came_to)
        key = (id(layer), came_to, tuple(map(type, came_to))) if is_plain else None
        if key in self.checked:
            return self.checked[key]
        try:
            checked = type(layer).model_validate({**_placeholders(layer, values), **known})
        except ValidationError as error:
            first, *others = [_bad_value(problem, fields, inner) for problem in error.errors(include_url=False)]
            for problem in others:
                self.note(problem)
            raise first from None
        if len(known) < len(values):
            return None
        op = layer.op(**checked.fields())
        if key is not None:
            self.checked[key] = op
        return op

    def _merge(self, merge: Merge, current: Node, scope: Scope) -> Node:
        """The paths of a merge, shortcuts after the others since they follow what those came to."""
        scope, start = scope.deeper(), len(self.nodes)
        names = {path: self.namer.path(scope.name, path) for path in merge.paths}
        inner = {path: scope.at(path).named(names[path]) for path in merge.paths}
        scope.step(10 * len(merge.paths))
        paths = {path: self._path(branch, current, inner[path]) for path, branch in merge.paths.items()}
        shortcuts = {path: value for path, value in paths.items() if isinstance(value, Use)}
        ends = {path: self._layers(value, current, inner[path])
                for path, value in paths.items() if not isinstance(value, Use)}  # fmt: skip
        if not ends:
            raise scope.problem("bad-paths", "a shortcut needs another path beside it", at_key=True)
        residual = next(iter(ends.values()))
        for path, use in shortcuts.items():
            if (end := self._shortcut(use, current, residual, self.nodes[start:], inner[path])) is not None:
                ends[path] = end
        present = {path: ends[path] for path in merge.paths if path in ends}
        if merge.kind == "gate" and len(present) < len(merge.paths):
            raise scope.problem("bad-paths", "a gate cannot do without one of its paths", at_key=True)
        return self._merged(merge, present, shortcuts, scope) if len(present) > 1 else residual

    def _path(self, branch: Any, current: Node, scope: Scope) -> Layers | Use:
        value = scope.evaluate(branch, scope.names_at(current))
        if isinstance(value, tuple | Use):
            return value
        context = {"shortcuts": self.spec.names("shortcuts")}
        try:
            return _SHORTCUT.validate_python(value, context=context)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            code = problem["type"] if "-" in problem["type"] else "bad-value"
            hint, span = problem.get("ctx", {}).get("hint"), scope.blame(branch)
            raise scope.problem(code, message_of(problem), hint, span=span) from None

    def _shortcut(self, use: Use, current: Node, residual: Node, made: list[Node], scope: Scope) -> Node | None:
        """The end of a shortcut beside a residual path, behind which `made` stands; None where there is to be none."""
        definition = self.spec.definition("shortcuts", use.name)
        template = definition.template
        assert isinstance(template, ShortcutTemplate)
        if template.layers == "none":
            return None
        if current is NOWHERE or residual is NOWHERE:
            return NOWHERE
        if template.when == "never" or (template.when == "shape_changes" and residual.shape == current.shape):
            return current
        target = {"channels": residual.shape[-1], "stride": stride_between(current, residual, made)}
        inside = scope.inside(definition, use.arguments, {**scope.names, **target})
        return self._layers(template.layers, current, inside)

    def _merged(self, merge: Merge, ends: Mapping[str, Node], shortcuts: Mapping[str, Use], scope: Scope) -> Node:
        """The merge of paths; where they do not fit, that is noted and the first one goes on."""
        nodes = tuple(ends.values())
        if NOWHERE in nodes:
            return NOWHERE
        op: ops.Merge = _MERGES[merge.kind](tuple(ends))
        try:
            op.output_shape(*(one.shape for one in nodes))
        except ops.ShapeError as error:
            why = "".join(f" ({path}: {use.name})" for path, use in shortcuts.items())
            carries = (self.spec.definition("shortcuts", use.name).template for use in shortcuts.values())
            is_identity = any(isinstance(one, ShortcutTemplate) and one.when == "never" for one in carries)
            hint = "a projection makes the shapes agree, such as shortcut: projection" if is_identity else None
            self.note(scope.problem("shape-mismatch", f"{error}{why}", hint, at_key=True))
            return nodes[0]
        return self._append(self.namer.numbered(scope.name, merge.kind), op, nodes, scope)

    def _append(self, name: str, op: ops.Op, inputs: tuple[Node, ...], scope: Scope) -> Node:
        if NOWHERE in inputs:
            return NOWHERE
        try:
            made = node(name, op, inputs, scope.span, self._section(name))
            self.work.add(made)
        except ops.ShapeError as error:
            raise scope.problem("bad-shape", str(error), error.hint, at_key=True) from None
        except OutOfBounds as error:
            raise scope.too_much(error) from None
        if len(made.shape) == 3 and max(made.shape[:2]) > bounds.SIDE:
            raise scope.problem("bad-shape", f"the sides of an image are {bounds.SIDE:,} at most", at_key=True)
        self.nodes.append(made)
        return made

    def _section(self, name: str) -> str:
        """The unit that a name begins with, or else the part; paths of merges are no sections."""
        part, _, rest = name.partition("/")
        unit = f"{part}/{rest.partition('/')[0]}"
        return unit if unit in self.units else part


def _listed(layers: Any) -> Layers:
    return () if layers == "none" else layers


def _placeholders(layer: Op, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as they stand of the fields that are not known, which any expression satisfies."""
    return {key: getattr(layer, key) for key, value in values.items() if value is UNKNOWN and key != "kind"}


def _bad_value(problem: ErrorDetails, fields: Mapping[str, Any], scope: Scope) -> Problem:
    """The problem of a field, at the argument that it comes from or at the field itself."""
    [key, *_] = problem["loc"] or ("",)
    here = replace(scope, place=locate(scope.place, problem["loc"]))
    return here.problem("bad-value", message_of(problem), span=scope.blame(fields.get(str(key))))
