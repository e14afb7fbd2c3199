"""How much a network computes for each byte that it moves, and how fast that lets it be at best."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from archbuilder.aliases import Json, Precision
from archbuilder.graph.memory import width_of
from archbuilder.graph.network import Graph, Node


@dataclass(frozen=True, slots=True)
class Traffic:
    """What the convolutions and dense layers of a network compute and move for one batch; all else moves nothing."""

    batch_size: int
    layers: tuple[tuple[int, int, int], ...]
    """The flops and the bytes of each, its inputs and weights read once and its output written once; and how often
    training does as much: forward, for its kernel, and for its inputs unless that is the image."""

    @property
    def flops(self) -> int:
        return sum(flops for flops, _, _ in self.layers)

    @property
    def moved(self) -> int:
        return sum(moved for _, moved, _ in self.layers)

    @property
    def intensity(self) -> float:
        """Flops for each byte."""
        return self.flops / self.moved if self.moved else 0.0

    def bound(self, peak: float, bandwidth: float) -> tuple[float, float] | None:
        """The images in a second that a machine of so many flops and bytes a second cannot exceed.

        Forward, and in training; None where there is nothing to compute.
        """
        times = [(max(flops / peak, moved / bandwidth), passes) for flops, moved, passes in self.layers]
        forward, training = sum(time for time, _ in times), sum(time * passes for time, passes in times)
        return (self.batch_size / forward, self.batch_size / training) if times else None


def traffic(graph: Graph, batch_size: int, precision: Precision) -> Traffic:
    """The traffic of one batch on its way forward."""
    width = width_of(precision)

    def layer(node: Node) -> tuple[int, int, int]:
        values = prod(node.shape) + sum(prod(graph[name].shape) for name in node.inputs)
        passes = 2 if graph.input.name in node.inputs else 3
        return 2 * node.macs * batch_size, width * (batch_size * values + node.parameters), passes

    return Traffic(batch_size, tuple(layer(node) for node in graph.nodes if node.macs))


@dataclass(frozen=True, slots=True)
class Roofline:
    """The arithmetic intensity of a network and, for a machine, the bound on its speed (Williams et al. 2009)."""

    of: Traffic
    precision: Precision
    peak: float | None = None
    """The flops that a machine does in a second."""
    bandwidth: float | None = None
    """The bytes that it moves in a second."""

    @property
    def bound(self) -> tuple[float, float] | None:
        """Images a second forward and in training, at best."""
        return self.of.bound(self.peak, self.bandwidth) if self.peak and self.bandwidth else None

    @property
    def forward(self) -> float | None:
        return self.bound[0] if self.bound else None

    def to_json(self) -> Json:
        about = {"batch_size": self.of.batch_size, "precision": self.precision, "flops": self.of.flops,
                 "bytes": self.of.moved, "intensity": self.of.intensity}  # fmt: skip
        if self.bound is None:
            return about
        forward, training = self.bound
        return {**about, "peak": self.peak, "bandwidth": self.bandwidth,
                "bound": {"forward": forward, "training": training}}  # fmt: skip

    def lines(self) -> list[str]:
        """Both as text."""
        first = f"intensity: {self.of.intensity:,.1f} flops a byte, forward at batch size {self.of.batch_size:,}"
        if self.bound is None:
            return [first]
        forward, training = self.bound
        return [first, f"bound: at most {forward:,.0f} images a second forward, {training:,.0f} in training"]
