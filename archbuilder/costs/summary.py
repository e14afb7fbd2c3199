"""What a network costs, layer by layer, summed up by unit and stage; as a table for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from archbuilder.graph import analysis
from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Shape
from archbuilder.graph.words import node_words, op_name

Level = Literal["stage", "unit", "layer"]
Json = dict[str, object]


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
