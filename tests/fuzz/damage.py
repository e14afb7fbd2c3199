"""Damage to bytes, to text and to trees of values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from random import Random
from typing import Any

NUMBERS = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 16, 1.5, 0.0, -0.0, 10**6, 2**31, 2**53, 2**64, 10**30, -(10**30), 1e308,
    float("inf"), float("nan"), "", " ", "text", "é", "\x1b[31m", "\u202e", "a\nb", "1", "none", "basic", "conv", "$", "${",
    "${filters}", "${1//0}", "${9**9**9}", "${filters * 2}", "1e999", "x" * 5_000, [], {}, [[]], [1, 3], [None], ["a", "b"],
    {"conv": {}}, {"basic": None}, {"if": 1}, {"a": "b", "c": "d"}, {1: 2}, [0] * 300, {"repeat": 10**9}, [10**9, 10**9],
)  # fmt: skip


def damaged(content: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """Some bytes of a file changed, cut, moved, or taken from another file."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        random.choice(_CHANGES)(changed, random, others)
    return bytes(changed)


def _place(changed: bytearray, random: Random) -> int:
    """Often near the beginning or the end, where headers are."""
    spot = random.choice((64, 512, len(changed), len(changed)))
    at = random.randrange(min(spot, len(changed)) + 1)
    return at if random.random() < 0.7 else len(changed) - at


def _flip(changed: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if changed:
        changed[_place(changed, random) % len(changed)] ^= 1 << random.randrange(8)


def _byte(changed: bytearray, random: Random, _: Sequence[bytes]) -> None:
    if changed:
        changed[_place(changed, random) % len(changed)] = random.randrange(256)


def _number(changed: bytearray, random: Random, _: Sequence[bytes]) -> None:
    size = random.choice((1, 2, 4, 8))
    number = random.choice(NUMBERS) % 2 ** (8 * size)
    at = _place(changed, random)
    changed[at : at + size] = number.to_bytes(size, random.choice(("little", "big")))


def _cut(changed: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at = _place(changed, random)
    del changed[at : at + random.choice((1, 2, 8, 100, len(changed)))]


def _repeat(changed: bytearray, random: Random, _: Sequence[bytes]) -> None:
    at, size = _place(changed, random), random.choice((1, 8, 64))
    changed[at:at] = changed[at : at + size] * random.choice((1, 3, 100))


def _splice(changed: bytearray, random: Random, others: Sequence[bytes]) -> None:
    other = random.choice(others) if others else bytes(changed)
    begin, at = random.randrange(len(other) + 1), _place(changed, random)
    piece = other[begin : begin + random.choice((4, 32, 1_000))]
    changed[at : at + len(piece)] = piece


_CHANGES: tuple[Callable[[bytearray, Random, Sequence[bytes]], None], ...] = (
    _flip, _byte, _byte, _number, _number, _cut, _repeat, _splice,
)  # fmt: skip


def paths_in(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of each value in a tree, but for the root."""
    found = [path] if path else []
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    return found + [one for key, value in items for one in paths_in(value, (*path, key))]


def value_at(tree: Any, path: Sequence[Any]) -> Any:
    for key in path:
        tree = tree[key]
    return tree


def with_changes(tree: Any, random: Random, values: Sequence[Any] = VALUES) -> Any:
    """A copy of a tree with one to three of its values changed, removed, moved or repeated."""
    tree = deepcopy(tree)
    for _ in range(random.choice((1, 1, 2, 3))):
        if paths := paths_in(tree):
            _change(tree, random.choice(paths), random, values)
    return tree


def _change(tree: Any, path: tuple[Any, ...], random: Random, values: Sequence[Any]) -> None:
    parent, key = value_at(tree, path[:-1]), path[-1]
    match random.randrange(6):
        case 0:
            del parent[key]
        case 1:
            parent[key] = deepcopy(value_at(tree, random.choice(paths_in(tree))))
        case 2 if isinstance(parent, list):
            parent[key:key] = [deepcopy(parent[key]) for _ in range(random.choice((1, 5, 200)))]
        case 3 if isinstance(parent, dict):
            parent[random.choice(("x", 1, "repeat", "if", "extends", "templates", "parameters", f"{key}s"))] = (
                parent.pop(key)
            )
        case _:
            parent[key] = deepcopy(random.choice(values))
