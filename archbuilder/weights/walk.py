"""All ways to walk through the names of a file and the layers of a graph at once.

A step takes the next module of the file to a node of its signature whose weighted predecessors have all been taken. A
prefix that has been entered is finished before another is entered, and lower numbers come before higher ones. So what
shares a prefix stands together in the graph, and numbers never run against the flow; parallel branches stay free.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Add, Merge

EFFORT = 150_000
"""The steps that all walks through one file may take, of long networks fewer."""
Open = tuple[tuple[int, int], ...]
State = tuple[int, int, Open]
"""The modules that are done, the nodes that are done, and the modules whose partner is not."""


class TooManyWaysError(Exception):
    """The names say too little to be looked through."""


@dataclass(frozen=True)
class Flow:
    """The weighted nodes of a graph, and what leads from one to the other."""

    nodes: tuple[Node, ...]
    before: tuple[int, ...]
    """The direct predecessors of each, as bits."""
    behind: tuple[tuple[int, ...], ...]
    direct: tuple[int, ...]
    """The only predecessor where no merge lies between, or -1."""

    @classmethod
    def of(cls, graph: Graph, nodes: Sequence[Node]) -> Flow:
        """The flow between some of the weighted nodes."""
        places = {node.name: place for place, node in enumerate(nodes)}
        reach: dict[str, int] = {}
        straight: dict[str, int] = {}
        before, direct = [0] * len(nodes), [-1] * len(nodes)
        for node in graph.nodes:
            mask = 0
            for name in node.inputs:
                mask |= reach[name]
            single = straight[node.inputs[0]] if node.inputs and not isinstance(node.op, Merge) else -1
            place = places.get(node.name)
            if place is not None:
                before[place], direct[place] = mask, single
                mask, single = 1 << place, place
            reach[node.name], straight[node.name] = mask, single
        behind: list[list[int]] = [[] for _ in nodes]
        for place, mask in enumerate(before):
            for one in bits(mask):
                behind[one].append(place)
        return cls(tuple(nodes), tuple(before), tuple(map(tuple, behind)), tuple(direct))

    def neighbours(self, kernel: int, norm: int, norm_behind: bool) -> bool:
        return self.direct[norm] == kernel or (not norm_behind and self.direct[kernel] == norm)


def bits(mask: int) -> Iterator[int]:
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


@dataclass
class Walks:
    """The walks through one file; what they cost together is bounded."""

    following: Callable[[int], Sequence[int]]
    """The modules that may come next, by those that are done."""
    flow: Flow
    pairs: dict[int, tuple[int, bool]]
    kernels: frozenset[int]
    """The modules that hold kernels."""
    effort: int = EFFORT

    def places(self, domains: Sequence[int]) -> list[int]:
        """The nodes where each module can be in a walk that reaches all nodes, as bits; all empty where none does."""
        wide = 1 + len(self.flow.nodes) // 500
        start: State = (0, 0, ())
        ready = sum(1 << place for place, mask in enumerate(self.flow.before) if not mask)
        level: dict[State, int] = {start: ready}
        edges: list[list[tuple[State, State, int, int]]] = []
        for _ in self.flow.nodes:
            steps: list[tuple[State, State, int, int]] = []
            coming: dict[State, int] = {}
            for state, at_hand in level.items():
                modules = self.following(state[0])
                self._pay((1 + len(modules) // 4) * wide)
                for module in modules:
                    for node in bits(at_hand & domains[module]):
                        self._pay(wide)
                        opened = self._opened(state[2], module, node)
                        if opened is None:
                            continue
                        after = (state[0] | 1 << module, state[1] | 1 << node, opened)
                        if after not in coming:
                            coming[after] = self._ready(at_hand, after[1], node)
                        steps.append((state, after, module, node))
            edges.append(steps)
            level = coming
        return self._back(edges, {state for state in level if not state[2]}, len(domains))

    def _pay(self, amount: int) -> None:
        self.effort -= amount
        if self.effort < 0:
            raise TooManyWaysError

    def _opened(self, opened: Open, module: int, node: int) -> Open | None:
        """What is open after a step; None where partners would not be neighbours."""
        if module not in self.pairs:
            return opened
        partner, norm_behind = self.pairs[module]
        for pair in opened:
            if pair[0] == partner:
                kernel, norm = (node, pair[1]) if module in self.kernels else (pair[1], node)
                fits = self.flow.neighbours(kernel, norm, norm_behind)
                return tuple(one for one in opened if one != pair) if fits else None
        return tuple(sorted((*opened, (module, node))))

    def _ready(self, ready: int, done: int, node: int) -> int:
        ready &= ~(1 << node)
        for one in self.flow.behind[node]:
            if not self.flow.before[one] & ~done:
                ready |= 1 << one
        return ready

    def _back(self, edges: list[list[tuple[State, State, int, int]]], alive: set[State], count: int) -> list[int]:
        found = [0] * count
        for steps in reversed(edges):
            earlier: set[State] = set()
            for state, after, module, node in steps:
                if after in alive:
                    found[module] |= 1 << node
                    earlier.add(state)
            alive = earlier
        return found


def colours(graph: Graph, marks: dict[str, int]) -> dict[str, int]:
    """Nodes of one colour can change places without a change of the function; marked nodes stay where they are."""
    forwards: dict[str, int] = {}
    for node in graph.nodes:
        arriving = [forwards[name] for name in node.inputs]
        forwards[node.name] = hash((node.op.untrained(), _ordered(node, arriving), marks.get(node.name, -1)))
    backwards: dict[str, int] = {}
    leaving: defaultdict[str, list[int]] = defaultdict(list)
    for place, name in enumerate(graph.outputs):
        leaving[name].append(hash(("output", place)))
    for node in reversed(graph.nodes):
        mine = backwards[node.name] = hash((forwards[node.name], tuple(sorted(leaving[node.name]))))
        siblings = _ordered(node, [forwards[name] for name in node.inputs])
        for place, name in enumerate(node.inputs):
            leaving[name].append(hash((mine, siblings, -1 if _is_symmetric(node) else place)))
    return backwards


def _ordered(node: Node, values: list[int]) -> tuple[int, ...]:
    return tuple(sorted(values) if _is_symmetric(node) else values)


def _is_symmetric(node: Node) -> bool:
    return isinstance(node.op, Add)
