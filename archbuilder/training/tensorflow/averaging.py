"""Moving averages of a network's weights: what is measured and kept in place of the weights that are trained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import tensorflow as tf

from archbuilder.aliases import Tensor, Variable
from archbuilder.training.tensorflow.distribution import add


class Averages:
    """Averages of variables, those of one shape stacked, so that they are updated by few ops.

    The moving statistics of norms are averaged, too: those of the last few iterations alone would belong to the weights
    of these, not to the averages.
    """

    def __init__(self, variables: Sequence[Variable], decay: float) -> None:
        self.decay = decay
        kinds = defaultdict(list)
        for variable in variables:
            kinds[tuple(variable.shape)].append(variable)
        self._targets = list(kinds.values())
        self._stacks = [tf.Variable(tf.stack(targets), trainable=False) for targets in self._targets]

    def variables(self) -> Mapping[str, Variable]:
        """The averages by name, for a checkpoint."""
        return {str(index): stack for index, stack in enumerate(self._stacks)}

    def begin(self) -> None:
        """Takes the variables as they are for their averages."""
        for stack, targets in zip(self._stacks, self._targets, strict=True):
            stack.assign(tf.stack(targets))

    def update(self, iteration: Tensor) -> None:
        """Moves the averages towards the variables; called behind the update of `iteration`, which counts from zero."""
        done = tf.cast(iteration, tf.float32)
        step = 1 - tf.minimum(self.decay, (1 + done) / (10 + done))
        for stack, targets in zip(self._stacks, self._targets, strict=True):
            add(stack, -step * (stack - tf.stack(targets)))

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The variables hold their averages, and afterwards again the very bits that they held before."""
        raw = [tf.stack(targets) for targets in self._targets]
        self._assign(self._stacks)
        try:
            yield
        finally:
            self._assign(raw)

    def _assign(self, stacks: Sequence[Tensor]) -> None:
        for stack, targets in zip(stacks, self._targets, strict=True):
            for target, value in zip(targets, tf.unstack(stack), strict=True):
                target.assign(value)
