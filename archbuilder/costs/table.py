"""Several networks in one table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from archbuilder.aliases import Json
from archbuilder.costs.asked import Asked
from archbuilder.costs.memory import Memory
from archbuilder.costs.roofline import Roofline
from archbuilder.errors import UsageError, suggest
from archbuilder.formatting import aligned, mebibytes
from archbuilder.graph import analysis
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import show
from archbuilder.graph.paths import paths
from archbuilder.graph.receptive_field import last_map, receptive_fields
from archbuilder.markup import Cell, csv_text, markdown_text
from archbuilder.spec.training import Training


@dataclass(frozen=True)
class Subject:
    """A network, and what the estimates of its training are."""

    graph: Graph
    memory: Memory
    roofline: Roofline

    @classmethod
    def of(cls, graph: Graph, training: Training | None, asked: Asked) -> Subject:
        return cls(graph, *asked.answers(graph, training))

    @cached_property
    def field(self) -> int:
        """The larger side of its receptive field."""
        return max(receptive_fields(self.graph)[last_map(self.graph).name].size)


@dataclass(frozen=True)
class Column:
    """A number of each network; `shown` is how people read it."""

    about: str
    value: Callable[[Subject], Cell]
    shown: Callable[[Cell], str] = lambda value: f"{value:,}" if isinstance(value, int) else str(value or "")


def _size(value: Cell) -> str:
    return mebibytes(value) if isinstance(value, int) else ""


def _decimal(value: Cell) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else ""


def _count(value: Cell) -> str:
    """Beyond what anybody reads digit by digit, a power of two."""
    if not isinstance(value, int):
        return ""
    return f"{value:,}" if value < 10**12 else f"2^{value.bit_length() - 1}"


COLUMNS = {
    "spec": Column("the name", lambda one: one.graph.name),
    "depth": Column("weighted layers, as the papers count them", lambda one: analysis.depth(one.graph)),
    "layers": Column("all layers", lambda one: len(one.graph.nodes)),
    "trainable": Column("parameters that are trained", lambda one: one.graph.trainable),
    "total": Column("parameters", lambda one: one.graph.parameters),
    "macs": Column("multiply-adds of one image", lambda one: one.graph.macs),
    "activations": Column(
        "the outputs of all layers for one image, in float32",
        lambda one: sum(map(analysis.activation_bytes, one.graph.nodes)), _size,
    ),
    "field": Column("the receptive field", lambda one: one.field),
    "ways": Column("the ways from input to output", lambda one: paths(one.graph).count, _count),
    "batch": Column("the batch size of the estimates", lambda one: one.memory.batch_size),
    "memory": Column("the memory of training, an estimate", lambda one: one.memory.total, _size),
    "fits": Column("the largest batch for --memory", lambda one: one.memory.largest_batch),
    "intensity": Column("flops a byte, forward", lambda one: one.roofline.of.intensity, _decimal),
    "bound": Column("images a second forward at best", lambda one: one.roofline.forward, _decimal),
    "input": Column("height, width and channels", lambda one: show(one.graph.input.shape)),
    "output": Column("the shape of the last output", lambda one: show(one.graph[one.graph.outputs[-1]].shape)),
}  # fmt: skip
DEFAULT = ("spec", "depth", "trainable", "total", "macs", "field", "memory")
TEXTS = ("spec", "input", "output")


@dataclass(frozen=True)
class Table:
    """Rows of networks, in columns of their names."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def to_json(self) -> list[Json]:
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def csv(self) -> str:
        return csv_text([self.columns, *self.rows])

    def markdown(self) -> str:
        return markdown_text(self._shown(), self._right)

    def text(self) -> str:
        head, *lines = aligned(self._shown(), self._right)
        return "\n".join([head, "─" * max(map(len, [head, *lines])), *lines])

    @property
    def _right(self) -> list[int]:
        return [index for index, name in enumerate(self.columns) if name not in TEXTS]

    def _shown(self) -> list[Sequence[str]]:
        kinds = [COLUMNS[name] for name in self.columns]
        return [self.columns, *(tuple(kind.shown(cell) for kind, cell in zip(kinds, row, strict=True))
                                for row in self.rows)]  # fmt: skip


def chosen(columns: str | None, sort: str | None) -> None:
    """Raises UsageError for a column that there is not; `columns` are names with commas between them."""
    for name in (*(columns or "").split(","), (sort or "").removeprefix("-")):
        if name.strip() or columns == "":
            _known(name.strip())


def table(subjects: Sequence[Subject], columns: str | None = None, sort: str | None = None) -> Table:
    """The table of networks, in their order or sorted by a column; with a minus before it, from the largest on."""
    chosen(columns, sort)
    names = tuple(name.strip() for name in columns.split(",") if name.strip()) if columns else _default(subjects)
    if sort:
        by = COLUMNS[sort.removeprefix("-")]
        subjects = sorted(subjects, key=lambda one: _order(by.value(one)), reverse=sort.startswith("-"))
    rows = tuple(tuple(COLUMNS[name].value(one) for name in names) for one in subjects)
    return Table(names, rows)


def _default(subjects: Sequence[Subject]) -> tuple[str, ...]:
    """With columns for what was asked beside."""
    fits = any(one.memory.limit is not None for one in subjects)
    bound = any(one.roofline.bound is not None for one in subjects)
    return (*DEFAULT, *(("fits",) if fits else ()), *(("intensity", "bound") if bound else ()))


def _order(value: Cell) -> tuple[bool, str, float]:
    return (False, "", value) if isinstance(value, int | float) else (True, value or "", 0)


def _known(name: str) -> str:
    if name not in COLUMNS:
        raise UsageError(f"there is no column '{name}'; {suggest(name, COLUMNS, 'columns')}")
    return name
