"""What a network costs, layer by layer, summed up by unit and stage; as a table for people and as JSON for scripts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from archbuilder.aliases import Json
from archbuilder.displayed import Displayed
from archbuilder.graph import analysis
from archbuilder.graph.network import Costs, Graph, Node
from archbuilder.graph.ops import Shape
from archbuilder.graph.words import node_words, op_name


@dataclass(frozen=True, slots=True)
class Layer:
    """One op of the network."""

    name: str
    op: str
    """Its name in the language, such as `conv`."""
    words: str
    """Its description, such as `3x3 conv, 16`."""
    inputs: tuple[str, ...]
    output_shape: Shape
    costs: Costs
    activation_bytes: int
    """The size of its output for one image in float32."""

    def to_json(self) -> Json:
        about = {"name": self.name, "op": self.op, "inputs": list(self.inputs)}
        return {**about, "output_shape": list(self.output_shape), **_costs(self)}


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

    @property
    def activation_bytes(self) -> int:
        return sum(layer.activation_bytes for layer in self.layers)

    def to_json(self) -> Json:
        return {"name": self.name, "output_shape": list(self.output_shape), **_costs(self)}


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

    @property
    def activation_bytes(self) -> int:
        return sum(unit.activation_bytes for unit in self.units)

    def to_json(self) -> Json:
        units = [unit.to_json() for unit in self.units]
        return {"name": self.name, "output_shape": list(self.output_shape), **_costs(self), "units": units}


@dataclass(frozen=True, slots=True, repr=False)
class Summary(Displayed):
    """What a network costs. The costs of its stages add up to its own, those of a stage's units to the stage's."""

    name: str
    depth: int
    """Weighted layers as the papers count them: shortcuts and gates left out."""
    stages: tuple[Stage, ...]
    outputs: tuple[str, ...]
    """The names of the layers that the network returns."""

    def __repr__(self) -> str:
        return f"<Summary {self.name!r}: depth {self.depth}, {self.costs.total:,} parameters, {self.costs.macs:,} macs>"

    def __str__(self) -> str:
        from archbuilder.costs.text import render

        return render(self, "stage")

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(layer for stage in self.stages for unit in stage.units for layer in unit.layers)

    @property
    def costs(self) -> Costs:
        return _sum(stage.costs for stage in self.stages)

    @property
    def activation_bytes(self) -> int:
        return sum(stage.activation_bytes for stage in self.stages)

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
            **_costs(self),
            "input": list(self.input_shape),
            "output": list(self.output_shapes[-1]),
            "outputs": outputs,
            "stages": [stage.to_json() for stage in self.stages],
            "layers": [layer.to_json() for layer in self.layers],
        }


def summarise(graph: Graph) -> Summary:
    """The summary of a network."""
    stages = tuple(
        Stage(stage.name, tuple(Unit(unit.name, tuple(map(_layer, unit.nodes))) for unit in analysis.units(stage)))
        for stage in analysis.stages(graph)
    )
    return Summary(graph.name, analysis.depth(graph), stages, graph.outputs)


def _layer(node: Node) -> Layer:
    costs, size = Costs(node.trainable, node.parameters, node.macs), analysis.activation_bytes(node)
    return Layer(node.name, op_name(node.op), node_words(node), node.inputs, node.shape, costs, size)


def _sum(costs: Iterable[Costs]) -> Costs:
    return sum(costs, Costs())


def _costs(part: Layer | Unit | Stage | Summary) -> Json:
    return {**part.costs.to_json(), "activation_bytes": part.activation_bytes}
