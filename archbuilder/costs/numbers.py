"""What a network is, in numbers beside its costs: what its values see of the image, and the ways through it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archbuilder.aliases import Json
from archbuilder.costs.asked import NOTHING, Asked
from archbuilder.costs.conventions import Count, conventions
from archbuilder.costs.memory import Memory
from archbuilder.costs.roofline import Roofline
from archbuilder.displayed import Displayed
from archbuilder.errors import MissingError, suggest
from archbuilder.formatting import aligned, printable
from archbuilder.graph import analysis
from archbuilder.graph.network import Graph
from archbuilder.graph.paths import Paths, paths
from archbuilder.graph.receptive_field import ReceptiveField, last_map, receptive_fields
from archbuilder.spec.training import Training

BARS = "▁▂▃▄▅▆▇█"
MOST_BARS = 60
NOTES = (
    "field: the pixels that one value behind the part depends on; stride: from one value to the next.",
    "ways: each enters a merge by one path; lengths are in residual paths, or in layers where there are none.",
)


@dataclass(frozen=True, slots=True, repr=False)
class Numbers(Displayed):
    """The receptive fields of a network, its stages, units and layers, and its ways from input to output."""

    name: str
    last_map: str
    """The last layer with several positions: its receptive field is that of the network."""
    fields: dict[str, ReceptiveField]
    """Of each layer, by its name."""
    ends: dict[str, str]
    """The last layer of each stage and unit, by its name."""
    stages: tuple[str, ...]
    paths: Paths
    counts: tuple[Count, ...]
    """What one image costs, as different tools count it."""
    memory: Memory
    """An estimate for its training."""
    roofline: Roofline

    def __repr__(self) -> str:
        return f"<Numbers {self.name!r}: receptive field {_pair(self.receptive_field.size)}>"

    def __str__(self) -> str:
        return render(self)

    @property
    def receptive_field(self) -> ReceptiveField:
        return self.fields[self.last_map]

    def field_of(self, part: str) -> ReceptiveField:
        """That of a stage, a unit or a layer; raises MissingError where there is none of that name."""
        if (field := self.fields.get(self.ends.get(part, part))) is None:
            raise MissingError(
                f"there is no part called '{printable(part)}'\n  hint: {suggest(part, self.ends, 'stages and units')}"
            )
        return field

    def to_json(self) -> Json:
        return {
            "name": self.name,
            "receptive_field": {"layer": self.last_map, **self.receptive_field.to_json()},
            "paths": self.paths.to_json(),
            "counts": {count.tool: count.number for count in self.counts},
            "memory": self.memory.to_json(),
            "roofline": self.roofline.to_json(),
            "parts": [{"name": part, **self.field_of(part).to_json()} for part in self.ends],
            "layers": [{"name": name, **field.to_json()} for name, field in self.fields.items()],
        }


def numbers(graph: Graph, training: Training | None = None, asked: Asked = NOTHING) -> Numbers:
    """The numbers of a network, and estimates for its training."""
    sections = analysis.stages(graph)
    ends = {part.name: part.nodes[-1].name for stage in sections for part in (*analysis.units(stage), stage)}
    stages = tuple(stage.name for stage in sections)
    last, fields = last_map(graph).name, receptive_fields(graph)
    answers = asked.answers(graph, training)
    return Numbers(graph.name, last, fields, ends, stages, paths(graph), conventions(graph), *answers)


def render(found: Numbers) -> str:
    """The numbers as text: a line for each stage, and the ways as a small curve."""
    lines = [title(found), "", *aligned(field_rows(found), range(1, 5))]
    counts = aligned(count_rows(found), (1,))
    return "\n".join([*lines, "", *ways_lines(found.paths), "", *counts, *estimates(found), "", *NOTES])


def title(found: Numbers) -> str:
    return f"{found.name}: receptive field {_pair(found.receptive_field.size)}, that of {found.last_map}"


def field_rows(found: Numbers) -> list[Sequence[str]]:
    """The cells of the receptive fields, a row a stage below one of headings."""
    return [("", "field", "smallest", "stride", "padding"), *(field_cells(part, found) for part in found.stages)]


def count_rows(found: Numbers) -> list[Sequence[str]]:
    """The cells of what one image costs, a row a tool."""
    return [(count.tool, f"{count.number:,}", count.what) for count in found.counts]


def estimates(found: Numbers) -> list[str]:
    """What training takes, in lines."""
    return [*found.memory.lines(), *found.roofline.lines()]


def field_cells(part: str, found: Numbers) -> tuple[str, ...]:
    """The cells of a part: its name, and what one value behind it sees."""
    field = found.field_of(part)
    size = f"{_pair(field.size)} of the whole image" if field.stride == (None, None) else _pair(field.size)
    beside = ", also the whole image" if field.whole_image and field.stride != (None, None) else ""
    return part, f"{size}{beside}", _pair(field.smallest), _pair(field.stride), _pair(field.padding)


def _pair(pair: Sequence[object]) -> str:
    """`32` where height and width are alike, else `32x16`; nothing where there is no such number."""
    shown = ["" if one is None else str(one) for one in pair]
    return shown[0] if shown[0] == shown[1] else "x".join(one or "-" for one in shown)


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways through a network in words, and how many of them have each length, from the shortest on."""

    words: str
    unit: str
    """What lengths are counted in."""
    shortest: int
    counts: tuple[int, ...]

    @classmethod
    def of(cls, found: Paths) -> Ways:
        lengths, unit = found.by_units, "residual paths"
        if not lengths or len(lengths) < 2:
            lengths, unit = found.by_layers, "layers"
        count = f"{found.count:,}" if found.count < 10**9 else f"about 2^{found.count.bit_length() - 1}"
        title = f"{count} way{'' if found.count == 1 else 's'} from input to output"
        if not lengths:
            return cls(title, unit, 0, ())
        shortest = next(length for length, ways in enumerate(lengths) if ways)
        mean = sum(length * ways for length, ways in enumerate(lengths)) / found.count
        span = f"{shortest} to {len(lengths) - 1} {unit}, {mean:.1f} on average"
        return cls(f"{title}: {span}", unit, shortest, lengths[shortest:])


def ways_lines(found: Paths) -> list[str]:
    """The ways in words, and their lengths as a small curve."""
    ways = Ways.of(found)
    return [ways.words, curve(ways.counts)] if ways.counts else [ways.words]


def curve(counts: Sequence[int]) -> str:
    """Counts as bars of one character each; neighbours share one where there are more than fit."""
    step = -(-len(counts) // MOST_BARS)
    sums = [sum(counts[start : start + step]) for start in range(0, len(counts), step)]
    most = max(sums)
    return "".join(BARS[one * (len(BARS) - 1) // most] if one else " " for one in sums)
