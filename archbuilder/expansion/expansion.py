"""Expands a spec to a graph: templates are unfolded, expressions evaluated, shapes followed and checked."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, get_args

from pydantic import ValidationError

from archbuilder.errors import Diagnostic, Span, SpecError, suggest
from archbuilder.expansion.namer import Namer
from archbuilder.expansion.repetition import ExpandedUnit
from archbuilder.expansion.scope import Problem, Scope
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, node
from archbuilder.graph.words import op_name
from archbuilder.spec.expressions import Expression
from archbuilder.spec.layers import Conditional, Layer, Layers, Merge, Use
from archbuilder.spec.loading import Spec, sorted_by_place
from archbuilder.spec.network import ShortcutTemplate, Stage, UnitChanges
from archbuilder.spec.op_layers import Op
from archbuilder.spec.problems import locate
from archbuilder.spec.values import shown

MAX_NODES = 50_000
_MERGES: dict[str, Callable[[tuple[str, ...]], ops.Merge]] = {op_name(one(())): one for one in get_args(ops.Merge)}


def expand(spec: Spec) -> Graph:
    """The graph of a spec; raises SpecError with all that does not fit, each at its place in the YAML."""
    expansion = _Expansion(spec)
    try:
        expansion.run()
    except Problem as problem:
        expansion.note(problem)
    expansion.check_decay()
    if expansion.problems:
        raise SpecError(sorted_by_place(expansion.problems.values()))
    outputs = tuple(expansion.ends[name].name for name in spec.network.outputs)
    return Graph(spec.name, tuple(expansion.nodes), outputs or (expansion.nodes[-1].name,))


class _Expansion:
    def __init__(self, spec: Spec) -> None:
        self.spec, self.network = spec, spec.network
        self.nodes: list[Node] = []
        self.ends: dict[str, Node] = {}
        """The last node of each part, by the part's name."""
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

    def check_decay(self) -> None:
        """Weights are pulled to zero either by l2 of their layers or by the recipe, never twice."""
        training = self.network.training
        if training is None or training.weight_decay is None:
            return
        doubled = next((one for one in self.nodes if any(weight.l2 for weight in one.weights)), None)
        if doubled is not None:
            message = f"the recipe decays weights, and l2 of the layers does so too, such as that of {doubled.name}"
            place = self.spec.place.at("training", "weight_decay")
            hint = "say it once: l2 in the layers (Keras' meaning), or weight_decay in the recipe (the papers' meaning)"
            self.note(Problem(Diagnostic("decays-twice", message, place.key_span, hint)))

    def run(self) -> None:
        root = Scope("", self.spec.place, self.spec.document)
        current = self._append("input", ops.Input(self.network.input), (), root.at("input"))
        current = self._part("stem", self.network.stem, current, root.at("stem"))
        for index, stage in enumerate(self.network.stages):
            scope = replace(root.at("stages", index), name=f"stage{index + 1}")
            current = self.ends[scope.name] = self._stage(stage, current, scope)
        self._part("head", self.network.head, current, root.at("head"))

    def _part(self, name: str, layers: Layers, current: Node, scope: Scope) -> Node:
        self.ends[name] = self._layers(layers, current, replace(scope, name=name))
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
            if (same := expanded.get(kind)) and len(self.nodes) + len(same.nodes) <= MAX_NODES:
                current = self._repeated(same, name, current)
            else:
                entry, nodes, names = current, len(self.nodes), len(self.namer)
                current = self._stage_unit(stage, index, changes, entry, replace(inner, name=name))
                made = tuple(self.nodes[nodes:])
                expanded[kind] = ExpandedUnit(name, entry.name, current.name, made, self.namer.since(names))
        return self._layers(stage.after, current, scope.at("after"))

    def _repeated(self, unit: ExpandedUnit, name: str, current: Node) -> Node:
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
        inside = scope.inside(definition, known, scope.names_at(current))
        return self._layers(_listed(definition.template.layers), current, inside)

    def _layers(self, layers: Layers, current: Node, scope: Scope) -> Node:
        for index, layer in enumerate(layers):
            current = self._layer(layer, current, scope.at(index))
        return current

    def _layer(self, layer: Layer, current: Node, scope: Scope) -> Node:
        match layer:
            case Merge():
                return self._merge(layer, current, scope.at(layer.kind))
            case Conditional():
                holds = scope.at("if").evaluate(layer.condition, scope.names_at(current))
                branch, key = (layer.then, "then") if holds else (layer.otherwise, "else")
                return self._layers(branch, current, scope.at(key))
            case Use():
                inner = replace(scope, name=self.namer.numbered(scope.name, layer.name))
                definition = self.spec.definition("units", layer.name)
                inside = inner.inside(definition, layer.arguments, scope.names_at(current))
                return self._layers(_listed(definition.template.layers), current, inside)
            case _:
                name = self.namer.numbered(scope.name, layer.kind)
                return self._append(name, self._op(layer, current, scope), (current,), scope.at(layer.kind))

    def _op(self, layer: Op, current: Node, scope: Scope) -> ops.Op:
        """The op of a layer, with the defaults filled in and the expressions evaluated and checked."""
        inner, names = scope.at(layer.kind), scope.names_at(current)
        said = {name: getattr(layer, name) for name in layer.model_fields_set}
        fields = {**self.defaults.get(layer.kind, {}), **said, "kind": layer.kind}
        values = {
            key: inner.at(key).evaluate(value, names) if isinstance(value, Expression) else value
            for key, value in fields.items()
        }
        try:
            return layer.op(**type(layer).model_validate(values).fields())
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            place = locate(inner.place, problem["loc"])
            message = str(problem.get("ctx", {}).get("message", problem["msg"]))
            raise replace(inner, place=place).problem("bad-value", message) from None

    def _merge(self, merge: Merge, current: Node, scope: Scope) -> Node:
        """The paths of a merge, shortcuts after the others since they follow what those came to."""
        names = {path: self.namer.path(scope.name, path) for path in merge.paths}
        inner = {path: replace(scope.at(path), name=names[path]) for path in merge.paths}
        paths = {path: self._path(branch, current, inner[path]) for path, branch in merge.paths.items()}
        shortcuts = {path: value for path, value in paths.items() if isinstance(value, Use)}
        ends = {path: self._layers(value, current, inner[path])
                for path, value in paths.items() if not isinstance(value, Use)}  # fmt: skip
        if not ends:
            raise scope.problem("bad-paths", "a shortcut needs another path beside it", at_key=True)
        residual = next(iter(ends.values()))
        for path, use in shortcuts.items():
            if (end := self._shortcut(use, current, residual, inner[path])) is not None:
                ends[path] = end
        present = {path: ends[path] for path in merge.paths if path in ends}
        if merge.kind == "gate" and len(present) < len(merge.paths):
            raise scope.problem("bad-paths", "a gate cannot do without one of its paths", at_key=True)
        return self._merged(merge, present, shortcuts, scope) if len(present) > 1 else residual

    def _path(self, branch: Any, current: Node, scope: Scope) -> Layers | Use:
        value = scope.evaluate(branch, scope.names_at(current))
        if isinstance(value, tuple | Use):
            return value
        if isinstance(value, str):
            value = {value: {}}
        if not isinstance(value, dict) or len(value) != 1:
            raise scope.problem("bad-value", f"the name of a shortcut is expected, not {shown(value)}")
        [(name, arguments)] = value.items()
        known = self.spec.names("shortcuts")
        if name not in known:
            hint = suggest(str(name), known, "shortcuts")
            raise scope.problem("unknown-shortcut", f"there is no shortcut called '{name}'", hint)
        return Use(kind="use", name=name, arguments=arguments or {})

    def _shortcut(self, use: Use, current: Node, residual: Node, scope: Scope) -> Node | None:
        """The end of a shortcut beside a residual path; None where there is to be no shortcut."""
        definition = self.spec.definition("shortcuts", use.name)
        template = definition.template
        assert isinstance(template, ShortcutTemplate)
        if template.layers == "none":
            return None
        if template.when == "never" or (template.when == "shape_changes" and residual.shape == current.shape):
            return current
        target = {"channels": residual.shape[-1], "stride": _stride(current.shape, residual.shape)}
        inside = scope.inside(definition, use.arguments, {**scope.names, **target})
        return self._layers(template.layers, current, inside)

    def _merged(self, merge: Merge, ends: Mapping[str, Node], shortcuts: Mapping[str, Use], scope: Scope) -> Node:
        """The merge of paths; where they do not fit, that is noted and the first one goes on."""
        nodes = tuple(ends.values())
        op: ops.Merge = _MERGES[merge.kind](tuple(ends))
        try:
            op.output_shape(*(one.shape for one in nodes))
        except ops.ShapeError as error:
            why = "".join(f" ({path}: {use.name})" for path, use in shortcuts.items())
            hint = "a projection makes the shapes agree, such as shortcut: projection" if shortcuts else None
            self.note(scope.problem("shape-mismatch", f"{error}{why}", hint, at_key=True))
            return nodes[0]
        return self._append(self.namer.numbered(scope.name, merge.kind), op, nodes, scope)

    def _append(self, name: str, op: ops.Op, inputs: tuple[Node, ...], scope: Scope) -> Node:
        if len(self.nodes) >= MAX_NODES:
            raise scope.problem("too-large", f"a network has at most {MAX_NODES:,} layers")
        try:
            self.nodes.append(node(name, op, inputs, scope.span))
        except ops.ShapeError as error:
            raise scope.problem("bad-shape", str(error), at_key=True) from None
        return self.nodes[-1]


def _listed(layers: Any) -> Layers:
    return () if layers == "none" else layers


def _stride(arriving: ops.Shape, leaving: ops.Shape) -> int | tuple[int, int]:
    """The stride that brings one size to the other; two numbers where height and width differ."""
    if len(arriving) != 3 or len(leaving) != 3:
        return 1
    height, width = (_stride_along(a, b) for a, b in zip(arriving[:2], leaving[:2], strict=True))
    return height if height == width else (height, width)


def _stride_along(arriving: int, leaving: int) -> int:
    exact = (s for s in range(1, arriving + 1) if leaving in (-(-arriving // s), arriving // s))
    return next(exact, 1)
