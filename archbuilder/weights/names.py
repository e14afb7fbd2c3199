"""The tree that the names of a file make: what stands together, and which numbers come first."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from archbuilder.weights.signatures import Signature

_DEPTH, _LONGEST, _WORDS = 24, 300, 16
_TOKEN = re.compile(r"\d+x\d+|(?:conv|norm|pool|bn)[123]d|\d+|[A-Za-z]+|[^\dA-Za-z]+")
"""Sizes such as `3x3`, and kinds such as `conv2d`, are no numbers."""
_WORD = re.compile(r"(?:conv|norm|pool|bn)[123]d|[A-Za-z]+")
_AUTOMATIC = re.compile(r"((depthwise_)?conv2d|batch_normalization)(_\d+)?")
"""What Keras calls layers without a name, kind by kind, so that equal numbers mean nothing."""
_RUN = re.compile(r"(?:conv|norm|pool|bn)[123]d|[A-Za-z]+(?:_[A-Za-z]+)*")


@dataclass
class Leaf:
    """A module that holds weights, by its index."""

    name: str
    index: int = -1

    @property
    def mask(self) -> int:
        return 1 << self.index


@dataclass
class Stem:
    """Siblings whose names differ in numbers alone, in their order."""

    children: list[Leaf | Branch]
    mask: int = 0
    """Its modules, as bits."""
    ends: list[int] = field(default_factory=list)
    """How many modules there are up to the end of each child."""


@dataclass
class Branch:
    """A prefix that several modules share."""

    stems: list[Stem]
    mask: int = 0


_Numbered = tuple[tuple[int, ...], Leaf | Branch]


def tree(names: Sequence[str], *, downwards: bool = False, letters: bool = True) -> Branch:
    """The tree of some names, whose modules have no indices yet.

    Numbers run upwards; or downwards where the names, in the order in which they are given, count down. Letters count
    as numbers where they are a, b, c, ... without a gap, unless they are only words.
    """
    nested: dict[str, object] = {}
    for name in names:
        at = nested
        for part in path(name):
            at = at.setdefault(part, {})  # type: ignore[assignment]
        at[""] = name
    return _branch(nested, {name: place for place, name in enumerate(names)} if downwards else {}, letters)


def leaves(branch: Branch) -> Iterator[Leaf]:
    """The modules in the order of the tree."""
    for stem in branch.stems:
        for child in stem.children:
            if isinstance(child, Leaf):
                yield child
            else:
                yield from leaves(child)


def path(name: str) -> list[str]:
    return re.split(r"[./]", name, maxsplit=_DEPTH)


def _branch(nested: dict[str, object], places: Mapping[str, int], letters: bool) -> Branch:
    groups: defaultdict[str, list[_Numbered]] = defaultdict(list)
    stems = _stems([part for part in nested if part], letters)
    for part, inner in nested.items():
        stem, numbers = stems[part] if part else ("", ())
        child: Leaf | Branch
        if isinstance(inner, str):
            child = Leaf(inner)
        elif isinstance(inner, dict) and list(inner) == [""]:
            child = Leaf(inner[""])
        else:
            assert isinstance(inner, dict)
            child = _branch(inner, places, letters)
        groups[stem].append((numbers, child))
    return Branch([Stem([child for _, child in _sorted(group, places, 0)]) for group in groups.values()])


def _sorted(children: list[_Numbered], places: Mapping[str, int], depth: int) -> list[_Numbered]:
    """Children by their numbers, those at one depth after those before it."""
    groups: defaultdict[int, list[_Numbered]] = defaultdict(list)
    for child in children:
        groups[child[0][depth] if depth < len(child[0]) else -1].append(child)
    if len(groups) == 1 and len(children[0][0]) <= depth:
        return children
    first = {number: min(_places(group, places), default=0) for number, group in groups.items()}
    numbers = sorted(groups)
    if all(first[one] > first[other] for one, other in pairwise(numbers)):
        numbers.reverse()
    return [child for number in numbers for child in _sorted(groups[number], places, depth + 1)]


def _places(children: Iterable[_Numbered], places: Mapping[str, int]) -> Iterator[int]:
    """Where the modules of some children stand in the file; nothing where that is not looked at."""
    for _, child in children:
        if isinstance(child, Branch):
            yield from _places((((), inner) for stem in child.stems for inner in stem.children), places)
        elif child.name in places:
            yield places[child.name]


def _stems(parts: Sequence[str], letters: bool) -> dict[str, tuple[str, tuple[int, ...]]]:
    """The stem of each name and its numbers."""
    tokens = {part: _TOKEN.findall(part.lower()[:_LONGEST]) for part in parts}
    counted = _counted(tokens.values()) if letters else set()
    result = {}
    for part, found in tokens.items():
        with_letters = _cut(found, letters=True) in counted
        numbers = tuple(number for token in found if (number := _value(token, with_letters)) is not None)
        result[part] = (_cut(found, letters=with_letters), numbers)
    known = {stem for stem, _ in result.values()}
    bare = {part: stem + "_#" for part, (stem, _) in result.items() if stem + "_#" in known}
    return result | {part: (stem, (*result[part][1], -1)) for part, stem in bare.items()}


def _counted(names: Iterable[list[str]]) -> set[str]:
    """The stems whose letters are a, b, c, ... without a gap."""
    letters: defaultdict[str, set[str]] = defaultdict(set)
    for tokens in names:
        for token in tokens:
            if len(token) == 1 and token.isalpha():
                letters[_cut(tokens, letters=True)].add(token)
    return {stem for stem, some in letters.items() if "".join(sorted(some)) == "abcdefghijklmnop"[: len(some)] != "a"}


def _cut(tokens: Iterable[str], letters: bool) -> str:
    return "".join("#" if _value(token, letters) is not None else token for token in tokens)


def _value(token: str, letters: bool) -> int | None:
    if token.isdecimal():
        return int(token[:18])
    return ord(token) - ord("a") if letters and len(token) == 1 and token.isalpha() else None


def number(branch: Branch, places: Mapping[str, int]) -> None:
    """Gives the modules of a tree their indices."""
    for stem in branch.stems:
        for child in stem.children:
            if isinstance(child, Leaf):
                child.index = places[child.name]
            else:
                number(child, places)
            stem.mask |= child.mask
            stem.ends.append(stem.mask.bit_count())
        branch.mask |= stem.mask


def following(branch: Branch, done: int) -> list[int]:
    """The modules that may come next: what has been entered is finished first, and lower numbers come before higher."""
    waiting: list[Leaf | Branch] = []
    for stem in branch.stems:
        if not stem.mask & ~done:
            continue
        child = stem.children[bisect_right(stem.ends, (done & stem.mask).bit_count())]
        if isinstance(child, Branch) and done & child.mask:
            return following(child, done)
        waiting.append(child)
    return [one for child in waiting for one in ([child.index] if isinstance(child, Leaf) else following(child, done))]


def pairs(names: Sequence[str], signatures: Sequence[Signature]) -> dict[int, tuple[int, bool]]:
    """The norm of each convolution and the convolution of each norm, as the names say it: direct neighbours.

    `conv1` and `bn1` differ in a word, and either may come first; in a list such as `0`, `1`, the norm is behind.
    """
    found: dict[int, set[tuple[int, bool]]] = defaultdict(set)
    for group in _by_rest(names, signatures).values():
        kernels = [index for index in group if signatures[index].kind == "kernel"]
        norms = [index for index in group if signatures[index].kind == "norm"]
        if len(kernels) == len(norms) == 1 and _fit(signatures[kernels[0]], signatures[norms[0]]):
            found[kernels[0]].add((norms[0], False))
            found[norms[0]].add((kernels[0], False))
    for kernel, norm in _listed(names, signatures):
        found[kernel] = {(norm, True)}
        found[norm] = {(kernel, True)}
    alone = {index: next(iter(some)) for index, some in found.items() if len(some) == 1}
    return {index: pair for index, pair in alone.items() if alone.get(pair[0], (None,))[0] == index}


def _fit(kernel: Signature, norm: Signature) -> bool:
    return len(kernel.kernel) == 4 and norm.leaving in (kernel.leaving, kernel.arriving)


def _by_rest(names: Sequence[str], signatures: Sequence[Signature]) -> dict[str, set[int]]:
    """The modules by what is left of their names without one word."""
    groups: defaultdict[str, set[int]] = defaultdict(set)
    for index, name in enumerate(names):
        if len(name) <= _LONGEST and not _AUTOMATIC.fullmatch(name) and signatures[index].kind in ("kernel", "norm"):
            parent, separator, last = name.rpartition(".")
            spans = [match.span() for match in (*_WORD.finditer(last), *_RUN.finditer(last))][-_WORDS:]
            for rest in {last, *(last[:start] + last[stop:] for start, stop in spans)}:
                groups[f"{parent}{separator}{rest.strip('_')}"].add(index)
    return groups


def _listed(names: Sequence[str], signatures: Sequence[Signature]) -> Iterator[tuple[int, int]]:
    lists: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for index, name in enumerate(names):
        parent, _, last = name.rpartition(".")
        if last.isdecimal() and len(last) < 10:
            lists[parent].append((int(last), index))
    for members in lists.values():
        members.sort()
        for (_, one), (_, other) in pairwise(members):
            kernel, norm = signatures[one], signatures[other]
            if (kernel.kind, norm.kind) == ("kernel", "norm") and kernel.leaving == norm.leaving:
                yield one, other
