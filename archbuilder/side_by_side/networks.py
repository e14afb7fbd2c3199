"""Networks beside each other: what each costs and sees, as a whole and stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from archbuilder.aliases import Json
from archbuilder.costs.memory import Memory, memory
from archbuilder.costs.summary import Stage, Summary, summarise
from archbuilder.formatting import aligned, counted, mebibytes
from archbuilder.graph.network import Graph
from archbuilder.graph.ops import show
from archbuilder.graph.receptive_field import ReceptiveField, last_map, receptive_fields
from archbuilder.markup import csv_text, markdown_text
from archbuilder.spec.network import Figure
from archbuilder.spec.training import Training

Scale = tuple[float, str]
"""What all multiply-adds of a table are given in."""
HEADINGS = ("network", "depth", "parameters", "multiply-adds", "memory", "field", "error %")
NUMBERS = range(1, 6)
MOST_COLUMNS = 6
"""The most networks that are compared stage by stage, each a column."""
NOTES = (
    "in brackets: how many times as many as the first has.",
    "multiply-adds: of one image. field: the pixels that one value of the last map depends on.",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """A network that is compared, how it is trained, and what was published for it."""

    graph: Graph
    training: Training | None = None
    published: tuple[Figure, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """What a network costs and sees, and what was published for it."""

    summary: Summary
    memory: Memory
    field: ReceptiveField
    published: tuple[Figure, ...]

    def to_json(self) -> Json:
        summary = self.summary.to_json()
        kept = ("name", "depth", "parameters", "macs", "activation_bytes", "input", "output", "stages")
        published = [figure.model_dump(exclude_none=True) for figure in self.published]
        measured = {"training_memory": self.memory.to_json(), "receptive_field": self.field.to_json()}
        return {**{key: summary[key] for key in kept}, **measured, "published": published}


@dataclass(frozen=True, repr=False)
class SideBySide:
    """Several networks; printed, a table of them and one for each thing that stages have."""

    columns: tuple[Column, ...]

    def __repr__(self) -> str:
        return f"<SideBySide of {counted(len(self.columns), 'network')}>"

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        from archbuilder.notebook import paragraphs, table

        parts = [table(network_rows(self)), *(f"<h4>{title}</h4>{table(rows)}" for title, rows in stage_tables(self))]
        return "".join(parts) + paragraphs(*notes(self))

    def to_json(self) -> Json:
        return {"networks": [column.to_json() for column in self.columns]}

    def __str__(self) -> str:
        return render(self)

    def csv(self) -> str:
        """A line for each network, its numbers exact."""
        heads = ("network", "depth", "trainable", "total", "macs", "activation_bytes", "training_memory",
                 "batch_size", "receptive_field", "error", "top5_error")  # fmt: skip
        return csv_text([heads, *map(_exactly, self.columns)])

    def markdown(self) -> str:
        tables = [markdown_text(network_rows(self), NUMBERS)]
        for title, rows in stage_tables(self):
            tables += [f"{title}:", markdown_text(rows, range(1, len(rows[0])))]
        return "\n\n".join(tables)


def column(entry: Entry, batch_size: int | None = None) -> Column:
    graph = entry.graph
    field = receptive_fields(graph)[last_map(graph).name]
    return Column(summarise(graph), memory(graph, entry.training, batch_size), field, entry.published)


def render(found: SideBySide) -> str:
    """The networks as lines, then their stages, each network a column."""
    parts = [*aligned(network_rows(found), NUMBERS)]
    for title, rows in stage_tables(found):
        parts += ["", title, *aligned(rows, range(1, len(rows[0])))]
    return "\n".join([*parts, "", *notes(found)])


def notes(found: SideBySide) -> list[str]:
    batch = found.columns[0].memory.batch_size
    return [*NOTES, f"memory: of training on a CPU at batch size {batch:,}, an estimate."]


def _exactly(one: Column) -> tuple[str, ...]:
    costs, figure = one.summary.costs, one.published[0] if one.published else None
    numbers = (one.summary.depth, costs.trainable, costs.total, costs.macs, one.summary.activation_bytes,
               one.memory.total, one.memory.batch_size)  # fmt: skip
    errors = (figure.error, figure.top5_error) if figure else (None, None)
    return (
        one.summary.name,
        *map(str, numbers),
        field_words(one.field),
        *("" if e is None else str(e) for e in errors),
    )


def network_rows(found: SideBySide) -> list[tuple[str, ...]]:
    first, scale = found.columns[0], _scale(found)
    return [HEADINGS, *(_row(one, first, scale) for one in found.columns)]


def _row(one: Column, first: Column, scale: Scale) -> tuple[str, ...]:
    here, there = one.summary, first.summary
    numbers = (
        _beside(f"{here.depth}", here.depth, there.depth),
        _beside(f"{here.costs.trainable:,}", here.costs.trainable, there.costs.trainable),
        _beside(_scaled(here.costs.macs, scale), here.costs.macs, there.costs.macs),
        _beside(mebibytes(one.memory.total), one.memory.total, first.memory.total),
    )
    errors = "; ".join(f"{figure.values} ({figure.conditions})" for figure in one.published)
    return (here.name, *numbers, field_words(one.field), errors)


def _beside(text: str, number: int, first: int) -> str:
    return f"{text} ({number / first:.2f})" if first else text


def field_words(field: ReceptiveField) -> str:
    """`483`, `483x241` where height and width differ, with the whole image named."""
    rows, columns = field.size
    return f"{rows}" if rows == columns else f"{rows}x{columns}"


def stage_tables(found: SideBySide) -> list[tuple[str, list[tuple[str, ...]]]]:
    """For each thing that stages have, a table with a line for each stage and a column for each of a few networks."""
    if len(found.columns) > MOST_COLUMNS:
        return []
    stages = [{stage.name: stage for stage in one.summary.stages if _is_part(stage)} for one in found.columns]
    names = sorted(dict.fromkeys(name for part in stages for name in part), key=_place)
    head = ("", *(one.summary.name for one in found.columns))
    tables = []
    scale = _scale(found)
    for title, words in (
        ("what leaves each stage", _output),
        ("parameters", _parameters),
        ("multiply-adds", partial(_macs, scale)),
    ):
        rows = [(name, *(words(part[name]) if name in part else "" for part in stages)) for name in names]
        tables.append((title, [head, *rows]))
    return tables


def _is_part(stage: Stage) -> bool:
    """Whether it is the stem, a stage or the head, and not the input."""
    return stage.name in ("stem", "head") or stage.name.startswith("stage")


def _place(name: str) -> tuple[int, int]:
    return (("stem", "head").index(name) * 2, 0) if name in ("stem", "head") else (1, int(name.removeprefix("stage")))


def _output(stage: Stage) -> str:
    count = sum(unit.name.startswith(f"{stage.name}/unit") for unit in stage.units)
    return f"{show(stage.output_shape)}{f' in {count} unit' if count else ''}{'s' if count > 1 else ''}"


def _parameters(stage: Stage) -> str:
    return f"{stage.costs.trainable:,}"


def _macs(scale: Scale, stage: Stage) -> str:
    return _scaled(stage.costs.macs, scale)


def _scale(found: SideBySide) -> Scale:
    """Thousands where there is a network of less than ten millions of multiply-adds."""
    return (1e6, "M") if min(one.summary.costs.macs for one in found.columns) >= 1e7 else (1e3, "k")


def _scaled(number: int, scale: Scale) -> str:
    divisor, letter = scale
    return f"{number / divisor:,.1f} {letter}"


def side_by_side(entries: Sequence[Entry], batch_size: int | None = None) -> SideBySide:
    """Networks beside each other; the memory of training is that at one batch size, the first recipe's unless given."""
    first = column(entries[0], batch_size)
    others = (column(entry, first.memory.batch_size) for entry in entries[1:])
    return SideBySide((first, *others))
