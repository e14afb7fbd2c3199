"""Expands a spec to a graph: templates are unfolded, expressions evaluated, shapes followed and checked."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from archbuilder import bounds
from archbuilder.errors import Diagnostic, Span, SpecError, suggest
from archbuilder.expansion.namer import Namer
from archbuilder.expansion.op_maker import OpMaker
from archbuilder.expansion.passed_values import PassedValues
from archbuilder.expansion.points import Journal, Moves, Points
from archbuilder.expansion.repetition import ExpandedUnit
from archbuilder.expansion.scope import NOWHERE, UNKNOWN, Frame, Scope
from archbuilder.expansion.strides import stride_between
from archbuilder.expansion.work import OutOfBounds, Problem, TooMuchError, Work
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, leading_to, node
from archbuilder.graph.words import op_name
from archbuilder.spec.around import ARRIVING
from archbuilder.spec.document import Place, walk
from archbuilder.spec.expressions import Expression
from archbuilder.spec.layers import (
    NONE,
    Conditional,
    From,
    Layer,
    Layers,
    Merge,
    Passed,
    Point,
    Use,
)  # fmt: skip
from archbuilder.spec.loading import Spec, UnloadedError, sorted_by_place, spec_error
from archbuilder.spec.network import Each, Network, ShortcutTemplate, Stage, UnitChanges
from archbuilder.spec.op_layers import Op
from archbuilder.spec.problems import message_of
from archbuilder.spec.values import NEW_POINT, POINT

_MERGES: dict[str, Callable[[tuple[str, ...]], ops.Merge]] = {op_name(one(())): one for one in get_args(ops.Merge)}

_OF_ONE_UNIT = re.compile(r"\b(unit|index)\b")
"""The numbers that differ from unit to unit of a stage."""


def expand(spec: Spec) -> Graph:
    """The graph of a spec, without layers that lead to no output.

    Raises SpecError with all that does not fit, each at its place in the YAML.
    """
    expansion = _Expansion(spec)
    try:
        outputs = expansion.run()
    except Problem as problem:
        expansion.note(problem)
    if expansion.problems:
        raise spec_error(expansion.problems.values(), spec.document)
    nodes = leading_to(outputs, expansion.nodes)
    names = {node.name for node in nodes}
    left_out = tuple(node.name for node in expansion.nodes if node.name not in names)
    return Graph(spec.name, nodes, outputs, left_out)


def with_others(error: SpecError) -> SpecError:
    """The error of a spec that could not be loaded, with the mistakes that only an expansion finds."""
    rest = error.rest() if isinstance(error, UnloadedError) else None
    if rest is None:
        return error
    try:
        expand(rest)
    except SpecError as others:
        return SpecError(sorted_by_place(dict.fromkeys((*error.diagnostics, *others.diagnostics))))
    return error


class _Expansion:
    def __init__(self, spec: Spec) -> None:
        self.spec, self.network = spec, spec.network
        self.nodes: list[Node] = []
        self.work = Work()
        self.passed = PassedValues(spec, self.note)
        self.ops = OpMaker(spec.network.defaults, self.note)
        self.journal = Journal()
        self.points = Points(self.journal)
        """The points of the network, its parts among them."""
        self.units: set[str] = set()
        """The names of the units of stages, and of those in the stem, in the head and behind the units of a stage."""
        self.problems: dict[tuple[str, Span | None], Diagnostic] = {}
        self.namer = Namer()

    def note(self, problem: Problem) -> None:
        """Keeps a problem for the end; the same one in every unit of a stage is one."""
        found = problem.diagnostic
        self.problems.setdefault((found.code, found.span), found)

    def run(self) -> tuple[str, ...]:
        """Expands all parts; returns the names of the outputs."""
        root = Scope(Frame(self.spec.document, self.work, self.points), "", self.spec.place)
        current = self._known(self._append("input", ops.Input(self.network.input), (), root.at("input")), "input")
        self.points.set("input", current)
        current = self._known(self._part("stem", self.network.stem, current, root.at("stem")), "stem")
        before, count = 0, sum(stage.units for stage in self.network.stages)
        for index, stage in enumerate(self.network.stages):
            scope = root.at("stages", index).named(f"stage{index + 1}")
            numbers = {"units": stage.units, "stage": index + 1, "count": count}
            current = self._stage_or_nowhere(stage, current, scope, numbers, before)
            self.points.set(scope.name, current)
            before += stage.units
        current = self._part("head", self.network.head, self._known(current, "stages"), root.at("head"))
        return self._outputs(root.at("outputs")) or (current.name,)

    def _outputs(self, scope: Scope) -> tuple[str, ...]:
        return tuple(self._found(name, self.points, scope.at(i)).name for i, name in enumerate(self.network.outputs))

    def _part(self, name: str, layers: Layers, current: Node, scope: Scope) -> Node:
        current = self._layers(layers, current, scope.named(name))
        self.points.set(name, current)
        return current

    def _known(self, node: Node, *path: str | int | float) -> Node:
        """A node, unless nothing is known of what stands at this path."""
        return NOWHERE if path in self.spec.unknown else node

    def _stage_or_nowhere(
        self, stage: Stage, current: Node, scope: Scope, numbers: Mapping[str, int], before: int
    ) -> Node:
        """A stage; of one that nothing is known of, only what is given to its units can be wrong."""
        if (path := scope.place.path) not in self.spec.unknown:
            return self._stage(stage, current, scope, numbers, before)
        problems = dict(self.problems)
        if (*path, "unit") not in self.spec.unknown:
            self._stage(stage, NOWHERE, scope, numbers, before)
        found = {key: one for key, one in self.problems.items() if one.code == "bad-value"}
        self.problems = problems | found
        return NOWHERE

    def _stage(self, stage: Stage, current: Node, scope: Scope, numbers: Mapping[str, int], before: int) -> Node:
        """The units one after the other; those that the same shape and the same parameters reach are expanded once.

        `before` is how many units stand in earlier stages.
        """
        expanded: dict[Hashable, ExpandedUnit] = {}
        varies = self._varies(stage, scope.place)
        for index in range(1, stage.units + 1):
            here = ((stage.first, "first", index == 1), (stage.last, "last", index == stage.units))
            changes = [(change, key) for change, key, applies in here if change and applies]
            kind = (index == 1, tuple(key for _, key in changes), current.shape)
            name = f"{scope.name}/unit{index}"
            self.units.add(name)
            if same := expanded.get(kind):
                current = self._repeated(same, name, current, scope.named(name))
                continue
            names = {"unit": index, **numbers, "index": before + index}
            inner = Scope(replace(scope.frame, names=names, use=scope.place.span), name, scope.place)
            entry, nodes, given, uses = current, len(self.nodes), len(self.namer), self.points.uses
            current = self._tried(self._stage_unit, stage, index, changes, entry, inner)
            is_alone = not varies and self.points.uses == uses
            if is_alone and (current is not NOWHERE or entry is NOWHERE):
                made = tuple(self.nodes[nodes:])
                parameters = sum(one.parameters for one in made)
                unit = ExpandedUnit(name, entry.name, current.name, made, self.namer.since(given), parameters)
                expanded[kind] = unit
        return self._layers(stage.after, current, scope.at("after"))

    def _varies(self, stage: Stage, place: Place) -> bool:
        """Whether the arguments of a stage's units differ from one unit to the next."""
        if any(isinstance(value, Each) for value in stage.arguments.values()):
            return True
        data = [place.document.get(path) for path in (place.path, ("unit",), ("shortcut",))]
        texts = (value for one in data for _, value in walk(one) if isinstance(value, str))
        return any(text.startswith("$") and _OF_ONE_UNIT.search(text) for text in texts)

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

    def _stage_unit(
        self, stage: Stage, index: int, changes: list[tuple[UnitChanges, str]], current: Node, scope: Scope
    ) -> Node:
        """One unit: the stage's parameters (its stride for the first unit only), then what first and last change."""
        root = self.spec.place
        all_changes = [(one, scope.place.at(key)) for one, key in changes]
        levels: list[tuple[Network | UnitChanges, Place]] = [(self.network, root), (stage, scope.place), *all_changes]
        unit, at = next(((one.unit, at) for one, at in reversed(levels) if one.unit), (None, root))
        if unit is None:
            raise scope.problem("missing-key", "no unit is named")
        given = {key: (value, at.at("unit", unit.name, key)) for key, value in unit.arguments.items()}
        shortcuts = [(one.shortcut, at.at("shortcut")) for one, at in levels if one.shortcut is not None]
        given |= {"shortcut": shortcuts[-1]} if shortcuts else {}
        for key, value in stage.arguments.items():
            where = scope.place.at(key)
            if isinstance(value, Each):
                given[key] = (value.values[index - 1], where.at("each", index - 1))
            else:
                given[key] = (value, where)
        if index > 1 and not isinstance(stage.arguments.get("stride"), Each):
            given.pop("stride", None)
        for change, at in all_changes:
            given |= {key: (value, at.at(key)) for key, value in change.arguments.items()}
        definition = self.spec.definition("units", unit.name)
        known = {key: one for key, one in given.items() if key in definition.template.parameters}
        arguments, places = ({key: one[part] for key, one in known.items()} for part in (0, 1))
        inside = scope.inside(definition, arguments, scope.names_at(current), places)
        return self._layers(_listed(definition.template.layers), current, inside)

    def _layers(self, layers: Layers, current: Node, scope: Scope) -> Node:
        for index, layer in enumerate(layers):
            scope.step()
            here = scope.at(index)
            current = self._tried(self._layer, layer, current, here)
            if self.spec.unknown and here.is_own:
                current = self._known(current, *here.place.path)
        return current

    def _layer(self, layer: Layer, current: Node, scope: Scope) -> Node:
        match layer:
            case Merge():
                return self._merge(layer, current, scope.at(layer.kind))
            case Passed():
                return self._passed(layer, current, scope)
            case From():
                scope.step(10)
                return self._layers(layer.layers, self._point(layer, scope.at("from")), scope.deeper().at("layers"))
            case Point():
                self._name(layer, current, scope.at("point"))
                return current
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
                op = self.ops.op(layer, current, scope)
                return self._append(name, op, (current,), scope.at(layer.kind)) if op else NOWHERE

    def _passed(self, layer: Passed, current: Node, scope: Scope) -> Node:
        """The layers that an expression stands for; a list stands under the name of its parameter."""
        scope.step(10)
        names = scope.frame.names if layer.layers.is_bare else scope.names_at(current)
        value = scope.evaluate(layer.layers, names)
        if value is UNKNOWN:
            return NOWHERE
        if value is None or value == NONE or value == []:
            return current
        source = layer.layers.source(names)
        writer = scope.writer(source)
        if isinstance(value, list):
            inner = writer.standing(scope.named(self.namer.path(scope.name, str(source))))
            end = self._layers(self.passed.layers(value, inner), current, inner)
        else:
            one = self.passed.layer(value, writer)
            is_bare = isinstance(value, str) and isinstance(one, Op)  # which needs neither names nor points
            inner = Scope(scope.frame, scope.name, writer.place, scope.nesting) if is_bare else writer.standing(scope)
            end = self._layer(one, current, inner)
        self._check_kept(source, current, end, scope, writer)
        return end

    def _check_kept(self, source: str | None, current: Node, end: Node, scope: Scope, writer: Scope) -> None:
        """Refuses layers that change the shape where the template says that its parameter keeps it."""
        definition = scope.frame.definition
        parameter = definition.template.parameters.get(source or "") if definition else None
        if parameter and parameter.keeps and NOWHERE not in (current, end) and current.shape != end.shape:
            turned = f"turns {ops.show(current.shape)} into {ops.show(end.shape)}"
            raise writer.standing(scope).problem("bad-shape", f"'{source}' keeps the shape, and this {turned}")

    def _name(self, layer: Point, current: Node, scope: Scope) -> None:
        """Names a point; a name that is passed belongs to its writer."""
        name, points = self._name_of(layer.name, NEW_POINT, scope)
        if points is scope.points:
            points.set(name, current)
        else:
            points.move(name, current)

    def _point(self, layer: From, scope: Scope) -> Node:
        name, points = self._name_of(layer.point, POINT, scope)
        return self._found(name, points, scope, scope.blame(layer.point))

    def _name_of(self, value: Any, adapter: TypeAdapter[Any], scope: Scope) -> tuple[str, Points]:
        """The name of a point, and those that it is one of."""
        if not isinstance(value, Expression):
            return value, scope.points
        names = scope.frame.names
        try:
            name = adapter.validate_python(scope.evaluate(value, names))
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            hint = problem["ctx"].get("hint")
            raise scope.problem("bad-point", message_of(problem), hint, span=scope.blame(value)) from None
        return name, scope.writer(value.source(names)).points

    def _found(self, name: str, points: Points, scope: Scope, span: Span | None = None) -> Node:
        if (node := points.find(name)) is not None:
            return node
        if self.problems or self.spec.unknown:  # it may be named where layers could not be made
            return NOWHERE
        hint = suggest(name, points.names(), "points")
        raise scope.problem("unknown-point", f"there is no point '{name}' here", hint, span=span)

    def _merge(self, merge: Merge, current: Node, scope: Scope) -> Node:
        """The paths of a merge, shortcuts after the others since they follow what those came to."""
        scope, start = scope.deeper(), len(self.nodes)
        names = {path: self.namer.path(scope.name, path) for path in merge.paths}
        scope.step(10 * len(merge.paths))
        paths = {
            path: self._path(branch, current, scope.at(path).named(names[path])) for path, branch in merge.paths.items()
        }
        shortcuts = {path: value for path, (value, _) in paths.items() if isinstance(value, Use)}
        ends: dict[str, Node] = {}
        moves: Moves = []
        for path, (value, inner) in paths.items():
            if not isinstance(value, Use):
                ends[path] = self._apart(moves, self._along, value, current, inner)
        if not ends:
            raise scope.problem("bad-paths", "a shortcut needs another path beside it", at_key=True)
        residual = next(iter(ends.values()))
        for path, use in shortcuts.items():
            made = self.nodes[start:]
            beside = self._apart(moves, self._shortcut, use, current, residual, made, paths[path][1])
            ends |= {} if beside is None else {path: beside}
        for points, name, end in moves:
            points.set(name, end)
        present = {path: ends[path] for path in merge.paths if path in ends}
        if merge.kind == "gate" and len(present) < len(merge.paths):
            raise scope.problem("bad-paths", "a gate cannot do without one of its paths", at_key=True)
        return self._merged(merge, present, shortcuts, scope) if len(present) > 1 else residual

    def _apart(self, moves: Moves, make: Callable[..., Any], *arguments: Any) -> Any:
        """What a method makes of a path; the points that are set in it are kept for what stands behind the merge."""
        before = len(self.journal)
        made = self._tried(make, *arguments)
        moves += self.journal.take_back(before)
        return made

    def _along(self, path: Layers | From | None, current: Node, scope: Scope) -> Node:
        match path:
            case None:
                return NOWHERE
            case From():
                return self._layers(path.layers, self._point(path, scope.at("from")), scope.at("layers"))
            case _:
                return self._layers(path, current, scope)

    def _path(self, branch: Any, current: Node, scope: Scope) -> tuple[Layers | From | Use | None, Scope]:
        """A path, and the scope in which it stands; None where it is not known."""
        if not isinstance(branch, Expression):
            return branch, scope
        names = scope.names_at(current)
        value = scope.evaluate(branch, names)
        if value is UNKNOWN:
            return None, scope
        writer = scope.writer(branch.source(names)).standing(scope)
        return self.passed.path(value, writer), writer

    def _shortcut(self, use: Use, current: Node, residual: Node, made: list[Node], scope: Scope) -> Node | None:
        """The end of a shortcut beside a residual path, behind which `made` stands; None where there is to be none."""
        definition = self.spec.definition("shortcuts", use.name)
        template = definition.template
        assert isinstance(template, ShortcutTemplate)
        if not isinstance(template.layers, tuple):
            return None
        if current is NOWHERE or residual is NOWHERE:
            return NOWHERE
        if template.when == "never" or (template.when == "shape_changes" and residual.shape == current.shape):
            return current
        target = {"channels": residual.shape[-1], "stride": stride_between(current, residual, made)}
        names = {**scope.names_at(current), **target, ARRIVING: current.shape[-1]}
        inside = scope.inside(definition, use.arguments, names)
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
            hint = "a projection makes the shapes agree, such as shortcut: projection" if is_identity else error.hint
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
            problem = scope.problem("bad-shape", str(error), error.hint, at_key=True)
            if not isinstance(op, ops.Elementwise | ops.ShuffleChannels):
                raise problem from None
            self.note(problem)  # and what follows is checked, since the shape stays as it was
            return inputs[0]
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
    return () if layers == NONE else layers
