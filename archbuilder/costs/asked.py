"""What is asked of a network beside what follows from it alone: a batch, a precision, a machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from archbuilder.aliases import Precision

if TYPE_CHECKING:
    from archbuilder.costs.memory import Memory
    from archbuilder.costs.roofline import Roofline
    from archbuilder.graph.network import Graph
    from archbuilder.spec.training import Training


@dataclass(frozen=True, slots=True)
class Asked:
    """A batch size and a precision, the recipe's where they are None, and what a machine has."""

    batch_size: int | None = None
    precision: Precision | None = None
    memory: int | None = None
    """In bytes."""
    peak: float | None = None
    """Flops a second."""
    bandwidth: float | None = None
    """Bytes a second."""

    def answers(self, graph: Graph, training: Training | None) -> tuple[Memory, Roofline]:
        """The memory of training a network, and its roofline."""
        from archbuilder.costs.memory import memory  # here, since what was kept for the same question needs no models
        from archbuilder.costs.roofline import Roofline, traffic

        found = memory(graph, training, self.batch_size, self.precision, self.memory)
        of = traffic(graph, found.at_once, found.precision)
        return found, Roofline(of, found.precision, self.peak, self.bandwidth)


NOTHING = Asked()
