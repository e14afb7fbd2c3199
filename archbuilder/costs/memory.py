"""How much memory the training of a network takes at a batch size, and the largest batch that fits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from archbuilder.aliases import Json, Precision
from archbuilder.formatting import mebibytes
from archbuilder.graph.memory import TrainingMemory, training_memory
from archbuilder.graph.network import Graph
from archbuilder.spec.optimization import Adam, Optimizer, RmsProp, Sgd
from archbuilder.spec.training import Training

BATCH_SIZE = 128
"""The batch size where neither the spec nor the user says one: the default of recipes."""


@dataclass(frozen=True, slots=True)
class Memory:
    """An estimate of the memory of training at one batch size."""

    of: TrainingMemory
    batch_size: int
    at_once: int
    """The images that pass through the network together: fewer than the batch where it is split."""
    precision: Precision
    limit: int | None = None
    """The memory that there is, in bytes, where it is asked what fits."""

    @property
    def total(self) -> int:
        return self.of.total(self.at_once)

    @property
    def largest_batch(self) -> int | None:
        """The largest batch that fits, in as many parts as this one."""
        if self.limit is None:
            return None
        return self.of.largest_batch(self.limit) * -(-self.batch_size // self.at_once)

    def to_json(self) -> Json:
        parts = dict(self._parts())
        fits = {"limit": self.limit, "largest_batch": self.largest_batch} if self.limit is not None else {}
        return {"batch_size": self.batch_size, "precision": self.precision, **parts, "total": self.total, **fits}

    def lines(self) -> list[str]:
        """The estimate as text."""
        title = (
            f"training at batch size {self.batch_size:,} in {self.precision}: about {mebibytes(self.total)} on a CPU"
        )
        lines = [title, "  " + ", ".join(f"{name} {mebibytes(amount)}" for name, amount in self._parts())]
        if self.largest_batch is None:
            return lines
        assert self.limit is not None
        fits = f"a batch of {self.largest_batch:,} fits" if self.largest_batch else "no batch fits"
        return [*lines, f"  {fits} into {mebibytes(self.limit)}"]

    def _parts(self) -> list[tuple[str, int]]:
        found = self.of
        return [
            ("weights", found.weights), ("gradients", found.gradients), ("optimizer", found.optimizer),
            ("activations", found.activations(self.at_once)), ("runtime", found.runtime(self.at_once)),
        ]  # fmt: skip


def memory(
    graph: Graph,
    training: Training | None,
    batch_size: int | None = None,
    precision: Precision | None = None,
    limit: int | None = None,
) -> Memory:
    """The memory of training a network by its recipe, or by SGD with momentum where it has none."""
    if training is None:
        count, parts, slots, averages = batch_size or BATCH_SIZE, 1, 1, False
    else:
        count, parts = batch_size or training.batch_size, training.accumulate
        slots, averages = slots_of(training.optimizer), training.moving_average is not None
    chosen = precision or (training.precision if training and training.precision != "auto" else "float32")
    return Memory(training_memory(graph, chosen, slots, averages), count, -(-count // parts), chosen, limit)


def slots_of(optimizer: Optimizer) -> int:
    """How many values an optimizer keeps for each weight."""
    match optimizer:
        case Sgd():
            return 1
        case Adam() | RmsProp():
            return 2
        case _:
            assert_never(optimizer)
