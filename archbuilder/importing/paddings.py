"""Paddings by the names that a person would give them: as few names as do for the whole network."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import lru_cache

from archbuilder.graph import ops
from archbuilder.graph.ops import Op, Padding, Shape
from archbuilder.importing.steps import Leaf, Row, all_leaves, mapped_row
from archbuilder.outline.reduction import resolved_padding

_NAMES: tuple[Padding, ...] = ("same", "symmetric", "valid")
"""Those that come first are taken where several do; of pools, which do not pad unless told to, the last."""


def with_named_paddings(row: Row) -> Row:
    """A row in which paddings that add the same have the same name."""
    convs, transposed = (_ranked(row, _NAMES, kind) for kind in (ops.Conv, ops.ConvTranspose))
    pools = _ranked(row, _NAMES[::-1], ops.MaxPool, ops.AveragePool)

    def change(leaf: Leaf) -> Op:
        op = leaf.op
        if not isinstance(op, ops.Windowed | ops.ConvTranspose):
            return op
        order = convs if isinstance(op, ops.Conv) else transposed if isinstance(op, ops.ConvTranspose) else pools
        fitting = names(op, leaf.arriving)
        return replace(op, padding=next((name for name in order if name in fitting), op.padding))

    return mapped_row(row, change)


def _ranked(row: Row, liked: tuple[Padding, ...], *kinds: type[Op]) -> list[Padding]:
    """The names in an order in which each is that of most layers that no name before it fits."""
    sets = [names(leaf.op, leaf.arriving) for leaf in all_leaves(row) if isinstance(leaf.op, kinds)]
    order: list[Padding] = []
    while sets:
        counts = Counter(name for fitting in sets for name in fitting)
        best = max(counts, key=lambda name: (counts[name], name in liked and -liked.index(name)))
        order.append(best)
        sets = [fitting for fitting in sets if best not in fitting]
    return order


@lru_cache(4096)
def names(op: ops.Windowed | ops.ConvTranspose, arriving: Shape) -> frozenset[Padding]:
    """The names for what a layer pads an image of this size by; the amounts themselves, where none does."""
    pads = resolved_padding(op, arriving)
    alike = frozenset(name for name in _NAMES if resolved_padding(replace(op, padding=name), arriving) == pads)
    return alike or frozenset([op.padding])
