"""Runs that are killed at random moments, and then end with the very bits of the one that was left alone."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.faults.nursery import Nursery

pytestmark = pytest.mark.faults

RECIPE = [
    "training.augment=[pad_crop: {pad: 1}, flip: horizontal, shift: {fraction: 0.1}]",
    "training.learning_rate={plateau: {initial: 0.05, patience: 1, factor: 0.5, min_change: 0.5}}",
    "training.moving_average={decay: 0.9}", "training.clip={norm: 1}", "training.stop.epochs=5",
    "training.class_weights={3: 2, 7: 0.5}", "training.sampling=balanced", "training.freeze=[stem]",
    "training.rate_factors={head: 3, norms: 0.5}",
]  # fmt: skip

FILES = ("best.weights.h5", "final.weights.h5", "result.json", "legs.json")
SECOND_LEG = ["--epochs", 7, "--set", "training.learning_rate={cosine: {initial: 0.02, warmup: {epochs: 1}}}"]
LEGS: Sequence[Sequence[object]] = ((), SECOND_LEG)

AT_STEP = """
import os, signal, sys
folder, left = {folder!r}, {step}
def hook(event, arguments):
    global left
    if event in ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.listdir") and folder in str(arguments[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
"""


def left_behind(folder: Path) -> dict[str, Any]:
    """All that a run came to, but for the time it took."""
    last = max((folder / "checkpoints").iterdir())
    with np.load(last / "state.npz") as state:
        arrays = {name: state[name].tobytes() for name in state.files}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "checkpoint": last.name, "arrays": arrays,
        "metrics": [{k: v for k, v in line.items() if k not in ("seconds", "images_per_second")} for line in lines],
        **{name: (folder / name).read_bytes() for name in FILES},
    }  # fmt: skip


def train(nursery: Nursery, spec: Path, folder: Path, more: Sequence[object] = (), before: str = "") -> int:
    """From the start, from where it stands, or for more epochs; returns the id of the process."""
    edits = [part for edit in RECIPE for part in ("--set", edit)]
    began = (folder / "spec.yaml").is_file()
    arguments = ["--resume", folder, *more] if began else [spec, "--out", folder, *edits]
    return nursery.start("train", *arguments, before=before)


def killed(
    nursery: Nursery, spec: Path, folder: Path, more: Sequence[object], chance: random.Random, seconds: float
) -> bool:
    """Half of them at a moment in time, half at one of the steps by which files come to be; whether it was in time."""
    if chance.random() < 0.5:
        pid = train(nursery, spec, folder, more)
        time.sleep(chance.uniform(0, seconds))
        os.kill(pid, signal.SIGKILL)
    else:
        train(nursery, spec, folder, more, AT_STEP.format(folder=str(folder), step=chance.randint(1, 220)))
    ended = nursery.wait()
    assert ended.code in (0, -signal.SIGKILL), ended.err
    return ended.code != 0


@pytest.mark.parametrize("runs", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random_moments(runs: int, nursery: Nursery, tiny: Path, tmp_path: Path) -> None:
    """Some are killed again before they come to their end; each goes on for a second leg, and is killed in one of both."""
    nursery.run("list")  # it is ready by then
    began = time.monotonic()
    for more in LEGS:
        train(nursery, tiny, tmp_path / "whole", more)
        assert nursery.wait().code == 0
    seconds, expected = (time.monotonic() - began) / len(LEGS), left_behind(tmp_path / "whole")
    kills, endings, chance = 0, 0, random.Random(runs)
    while endings < runs:
        folder, before, at = tmp_path / f"run-{endings}", kills, chance.choice(LEGS)
        for more in LEGS:
            while more is at and (kills == before or chance.random() < 0.3):
                kills += killed(nursery, tiny, folder, more, chance, seconds)
            train(nursery, tiny, folder, more)
            ended = nursery.wait()
            assert ended.code == 0, ended.err
        assert left_behind(folder) == expected, f"ending {endings}"
        endings += 1
    print(f"{kills} kills, {endings} endings")
