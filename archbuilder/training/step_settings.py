"""What the recipe says of a single iteration, and the images that it learns from: the same for both engines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from archbuilder.aliases import Array
from archbuilder.augmentation.augmenter import Augmenter
from archbuilder.spec.training import Training
from archbuilder.training.objective import Metric, Objective


@dataclass(frozen=True)
class StepSettings:
    """How the loss and its gradients are computed."""

    objective: Objective = field(default_factory=Objective)
    seed: int = 0
    micro_batches: int = 1
    """The number of parts in which a batch passes through the network, one after the other."""
    synchronise_norms: bool = False
    """Whether norms see the images of all replicas."""
    xla: bool = False
    """Whether XLA compiles the network and its gradients."""

    @classmethod
    def of(cls, training: Training, objective: Objective) -> StepSettings:
        return cls(objective, training.seed, training.accumulate, training.synchronise_norms, training.xla)


@dataclass(frozen=True)
class TrainingImages:
    """The images that a step learns from."""

    pixels: Array | None
    """(n, H, W, C) uint8; None where they are streamed."""
    labels: Array
    """(n,) the class of each image, or (n, k) its flags or numbers."""
    augment: Augmenter


class Totals(NamedTuple):
    """Sums over images, as the network saw them while it trained."""

    loss: float
    score: float
    """The right answers, or the absolute errors of numbers."""
    images: float

    def means(self, metric: Metric = "accuracy") -> dict[str, float]:
        """The mean loss and the metric."""
        return {"loss": self.loss / self.images, metric: self.score / self.images}
