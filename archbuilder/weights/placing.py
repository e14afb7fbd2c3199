"""Where each module of a file belongs in a graph: by the tree of names, then by what is left to tell places apart."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import or_

from archbuilder.graph.network import Graph, Node
from archbuilder.weights.names import following, leaves, number, pairs, path, tree
from archbuilder.weights.signatures import Signature, of_layer
from archbuilder.weights.walk import EFFORT, Flow, TooManyWaysError, Walks, bits, colours
from archbuilder.weights.weight_file import Layer

Pairs = dict[str, Layer]
"""The layer of each node, by the node's name."""
_SHORTCUTS = {"shortcut", "downsample", "skip", "identity", "proj", "projection", "short"}
_PART = re.compile(r"(?:stage|unit)\d+/")
_WORDS = re.compile(r"[a-z]+")
_ROUNDS = 200
"""How many symmetric places are settled one after another."""


@dataclass(frozen=True)
class Open:
    """A layer of the file and the nodes that it may belong to."""

    layer: Layer
    nodes: tuple[Node, ...]

    def __str__(self) -> str:
        return f"{self.layer.name}: {' or '.join(node.name for node in self.nodes[:3])}" + (
            f" or {len(self.nodes) - 3:,} more" if len(self.nodes) > 3 else ""
        )


@dataclass(frozen=True)
class Placed:
    """Where layers belong; certain where nothing is open and nothing contradicts."""

    pairs: Pairs
    open: tuple[Open, ...] = ()
    why: str = ""
    """Why there is no way to place the layers; empty where there is."""


Witness = Callable[[Sequence[Open]], "Pairs | None"]


def agreed(graph: Graph, up: Placed, down: Placed) -> Placed:
    """Where numbers count up and the order of the file counts down: what is possible, and open where both ways are."""
    if up.why or down.why:
        return down if up.why else up
    fits: dict[str, tuple[str, ...]] = {layer.name: (name,) for name, layer in down.pairs.items()}
    fits |= {one.layer.name: tuple(node.name for node in one.nodes) for one in down.open}
    against = [
        Open(layer, tuple(graph[one] for one in (name, *fits[layer.name])))
        for name, layer in up.pairs.items() if name not in fits[layer.name]
    ]  # fmt: skip
    return replace(up, open=(*up.open, *against))


class Placing:
    """The search in one file; narrows the nodes of each module until one is left."""

    def __init__(
        self,
        graph: Graph,
        nodes: Sequence[Node],
        layers: Sequence[Layer],
        wanted: Sequence[Signature],
        *,
        downwards: bool = False,
    ) -> None:
        self.graph, self.nodes = graph, nodes
        by_name = {layer.name: layer for layer in layers}
        counted, root = (tree(list(by_name), downwards=downwards, letters=letters) for letters in (True, False))
        names = [leaf.name for leaf in leaves(counted)]
        places = {name: index for index, name in enumerate(names)}
        self.has_letters = root != counted
        number(root, places)
        number(counted, places)
        self.layers = [by_name[name] for name in names]
        signatures = self.signatures = [of_layer(layer) for layer in self.layers]
        self.wanted = wanted
        of_signature: defaultdict[Signature, int] = defaultdict(int)
        for place, signature in enumerate(wanted):
            of_signature[signature] |= 1 << place
        self.domains = [of_signature.get(signature, 0) for signature in signatures]
        kernels = frozenset(index for index, one in enumerate(signatures) if one.kind == "kernel")
        self.walks = Walks(partial(following, root), Flow.of(graph, nodes), pairs(names, signatures), kernels)
        self.counted = partial(following, counted)
        """What may come next where letters count as numbers do; names may use them as words."""
        self.sequence = [places[name] for name in by_name]
        """The modules in the order of the file."""
        self.places = {node.name: place for place, node in enumerate(nodes)}

    def place(self, witnesses: Sequence[Witness], ordered: bool, assume_order: bool) -> Placed:
        """Where the layers belong; in what is left by the file's order, and by letters, where names tell too little."""
        try:
            return self._place(witnesses, ordered, assume_order)
        except TooManyWaysError:
            self.walks = replace(self.walks, following=self.counted, effort=EFFORT)
        try:
            if (ordered and self._follow_file()) or self.has_letters:
                return self._place(witnesses, ordered, assume_order)
        except TooManyWaysError:
            pass
        if self._is_alone():
            return Placed(self._found())
        return Placed({}, tuple(self._open()), "its names tell too little to look through all ways")

    def _place(self, witnesses: Sequence[Witness], ordered: bool, assume_order: bool) -> Placed:
        if not self._narrow(self.domains):
            return Placed({}, (), "the names of its layers say another order than the network has")
        self._agree()
        if not self._is_certain() and self._narrow(self._by_paths()):
            self._agree()
        if ordered and not self._is_certain():
            self._follow_file()
        if not self._is_certain() and self._count_letters():
            self._agree()
        for witness in witnesses:
            said = witness(self._open()) if not self._is_certain() else None
            if said is not None:
                self._restrict({layer.name: self.places[name] for name, layer in said.items()})
        self._settle()
        for index in self.sequence if assume_order else ():
            if self.domains[index].bit_count() > 1:
                self._take_first(index)
        return Placed(self._found(), tuple(self._open()))

    def _is_alone(self) -> bool:
        return all(domain.bit_count() == 1 for domain in self.domains) and len({*self.domains}) == len(self.nodes)

    def _is_certain(self) -> bool:
        return all(domain.bit_count() <= 1 for domain in self.domains)

    def _narrow(self, domains: Sequence[int]) -> bool:
        """Looks through all walks within these domains; keeps what is possible, unless nothing is."""
        found = self.walks.places(domains)
        if any(found):
            self.domains = found
        return any(found)

    def _agree(self) -> None:
        """Roles and words tell places apart, each for itself; where they contradict each other, neither is believed."""
        if self._is_certain():
            return
        base = self.domains
        by_words = self._by_words()
        self._narrow(by_words)
        words = self.domains
        self.domains = base
        self._follow_roles()
        both = [one & other for one, other in zip(self.domains, words, strict=True)]
        roles_found, self.domains = self.domains, base
        if not self._narrow(both):
            self.domains = base
            return
        if not self._is_certain() and roles_found == base:
            self._follow_roles()

    def _follow_roles(self) -> None:
        """Narrows by roles until they tell nothing more; what is certain gives other modules their roles."""
        while not self._is_certain():
            before, roles = self.domains, self._by_roles()
            if roles == before or not self._narrow(roles) or self.domains == before:
                break

    def _by_roles(self) -> list[int]:
        """A module that is called as others in other units has their role, where all of them have the same."""
        roles: defaultdict[str, set[str]] = defaultdict(set)
        for layer, domain in zip(self.layers, self.domains, strict=True):
            if domain.bit_count() == 1:
                for suffix in _suffixes(layer.name):
                    roles[suffix].add(_role(self.nodes[domain.bit_length() - 1]))
        return [self._of_role(layer, domain, roles) for layer, domain in zip(self.layers, self.domains, strict=True)]

    def _of_role(self, layer: Layer, domain: int, roles: dict[str, set[str]]) -> int:
        if domain.bit_count() > 1:
            for suffix in _suffixes(layer.name):
                known = roles.get(suffix, set())
                if len(known) == 1:
                    same = sum(1 << place for place in bits(domain) if _role(self.nodes[place]) in known)
                    return same or domain
        return domain

    def _by_words(self) -> list[int]:
        """A word that names and nodes share tells apart those that have it and those that do not."""
        ours = [_words(node.name) for node in self.nodes]
        theirs = self._believed(ours)
        groups: defaultdict[int, list[int]] = defaultdict(list)
        for index, domain in enumerate(self.domains):
            if domain.bit_count() > 1:
                groups[domain].append(index)
        result = list(self.domains)
        for domain, members in groups.items():
            places = list(bits(domain))
            shared = {w for index in members for w in theirs[index]} & {w for place in places for w in ours[place]}
            for word in shared:
                having = sum(1 << place for place in places if word in ours[place])
                if having != domain and not all(word in theirs[index] for index in members):
                    for index in members:
                        result[index] &= having if word in theirs[index] else ~having
        return result

    def _believed(self, ours: Sequence[Set[str]]) -> list[Set[str]]:
        """What the words of each module say of its place, by what they mean where shapes and the flow have decided.

        A word that means something else there says nothing. In a file with such words, those that nothing confirms say
        nothing either.
        """
        every = frozenset[str]().union(*ours)
        said = [{pair for pair in _meanings(layer.name) if pair[1] in every} for layer in self.layers]
        of_domain: defaultdict[int, set[tuple[str, str]]] = defaultdict(set)
        for some, domain in zip(said, self.domains, strict=True):
            of_domain[domain] |= some
        right, wrong = set[tuple[str, str]](), set[tuple[str, str]]()
        for domain, some in of_domain.items():
            places = [ours[place] for place in bits(domain)]
            for pair in some:
                having = sum(pair[1] in words for words in places)
                right |= {pair} if having == len(places) else set()
                wrong |= set() if having else {pair}
        believed = right - wrong if wrong else frozenset[tuple[str, str]]().union(*said)
        return [{meaning for _, meaning in some & believed} for some in said]

    def _by_paths(self) -> list[int]:
        """What shares a prefix shares a path of the network, where as many prefixes as paths hold the same layers."""
        result = list(self.domains)
        theirs = _together([path(layer.name) for layer in self.layers], self.signatures)
        ours = _together([node.name.split("/") for node in self.nodes], self.wanted)
        for content, groups in theirs.items():
            places = ours.get(content, set())
            if len(places) == len(groups):
                within = reduce(or_, places)
                for index in bits(reduce(or_, groups)):
                    result[index] &= within
        return result

    def _count_letters(self) -> bool:
        """Whether there are ways on which letters come in their order, as numbers do; none other are left then."""
        walks = replace(self.walks, following=self.counted)
        found = walks.places(self.domains)
        self.walks.effort = walks.effort
        if any(found):
            self.walks, self.domains = walks, found
        return any(found)

    def _restrict(self, said: dict[str, int]) -> None:
        self._narrow([
            domain & 1 << said[layer.name] if layer.name in said and domain.bit_count() > 1 else domain
            for layer, domain in zip(self.layers, self.domains, strict=True)
        ])  # fmt: skip

    def _follow_file(self) -> bool:
        """Whether layers can come as in the file, whose order runs with the flow; only such ways are left then."""
        walks = replace(self.walks, following=lambda done: self.sequence[done.bit_count() :][:1])
        found = walks.places(self.domains)
        self.domains = found if any(found) else self.domains
        return any(found)

    def _settle(self) -> None:
        """Gives one module after another any of the places that are symmetric to each other."""
        for _ in range(_ROUNDS):
            index = self._symmetric()
            if index is None or not self._take_first(index):
                return

    def _take_first(self, index: int) -> bool:
        """Gives a module the first of the nodes that are open to it, if there is a way then."""
        chosen = list(self.domains)
        chosen[index] &= -chosen[index]
        return self._narrow(chosen)

    def _symmetric(self) -> int | None:
        waiting = [index for index, domain in enumerate(self.domains) if domain.bit_count() > 1]
        marks = {
            self.nodes[domain.bit_length() - 1].name: index
            for index, domain in enumerate(self.domains) if domain.bit_count() == 1
        }  # fmt: skip
        colour = colours(self.graph, marks)
        alike = (i for i in waiting if len({colour[self.nodes[place].name] for place in bits(self.domains[i])}) == 1)
        return next(alike, None)

    def _found(self) -> Pairs:
        return {
            self.nodes[domain.bit_length() - 1].name: layer
            for layer, domain in zip(self.layers, self.domains, strict=True) if domain.bit_count() == 1
        }  # fmt: skip

    def _open(self) -> list[Open]:
        return [
            Open(layer, tuple(self.nodes[place] for place in bits(domain)))
            for layer, domain in zip(self.layers, self.domains, strict=True) if domain.bit_count() > 1
        ]  # fmt: skip


def _together(paths: Sequence[Sequence[str]], signatures: Sequence[Signature]) -> dict[Hashable, set[int]]:
    """What shares a prefix, as bits, by the layers that it holds."""
    shared: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)
    for index, parts in enumerate(paths):
        for length in range(1, len(parts)):
            shared[tuple(parts[:length])].append(index)
    found: defaultdict[Hashable, set[int]] = defaultdict(set)
    for members in shared.values():
        content = frozenset(Counter(signatures[index] for index in members).items())
        found[content].add(sum(1 << index for index in members))
    return found


def _suffixes(name: str) -> Iterator[str]:
    """What a name ends in, longest first, but for what begins with a number."""
    parts = path(name)
    for length in range(min(len(parts) - 1, 3), 0, -1):
        if not parts[-length].isdecimal():
            yield ".".join(parts[-length:])


def _role(node: Node) -> str:
    return _PART.sub("", node.name)


def _words(name: str) -> frozenset[str]:
    """The words of a name, and that it is a shortcut, however it is called."""
    return frozenset(meaning for _, meaning in _meanings(name))


def _meanings(name: str) -> Iterator[tuple[str, str]]:
    """The words of a name, each with what it may mean on our side."""
    for part in path(name):
        for word in _WORDS.findall(part.lower()):
            yield word, word
            if word in _SHORTCUTS:
                yield word, "shortcut"
