"""wandb/: a run of Weights & Biases; without an account it stays on this machine, until `wandb sync` takes it there."""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Literal

import wandb

from archbuilder.aliases import Json
from archbuilder.training.run.folder import Run
from archbuilder.training.trackers.numbers import of_epoch, of_result
from archbuilder.training.trackers.tracker import cleared

FOLDER = "wandb"
PROJECT = "archbuilder"


class WeightsAndBiases:
    """A run of the same name and the spec as its configuration, in a folder in that of the run."""

    def __init__(self, run: Run) -> None:
        cleared(run, FOLDER)
        began = run.environment.get("created", "")
        settings = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            disable_job_creation=True,
            x_disable_meta=True,
        )
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), name=run.folder.name, dir=str(run.folder), resume="allow",
            id=sha256(f"{run.folder.resolve()} {began}".encode()).hexdigest()[:16], mode=_mode(), settings=settings,
            config=run.spec.resolved, reinit="create_new",
        )  # fmt: skip

    def log(self, metrics: Json) -> None:
        self._run.log({"epoch": metrics["epoch"], **of_epoch(metrics)}, step=metrics["iteration"])

    def close(self, result: Json | None) -> None:
        self._run.summary.update(of_result(result))
        self._run.finish()


def _mode() -> Literal["online", "offline", "shared", "disabled"] | None:
    """What the user says elsewhere, and offline where there is no account."""
    return None if os.environ.get("WANDB_MODE") or wandb.api.api_key else "offline"
