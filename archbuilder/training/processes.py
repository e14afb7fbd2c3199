"""Whether a training is one of several processes, as `TF_CONFIG` or Slurm tells it."""

from __future__ import annotations

import json
import os

from archbuilder.errors import UsageError


def are_several() -> bool:
    """Whether other processes were started together with this one. What `TF_CONFIG` lacks, TensorFlow says."""
    if "TF_CONFIG" not in os.environ:
        return int(os.environ.get("SLURM_STEP_NUM_TASKS", 1)) > 1
    try:
        hosts = json.loads(os.environ["TF_CONFIG"] or "{}").get("cluster", {}).values()
        return sum(map(len, hosts)) > 1
    except (ValueError, TypeError, AttributeError) as error:
        raise UsageError(f"TF_CONFIG does not name a cluster and a task of it: {error}") from None


def require_alone() -> None:
    """Raises UsageError where there are other processes, which can come together for one run only."""
    if are_several():
        raise UsageError("several processes train one run: start one for each seed, with --set training.seed=N")
