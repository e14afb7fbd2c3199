"""A graph in the words of the language, where a file says the same in several layers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from archbuilder.graph import ops
from archbuilder.graph.network import Graph, Node, leading_to, node
from archbuilder.graph.ops import Op

_PRODUCTS: Mapping[ops.Function, ops.Function] = {"sigmoid": "silu", "hard_sigmoid": "hard_silu"}


def tidied(graph: Graph) -> Graph:
    """The same network: weights of channels as vectors, x times its own sigmoid as one function."""
    graph = _with_nested_concats(graph)
    users = _users(graph)
    vectors = _vectors(graph, users)
    made: dict[str, Node] = {}
    joined: dict[tuple[str, ...], Node] = {}
    """Concatenations by all that they join."""
    for one in graph.nodes:
        inputs = [made[name] for name in one.inputs]
        if isinstance(one.op, ops.Concat):
            made[one.name] = joined[one.inputs] = _concat(one, inputs, joined)
            continue
        op = _op(one, inputs, vectors)
        if op is None:
            made[one.name] = inputs[0]
        elif (function := _product(graph, one, users)) is not None:
            made[one.name] = node(one.name, ops.Activation(function), inputs[:1])
        else:
            made[one.name] = node(one.name, op, inputs)
    ends = tuple(made[name].name for name in graph.outputs)
    nodes = tuple({one.name: one for one in made.values()}.values())
    return Graph(graph.name, leading_to(ends, nodes), ends)


def _users(graph: Graph) -> dict[str, list[Node]]:
    users: dict[str, list[Node]] = defaultdict(list)
    for one in graph.nodes:
        for name in dict.fromkeys(one.inputs):
            users[name].append(one)
    return users


def _with_nested_concats(graph: Graph) -> Graph:
    """A graph in which paths that part within a path of a concatenation come together before the others do."""
    users = _users(graph)

    def fork(name: str) -> str:
        one = graph[name]
        while len(users[one.name]) == len(one.inputs) == 1 and one.name not in graph.outputs:
            one = graph[one.inputs[0]]
        return one.name

    nodes: list[Node] = []
    made: dict[str, Node] = {}
    for one in graph.nodes:
        inputs = [made[name] for name in one.inputs]
        if isinstance(one.op, ops.Concat) and len({*one.inputs}) == len(inputs):
            ends: list[Node] = []
            for name, group in groupby(one.inputs, fork):
                paths = [made[path] for path in group]
                if 1 < len(paths) == len(users[name]) < len(inputs):
                    nodes.append(_joined(f"{one.name} from {name}", paths))
                    paths = nodes[-1:]
                ends += paths
            made[one.name] = _joined(one.name, ends)
        else:
            made[one.name] = node(one.name, one.op, inputs)
        nodes.append(made[one.name])
    return Graph(graph.name, tuple(nodes), graph.outputs)


def _joined(name: str, inputs: Sequence[Node]) -> Node:
    return node(name, ops.Concat(tuple(f"path{at}" for at, _ in enumerate(inputs, 1))), inputs)


def _concat(one: Node, inputs: list[Node], joined: Mapping[tuple[str, ...], Node]) -> Node:
    """A concatenation that goes on from the longest one of the same beginning, as those of a DenseNet do."""
    for count in range(len(inputs) - 1, 1, -1):
        if (before := joined.get(one.inputs[:count])) is not None:
            inputs = [before, *inputs[count:]]
            break
    return _joined(one.name, inputs)


def _op(one: Node, inputs: list[Node], vectors: Mapping[str, bool]) -> Op | None:
    """The op in place of that of a node; None where it does nothing."""
    if not vectors.get(one.name):
        return one.op
    match one.op:
        case ops.GlobalAveragePool() | ops.GlobalMaxPool() if len(inputs[0].shape) == 1:
            return None
        case ops.GlobalAveragePool() | ops.GlobalMaxPool():
            return replace(one.op, flat=True)
        case ops.AveragePool():
            return ops.GlobalAveragePool()
        case ops.Flatten():
            return None
        case ops.Conv() as conv:
            return ops.Dense(conv.filters, conv.bias, conv.initializer, conv.l2, conv.initial_bias)
        case op:
            return op


def _vectors(graph: Graph, users: Mapping[str, list[Node]]) -> dict[str, bool]:
    """Which nodes that return one place may return a vector, since all that follows takes one as well."""
    found: dict[str, bool] = {}
    for one in reversed(graph.nodes):
        if len(one.shape) != 3 or one.shape[:2] != (1, 1) or one.name in graph.outputs:
            continue
        found[one.name] = all(_takes_vector(user, one, found) for user in users[one.name])
    for one in graph.nodes:
        if (
            found.get(one.name)
            and not _begins(one)
            and not all(found.get(name, _is_vector(graph, name)) for name in one.inputs)
        ):
            found[one.name] = False
    changed = True
    while changed:  # a vector must not lead to what still wants a place, nor the other way round
        changed = False
        for one in graph.nodes:
            if found.get(one.name):
                before = _begins(one) or all(found.get(name) or _is_vector(graph, name) for name in one.inputs)
                if not before or not all(_takes_vector(user, one, found) for user in users[one.name]):
                    found[one.name], changed = False, True
    for one in graph.nodes:
        if isinstance(one.op, ops.Flatten) and found.get(one.inputs[0]):
            found[one.name] = True
    return found


def _begins(one: Node) -> bool:
    return isinstance(one.op, ops.GlobalAveragePool | ops.GlobalMaxPool)


def _is_vector(graph: Graph, name: str) -> bool:
    return len(graph[name].shape) == 1


def _takes_vector(user: Node, one: Node, found: Mapping[str, bool]) -> bool:
    match user.op:
        case ops.Flatten():
            return True
        case ops.Multiply():
            return user.shape != one.shape or found.get(user.name, False)
        case ops.Conv(kernel=(1, 1), stride=(1, 1), groups=1) | ops.Dense() | ops.Activation() | ops.LeakyRelu():
            return found.get(user.name, len(user.shape) == 1)
        case ops.Dropout() | ops.GlobalAveragePool() | ops.GlobalMaxPool():
            return found.get(user.name, len(user.shape) == 1)
        case ops.Norm(over="batch") | ops.Norm(over="layer"):
            return found.get(user.name, False)
        case _:
            return False


def _product(graph: Graph, one: Node, users: Mapping[str, list[Node]]) -> ops.Function | None:
    """The function that x times a function of x is; x comes first."""
    if not isinstance(one.op, ops.Multiply) or len(one.inputs) != 2:
        return None
    for x, gate in (one.inputs, one.inputs[::-1]):
        op = graph[gate].op
        is_its_own = graph[gate].inputs == (x,) and len(users[gate]) == 1 and gate not in graph.outputs
        if isinstance(op, ops.Activation) and is_its_own and op.function in _PRODUCTS:
            return _PRODUCTS[op.function]
    return None
