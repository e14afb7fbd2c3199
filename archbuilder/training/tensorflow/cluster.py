"""The processes that train together on several machines, as `TF_CONFIG` or Slurm tells each of them."""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

import tensorflow as tf

from archbuilder.errors import UsageError

Cluster = Any


def find_cluster() -> Cluster | None:
    """That of `TF_CONFIG`, else that of the Slurm step; none where this process is alone."""
    if "TF_CONFIG" in os.environ:
        return _of_tf_config()
    return _of_slurm() if int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1 else None


def join(cluster: Cluster) -> tf.distribute.Strategy:
    """Waits until all processes are there."""
    if threading.current_thread() is not threading.main_thread():
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=cluster)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python would not come to it before all of them are there
    try:
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=cluster)
    finally:
        for number, handler in before.items():  # TensorFlow has taken SIGTERM for itself
            signal.signal(number, handler)


def size(cluster: Cluster) -> int:
    """How many processes there are."""
    spec = cluster.cluster_spec()
    return sum(spec.num_tasks(job) for job in spec.jobs)


def _of_tf_config() -> Cluster | None:
    found = tf.distribute.cluster_resolver.TFConfigClusterResolver()
    try:
        if size(found) < 2:
            return None
        found.cluster_spec().task_address(found.task_type, found.task_id)
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"TF_CONFIG does not name a cluster and a task of it: {error}") from None
    return found


def _of_slurm() -> Cluster:
    """All GPUs that Slurm shows to a task are its own, so that TensorFlow's resolver need not share them out."""
    tasks = int(os.environ["SLURM_STEP_NUM_TASKS"])
    try:
        slurm = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
        )
        hosts = slurm.cluster_spec()
    except (RuntimeError, ValueError) as error:
        raise UsageError(f"the variables of this Slurm step name no cluster: {error}") from None
    gpus = len(tf.config.list_physical_devices("GPU"))
    return tf.distribute.cluster_resolver.SimpleClusterResolver(
        hosts, task_type=slurm.task_type, task_id=slurm.task_id, num_accelerators={"GPU": gpus}, rpc_layer="grpc"
    )
