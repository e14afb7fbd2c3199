"""The layers of a graph in blocks: its numbered scopes, and in each its lines, those that are equal as loops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from archbuilder.exporting.program import INSTANCE, UNIT, Argument, Call, Function, Layer, Loop, Value
from archbuilder.graph.network import Graph


@dataclass(eq=False)
class Block:
    """The layers of one scope."""

    scope: str
    template: str
    items: list[Layer | Block]
    calls: list[Call] = field(default_factory=list)
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    function: Function | None = None
    values: tuple[Value, ...] = ()
    """What the function is called with."""

    @property
    def blocks(self) -> Iterator[Block]:
        return (item for item in self.items if isinstance(item, Block))

    @property
    def height(self) -> int:
        return 1 + max((block.height for block in self.blocks), default=0)

    def layers(self) -> Iterator[Layer]:
        for item in self.items:
            if isinstance(item, Block):
                yield from item.layers()
            else:
                yield item

    def inner(self) -> Iterator[Block]:
        for block in self.blocks:
            yield block
            yield from block.inner()


def nested(layers: Sequence[Layer], units: Mapping[str, str]) -> list[Layer | Block]:
    """Layers in blocks: the scopes that are numbered, and whose layers follow each other."""
    ends: dict[str, tuple[int, int, int]] = {}
    for place, layer in enumerate(layers):
        for scope in _scopes(layer.value):
            first, _, count = ends.get(scope, (place, place, 0))
            ends[scope] = (first, place, count + 1)
    closed = {scope for scope, (first, last, count) in ends.items() if last - first + 1 == count > 1}

    def within(some: Iterable[Layer], depth: int) -> list[Layer | Block]:
        items: list[Layer | Block] = []

        def outermost(layer: Layer) -> str:
            scopes = [one for one in _scopes(layer.value) if one in closed and one.count("/") >= depth]
            return scopes[0] if scopes else ""

        for scope, group in groupby(some, key=outermost):
            inner = list(group)
            if scope:
                found = within(inner, scope.count("/") + 1)
                is_wrapper = len(found) == 1 and not UNIT.fullmatch(scope)
                items += found if is_wrapper else [Block(scope, _template(scope, units), found)]
            else:
                items += inner
        return items

    return within(layers, 0)


def _scopes(value: str) -> list[str]:
    """The numbered scopes that a layer stands in, the outermost first."""
    names = value.split("/")[:-1]
    return ["/".join(names[: end + 1]) for end, name in enumerate(names) if INSTANCE.fullmatch(name)]


def _template(scope: str, units: Mapping[str, str]) -> str:
    if UNIT.fullmatch(scope):
        return units.get(scope, "unit")
    match = INSTANCE.fullmatch(scope.rpartition("/")[2])
    assert match
    return match["template"]


def fill_ends(main: Block, graph: Graph) -> None:
    """Fills in what arrives at each block and what others use of it."""
    uses = Counter(name for layer in main.layers() for name in layer.inputs) + Counter(graph.outputs)
    main.inputs, main.outputs = (graph.input.name,), graph.outputs
    for block in main.inner():
        layers = list(block.layers())
        own = Counter(name for layer in layers for name in layer.inputs)
        made = [layer.value for layer in layers]
        block.inputs = tuple(dict.fromkeys(name for layer in layers for name in layer.inputs if name not in {*made}))
        block.outputs = tuple(name for name in made if uses[name] > own[name])


def fill_calls(blocks: Sequence[Block]) -> None:
    """Fills in the lines of blocks of one template, whose inner blocks are known."""
    for block in blocks:
        block.calls = list(calls_of(block))
    runs: dict[int, list[list[Call]]] = {}
    for run in (run for block in blocks for run in _runs(block) if len(run) > 1):
        runs.setdefault(id(run[0].callee), []).append(run)
    split = {function for function, some in runs.items() if _begins_otherwise(some)}
    for block in blocks:
        block.calls = list(_looped(block, split))


def calls_of(block: Block) -> Iterator[Call]:
    start = len(block.scope) + 1 if block.scope else 0
    for item in block.items:
        if isinstance(item, Layer):
            yield Call(
                item.value[start:], item.callee, item.arguments, item.inputs, (item.value,), item.paths,
                (item.name or item.value)[start:], item.is_weighted,
            )  # fmt: skip
        elif item.function is None:  # written out where it stands
            inner = item.scope[start:]
            for call in item.calls or calls_of(item):
                yield _within(inner, call)
        else:
            pairs = zip(item.function.parameters, item.values, strict=True)
            arguments = tuple(Argument(one.name, value, one.default, what=one.what) for one, value in pairs)
            yield Call(item.scope[start:], item.function, arguments, item.inputs, item.outputs)


def _within(scope: str, call: Call) -> Call:
    """A line of a scope, where the scope is not a function."""
    callee = call.callee
    if isinstance(callee, Loop):
        callee = replace(callee, prefix=f"{scope}/{callee.prefix}")
    label = call.label and f"{scope}/{call.label}"
    return replace(call, callee=callee, local=f"{scope}/{call.local}", label=label)


def _values(call: Call) -> tuple[object, ...]:
    return tuple(argument.value for argument in call.arguments)


def _runs(block: Block) -> list[list[Call]]:
    """The lines of a block; calls of one function that are numbered in turn, each behind the last, are together."""
    uses = Counter(name for call in block.calls for name in call.inputs) + Counter(block.outputs)
    runs: list[list[Call]] = []
    for call in block.calls:
        last = runs[-1][-1] if runs else None
        follows = (
            last is not None
            and isinstance(call.callee, Function) and call.callee is last.callee
            and call.inputs == last.outputs and len(call.outputs) == 1 and uses[last.outputs[0]] == 1
            and _follows(last.local, call.local)
        )  # fmt: skip
        if follows:
            runs[-1].append(call)
        else:
            runs.append([call])
    return runs


def _begins_otherwise(runs: Sequence[list[Call]]) -> bool:
    """Whether the first call of a row is unlike the others, which are alike in that."""
    long = [run for run in runs if len(run) > 2] or runs
    return any(first != second == last for run in long for first, second, last in
               zip(_values(run[0]), _values(run[1]), _values(run[-1]), strict=True)
               )  # fmt: skip


def _follows(one: str, other: str) -> bool:
    first, second = INSTANCE.fullmatch(one), INSTANCE.fullmatch(other)
    if not first or not second:
        return False
    return first["template"] == second["template"] and int(first["number"]) + 1 == int(second["number"])


def _looped(block: Block, split: set[int]) -> Iterator[Call]:
    for run in _runs(block):
        function = run[0].callee
        if not isinstance(function, Function):
            yield from run
            continue
        if id(function) in split:
            at = INSTANCE.fullmatch(run[0].local)
            if at is None or at["number"] == "1":
                yield run[0]
                run = run[1:]
            if run:
                yield _loop(function, run)
        elif len(run) > 1:
            yield _loop(function, run)
        else:
            yield from run


def _loop(function: Function, run: Sequence[Call]) -> Call:
    match = INSTANCE.fullmatch(run[0].local)
    assert match
    columns = list(zip(*(call.arguments for call in run), strict=True))
    varying = [column for column in columns if len({repr(one.value) for one in column}) > 1]
    names = tuple(column[0].name for column in varying)
    loop = Loop(function, match["template"], int(match["number"]), names)
    arguments = [column[0] for column in columns if column not in varying]
    counted: Value = int(match["number"]) + len(run) - 1
    if varying:
        rows = [tuple(column[index].value for column in varying) for index in range(len(run))]
        counted = tuple(row[0] if len(row) == 1 else row for row in rows)
    # The number of the last call, or what each is called with.
    several = Argument(f"{match['template'].rpartition('/')[2]}s", counted, what="rows")
    return Call(run[0].local, loop, (*arguments, several), run[0].inputs, run[-1].outputs)


def without_nothing(calls: Sequence[Call], flags: Mapping[int, int]) -> tuple[tuple[Call, ...], dict[int, int]]:
    """Lines without paddings of nothing, which others with the same place need."""
    through: dict[str, str] = {}
    kept: list[Call] = []
    kept_flags: dict[int, int] = {}
    for place, call in enumerate(calls):
        if call.local.endswith(".pad") and {argument.value for argument in call.arguments} == {0}:
            through[call.outputs[0]] = call.inputs[0]
            continue
        if place in flags:
            kept_flags[len(kept)] = flags[place]
        kept.append(replace(call, inputs=tuple(through.get(name, name) for name in call.inputs)))
    return tuple(kept), kept_flags
