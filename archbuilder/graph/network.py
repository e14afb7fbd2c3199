"""The graph of a network: immutable nodes in topological order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from archbuilder.aliases import Json
from archbuilder.displayed import Displayed
from archbuilder.errors import Span
from archbuilder.graph.ops import Op, Shape, Weight


@dataclass(frozen=True, slots=True)
class Costs:
    """Parameters, and multiply-adds of one image; as a difference, each may be negative."""

    trainable: int = 0
    total: int = 0
    macs: int = 0

    def __add__(self, other: Costs) -> Costs:
        return Costs(self.trainable + other.trainable, self.total + other.total, self.macs + other.macs)

    def __sub__(self, other: Costs) -> Costs:
        return Costs(self.trainable - other.trainable, self.total - other.total, self.macs - other.macs)

    def to_json(self) -> Json:
        return {"parameters": {"trainable": self.trainable, "total": self.total}, "macs": self.macs}


@dataclass(frozen=True, slots=True)
class Node:
    """One op in its place. `name` is its path, such as `stage2/unit1/residual/conv1`."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: Shape
    """The shape of its output."""
    weights: tuple[Weight, ...]
    macs: int
    span: Span | None = field(default=None, compare=False)
    """The place in the YAML that it came from."""
    section: str = field(default="", compare=False)
    """The part that it stands in: a unit such as `stage2/unit1` or `head/squeeze1`, or else its stage, stem or head."""

    @property
    def scope(self) -> str:
        return self.name.rpartition("/")[0]

    @property
    def trainable(self) -> int:
        """The number of trainable parameters."""
        return sum(weight.size for weight in self.weights if weight.trainable)

    @property
    def parameters(self) -> int:
        """The number of all parameters, moving statistics included."""
        return sum(weight.size for weight in self.weights)


@dataclass(frozen=True, slots=True, repr=False)
class Graph(Displayed):
    """A network: its nodes, every one after its inputs, and the names of those that are its outputs."""

    name: str
    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]
    left_out: tuple[str, ...] = field(default=(), compare=False)
    """The names of the layers that the spec has but no output depends on."""
    _index: dict[str, Node] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", {node.name: node for node in self.nodes})

    def __repr__(self) -> str:
        return f"<Graph {self.name!r}: {len(self.nodes):,} layers, {self.parameters:,} parameters>"

    def __getitem__(self, name: str) -> Node:
        return self._index[name]

    @property
    def input(self) -> Node:
        return self.nodes[0]

    @property
    def trainable(self) -> int:
        return sum(node.trainable for node in self.nodes)

    @property
    def parameters(self) -> int:
        return sum(node.parameters for node in self.nodes)

    @property
    def macs(self) -> int:
        """Multiply-adds of convolutions and dense layers for one image."""
        return sum(node.macs for node in self.nodes)

    @property
    def costs(self) -> Costs:
        return Costs(self.trainable, self.parameters, self.macs)


def leading_to(outputs: Iterable[str], nodes: Sequence[Node]) -> tuple[Node, ...]:
    """The nodes, in their order, that some output depends on."""
    needed = {*outputs}
    for node in reversed(nodes):
        if node.name in needed:
            needed.update(node.inputs)
    return tuple(node for node in nodes if node.name in needed)


def node(name: str, op: Op, inputs: Iterable[Node] = (), span: Span | None = None, section: str = "") -> Node:
    """The node of an op behind its inputs; raises ShapeError where they do not fit.

    Its section is the first two parts of its scope where none is given.
    """
    sources = tuple(inputs)
    shapes = [source.shape for source in sources]
    return Node(
        name=name, op=op, inputs=tuple(source.name for source in sources), shape=op.output_shape(*shapes),
        weights=op.weights(*shapes), macs=op.macs(*shapes), span=span, section=section or _section(name),
    )  # fmt: skip


def _section(name: str) -> str:
    parts = name.split("/")
    return "/".join(parts[: min(2, len(parts) - 1)]) or name
