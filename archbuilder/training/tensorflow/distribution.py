"""Where a training runs: on one device, or on several that make the same updates, each from its share of a batch.

They may belong to several processes on as many machines. One of these, the chief, writes the files and shows progress.

TensorFlow calls each of them a replica. Every replica holds all variables, and what is assigned to one of them within
an iteration is assigned to the copy of the replica that does it: gradients are summed before, so copies stay equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from archbuilder.aliases import Array, Tensor, Variable
from archbuilder.errors import ArchbuilderError
from archbuilder.training.distribution import portion
from archbuilder.training.tensorflow.cluster import find_cluster, join, size

_LOST = (
    tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError,
    tf.errors.FailedPreconditionError, tf.errors.InternalError,
)  # fmt: skip
"""What TensorFlow raises, now this and now that, when another process is gone."""


def assign(variable: Variable, value: Tensor) -> None:
    """Sets the copy of the replica that calls it; TensorFlow's own `assign` would set all copies, or refuse."""
    tf.raw_ops.AssignVariableOp(resource=variable.handle, value=tf.cast(value, variable.dtype))


def add(variable: Variable, value: Tensor) -> None:
    """Adds to the copy of the replica that calls it."""
    tf.raw_ops.AssignAddVariableOp(resource=variable.handle, value=tf.cast(value, variable.dtype))


@dataclass(frozen=True)
class ReplicaShare:
    """A replica's images of a batch of `count`. One without images takes one that counts for nothing."""

    distribution: Distribution
    count: Tensor

    @property
    def bounds(self) -> tuple[Tensor, Tensor]:
        """The first image, and the first behind the last one."""
        start, end = portion(self.count, self.distribution.replicas, self.distribution.replica)
        return start, tf.maximum(end, start + 1)

    @property
    def weight(self) -> Tensor:
        """The share of the batch."""
        start, end = portion(self.count, self.distribution.replicas, self.distribution.replica)
        return tf.cast(end - start, tf.float32) / tf.cast(self.count, tf.float32)

    def of(self, batch: Tensor) -> Tensor:
        """The replica's rows of a tensor that has a row for each image."""
        start, end = self.bounds
        return batch[start:end] if self.distribution.replicas > 1 else batch

    def of_streamed(self, pixels: Tensor) -> Tensor:
        """The replica's images of those that its process needs, see `Distribution.rows`."""
        offset, _ = portion(self.count, self.distribution.replicas, self.distribution.first)
        start, end = self.bounds
        return pixels[start - offset : end - offset] if self.distribution.replicas > 1 else pixels

    def mean(self, value: Tensor) -> Tensor:
        """Over all images, of what are means over each replica's images."""
        return self.distribution.total(value * self.weight)


class Distribution:
    """A strategy of TensorFlow's, without one that of a single device, which costs nothing."""

    def __init__(self, strategy: tf.distribute.Strategy | None = None) -> None:
        self.strategy = strategy or tf.distribute.get_strategy()
        self.replicas: int = self.strategy.num_replicas_in_sync
        self.devices: tuple[str, ...] = self.strategy.extended.worker_devices if strategy else ("",)
        """The devices of this process, by TensorFlow's names."""

        numbers = self.strategy.experimental_distribute_values_from_function(lambda one: one.replica_id_in_sync_group)
        self.first: int = self.strategy.experimental_local_results(numbers)[0]
        """The number of this process' first replica."""
        self.processes: int = self.replicas // len(self.devices)
        self.process: int = self.first // len(self.devices)

    @classmethod
    def find(cls, note: Callable[[str], None] = lambda text: None) -> Distribution:
        """All processes that were started together, or all GPUs that are visible, or the CPU.

        It waits until all processes are there. Nothing may have used a device before.
        """
        cluster = find_cluster()
        if cluster is not None:
            note(f"waiting until all {size(cluster)} processes of this training are there")
            return cls(join(cluster))
        several = len(tf.config.list_logical_devices("GPU")) > 1
        return cls(tf.distribute.MirroredStrategy() if several else None)

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.process == 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Raises ArchbuilderError where the other processes cannot be reached any more."""
        try:
            yield
        except _LOST as error:
            if self.processes == 1:
                raise
            reason = str(error.message).rpartition("aborted by: ")[2].splitlines()[0]
            raise ArchbuilderError(
                f"another process of this training has ended or cannot be reached ({reason}); its own message says "
                "more. The last checkpoint stays: start all processes again with --resume"
            ) from error

    @property
    def replica(self) -> int:
        """The number of the replica that asks, which it does within `run`."""
        context = tf.distribute.get_replica_context()
        return int(tf.get_static_value(context.replica_id_in_sync_group))

    def scope(self) -> AbstractContextManager[Any]:
        """Within it, a variable that is made has a copy for each replica."""
        scope: AbstractContextManager[Any] = self.strategy.scope()
        return scope

    def run(self, function: Callable[..., None], *arguments: Tensor) -> None:
        """Calls a function for each replica; called inside a compiled function."""
        self.strategy.run(function, arguments)

    def total(self, values: Any) -> Any:
        """The sums over all replicas of tensors of one type, which may be nested; gradients flow through it."""
        if self.replicas == 1:
            return values
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, values)

    def sums(self, *values: float) -> list[float]:
        """Over all processes, each of which has to ask for them."""
        if self.processes == 1:
            return list(values)
        found: list[float] = self._sums(np.array(values, np.float64)).numpy().tolist()
        return found

    @cached_property
    def _sums(self) -> Callable[[Tensor], Tensor]:
        def of_replica(values: Tensor) -> Tensor:
            return self.total(values * float(self.replica == self.first))

        def of_process(values: Tensor) -> Tensor:
            return self.strategy.experimental_local_results(self.strategy.run(of_replica, (values,)))[0]

        compiled: Callable[[Tensor], Tensor] = tf.function(of_process, autograph=False)
        return compiled

    def rows(self, count: int) -> slice:
        """The images of a batch of `count` that the replicas of this process learn from."""
        start, _ = portion(count, self.replicas, self.first)
        last, end = portion(count, self.replicas, self.first + len(self.devices) - 1)
        return slice(start, max(end, last + 1))

    def on_each_device(self, array: Array) -> list[Tensor]:
        """A constant, on each device of this process."""
        if len(self.devices) == 1:
            return [tf.constant(array)]
        copies = []
        for device in self.devices:
            with tf.device(device):
                copies.append(tf.constant(array))
        return copies

    def of_this_device(self, copies: list[Tensor]) -> Tensor:
        return copies[self.replica % len(copies)]

    def split(self, function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """What a function makes of rows, the work shared by the devices of this process."""
        count, devices = tf.shape(rows)[0], len(self.devices)
        if devices == 1:
            return function(rows)

        def part(rows: Tensor) -> Tensor:
            start, end = portion(count, devices, self.replica % devices)
            return function(rows[start : tf.maximum(end, start + 1)])[: end - start]

        return tf.concat(self.strategy.experimental_local_results(self.strategy.run(part, (rows,))), 0)
