"""What a network costs, layer by layer, summed up by unit and stage; as a table for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from typing import Literal

from archbuilder.graph import analysis
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Shape, show
from archbuilder.graph.words import node_words, op_name

Level = Literal["stage", "unit", "layer"]
Json = dict[str, object]

NOTES = (
    "macs: multiply-adds count convolutions and dense layers, for one image; flops are about twice that.",
    "memory: the outputs of all layers for one image, in float32.",
)


@dataclass(frozen=True, slots=True)
class Costs:
    """Parameters, multiply-adds of one image, and bytes of the activations of one image in float32."""

    trainable: int = 0
    total: int = 0
    macs: int = 0
    activation_bytes: int = 0

    def __add__(self, other: Costs) -> Costs:
        return Costs(
            self.trainable + other.trainable,
            self.total + other.total,
            self.macs + other.macs,
            self.activation_bytes + other.activation_bytes,
        )

    def to_json(self) -> Json:
        return {
            "parameters": {"trainable": self.trainable, "total": self.total},
            "macs": self.macs,
            "activation_bytes": self.activation_bytes,
        }


@dataclass(frozen=True, slots=True)
class Layer:
    """One op of the network."""

    name: str
    op: str
    """Its name in the language, such as `conv`."""
    words: str
    """What it does, such as `3x3 conv, 16`."""
    inputs: tuple[str, ...]
    output_shape: Shape
    costs: Costs

    def to_json(self) -> Json:
        shape = list(self.output_shape)
        inputs = list(self.inputs)
        return {"name": self.name, "op": self.op, "inputs": inputs, "output_shape": shape, **self.costs.to_json()}


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit of a stage, or what stands in a stage outside of its units."""

    name: str
    layers: tuple[Layer, ...]

    @property
    def output_shape(self) -> Shape:
        return self.layers[-1].output_shape

    @property
    def costs(self) -> Costs:
        return _sum(layer.costs for layer in self.layers)

    def to_json(self) -> Json:
        return {"name": self.name, "output_shape": list(self.output_shape), **self.costs.to_json()}


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage, the stem, the head, or a layer outside of these."""

    name: str
    units: tuple[Unit, ...]

    @property
    def output_shape(self) -> Shape:
        return self.units[-1].output_shape

    @property
    def costs(self) -> Costs:
        return _sum(unit.costs for unit in self.units)

    def to_json(self) -> Json:
        units = [unit.to_json() for unit in self.units]
        return {"name": self.name, "output_shape": list(self.output_shape), **self.costs.to_json(), "units": units}


@dataclass(frozen=True, slots=True)
class Report:
    """What a network costs. The costs of its stages add up to its own, those of a stage's units to the stage's."""

    name: str
    depth: int
    """Weighted layers as the papers count them: shortcuts and gates left out."""
    stages: tuple[Stage, ...]
    outputs: tuple[str, ...]
    """The names of the layers that the network returns."""

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(layer for stage in self.stages for unit in stage.units for layer in unit.layers)

    @property
    def costs(self) -> Costs:
        return _sum(stage.costs for stage in self.stages)

    @property
    def input_shape(self) -> Shape:
        return self.layers[0].output_shape

    @property
    def output_shapes(self) -> tuple[Shape, ...]:
        shapes = {layer.name: layer.output_shape for layer in self.layers}
        return tuple(shapes[name] for name in self.outputs)

    def to_json(self) -> Json:
        """Everything in plain data; `output` is the shape of the last of the `outputs`."""
        outputs = [
            {"name": name, "shape": list(shape)}
            for name, shape in zip(self.outputs, self.output_shapes, strict=True)
        ]  # fmt: skip
        return {
            "name": self.name,
            "depth": self.depth,
            **self.costs.to_json(),
            "input": list(self.input_shape),
            "output": list(self.output_shapes[-1]),
            "outputs": outputs,
            "stages": [stage.to_json() for stage in self.stages],
            "layers": [layer.to_json() for layer in self.layers],
        }


def report(graph: Graph) -> Report:
    """The report of a network."""
    stages = tuple(
        Stage(stage.name, tuple(Unit(unit.name, tuple(map(_layer, unit.nodes))) for unit in analysis.units(stage)))
        for stage in analysis.stages(graph)
    )
    return Report(graph.name, analysis.depth(graph), stages, graph.outputs)


def _layer(node: Node) -> Layer:
    costs = Costs(node.trainable, node.parameters, node.macs, analysis.activation_bytes(node))
    return Layer(node.name, op_name(node.op), node_words(node), node.inputs, node.shape, costs)


def _sum(costs: Iterable[Costs]) -> Costs:
    return sum(costs, Costs())


Row = tuple[str, ...]
Line = tuple[str, str, Shape, Costs]
"""A label, what the layer does, the shape of the output and the costs."""

HEADINGS: Row = ("", "", "output", "trainable", "total", "macs", "memory")


def render(report: Report, level: Level = "unit") -> str:
    """A report as a table in plain text: one line a stage, with its units or all its layers under it."""
    scale = _scale(report.costs.macs)
    rows = (_row(*line, scale) for line in _lines(report, level))
    table = _table(rows, _row("total", "", report.output_shapes[-1], report.costs, scale))
    return "\n".join([_title(report), "", table, "", *NOTES])


def _title(report: Report) -> str:
    outputs = ", ".join(map(show, report.output_shapes))
    return f"{report.name}: depth {report.depth}, input {show(report.input_shape)}, output {outputs}"


def _lines(report: Report, level: Level) -> Iterator[Line]:
    for stage in report.stages:
        only_layer = stage.name == stage.units[0].layers[0].name
        yield f"{stage.name}{_unit_count(stage)}", "", stage.output_shape, stage.costs
        if level != "stage" and not only_layer:
            for unit in stage.units:
                yield from _unit_lines(stage, unit, level)


def _unit_count(stage: Stage) -> str:
    count = sum(unit.name.startswith(f"{stage.name}/unit") for unit in stage.units)
    return f" ({count} unit{'s' if count > 1 else ''})" if count else ""


def _unit_lines(stage: Stage, unit: Unit, level: Level) -> Iterator[Line]:
    """The lines of one unit; it has one of its own unless its stage has no units."""
    nested = unit.name != stage.name or len(stage.units) > 1
    if nested:
        label = "after" if unit.name == stage.name else unit.name.rpartition("/")[2]
        yield f"  {label}", "", unit.output_shape, unit.costs
    if level == "layer":
        margin = "    " if nested else "  "
        for layer in unit.layers:
            yield f"{margin}{layer.name.removeprefix(f'{unit.name}/')}", layer.words, layer.output_shape, layer.costs


def _row(label: str, words: str, shape: Shape, costs: Costs, scale: tuple[int, str]) -> Row:
    divisor, unit = scale
    macs = f"{costs.macs / divisor:,.{3 if unit == 'G' else 1}f} {unit}" if costs.macs else ""
    memory = f"{costs.activation_bytes / 2**20:,.2f} MiB" if costs.activation_bytes else ""
    parameters = (f"{number:,}" if number else "" for number in (costs.trainable, costs.total))
    return (label, words, show(shape), *parameters, macs, memory)


def _scale(macs: int) -> tuple[int, str]:
    """The unit that all multiply-adds of a table are given in, so that its rows can be added up."""
    scales = [(10**9, "G"), (10**6, "M"), (10**3, "k")]
    return next((scale for scale in scales if macs >= scale[0]), scales[-1])


def _table(rows: Iterable[Row], total: Row) -> str:
    """Rows in columns, words to the left and numbers to the right, in plain text as wide as it needs to be."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE, show_edge=False, pad_edge=False, show_footer=True)
    for index, (heading, sum_) in enumerate(zip(HEADINGS, total, strict=True)):
        table.add_column(heading, sum_, justify="left" if index < 2 else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    text = StringIO()
    Console(file=text, width=1000, markup=False, emoji=False, highlight=False, color_system=None).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
