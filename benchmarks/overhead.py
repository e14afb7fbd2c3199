"""What the trainer adds to the bare compiled iteration, on ResNet-20 v1 at batch 128.

    python benchmarks/overhead.py [--rounds 8] [--iterations 40] [--precision float32] [--json]

A round is one epoch of a real training (order of the images, schedule, looks at the loss, progress), and then the same
batches through the bare compiled function, in one process. Ratios are taken within each round, and then their median.
What an epoch ends with (validation, the best weights, a checkpoint) is told apart. The pixels are random.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import click
import numpy as np
from throughput import machine

BATCH, VALIDATION, TEST = 128, 500, 10


def write_data(file: Path, iterations: int) -> None:
    random = np.random.default_rng(0)
    arrays: dict[str, Any] = {}
    for part, count in (("train", BATCH * iterations + VALIDATION), ("test", TEST)):
        arrays[f"x_{part}"] = random.integers(0, 256, (count, 32, 32, 3), np.uint8)
        arrays[f"y_{part}"] = np.arange(count) % 10
    np.savez(file, **arrays)


def measure(folder: Path, rounds: int, iterations: int, precision: str) -> list[dict[str, float]]:
    """Seconds of each round: the trainer's iterations, the bare ones, and the end of the trainer's epoch."""
    from archbuilder.spec import load
    from archbuilder.training.reporting.progress import Reporter
    from archbuilder.training.run.folder import Run
    from archbuilder.training.setup import prepare
    from archbuilder.training.tensorflow.distribution import Distribution
    from archbuilder.training.tensorflow.learner import TensorFlowLearner
    from archbuilder.training.trainer import Trainer

    write_data(folder / "data.npz", iterations)
    edits = ["data.source=npz", f"data.validation={{holdout: {VALIDATION}}}", f"batch_size={BATCH}",
             f"stop={{epochs: {rounds + 1}}}", f"precision={precision}"]  # fmt: skip
    setup = prepare(load("resnet20_v1", [f"training.{edit}" for edit in edits]), folder / "data.npz")
    normaliser = setup.feed.fit_normaliser()
    learner = TensorFlowLearner.of(setup, normaliser, Distribution())

    def bare(epoch: int) -> None:
        for number, batch in enumerate(setup.feed.batches(epoch)):
            learner.iterate(batch, epoch, number, 1e-3)
        learner.read()

    class Rounds(Reporter):
        """Follows each epoch of the trainer with the same iterations, bare."""

        def __init__(self) -> None:
            self.seconds: list[dict[str, float]] = []

        def begin_epoch(self, epoch: int, iterations: int, done: int) -> None:
            self.began = perf_counter()

        def end_epoch(self, metrics: dict[str, Any], best: bool) -> None:
            whole = perf_counter() - self.began
            trained = BATCH * iterations / metrics["images_per_second"]
            plain = timed(lambda: bare(metrics["epoch"] - 1))
            self.seconds.append({"trainer": trained, "bare": plain, "end": whole - trained})

    reporter = Rounds()
    run = Run.create(setup.spec, folder / "run", setup.facts(), normaliser)
    Trainer(setup, learner, run, reporter).train()
    return reporter.seconds[1:]  # in the first epoch, both functions are compiled


def timed(action: Callable[[], None]) -> float:
    start = perf_counter()
    action()
    return perf_counter() - start


@click.command()
@click.option("--rounds", default=8, show_default=True)
@click.option("--iterations", default=40, show_default=True, help="Of an epoch.")
@click.option("--precision", type=click.Choice(["float32", "mixed_bfloat16"]), default="float32", show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(rounds: int, iterations: int, precision: str, as_json: bool) -> None:
    """Print what the trainer adds, in percent of the bare iterations."""
    with TemporaryDirectory() as folder:
        seconds = measure(Path(folder), rounds, iterations, precision)
    added = [100 * (each["trainer"] / each["bare"] - 1) for each in seconds]
    speeds = {name: BATCH * iterations / median(each[name] for each in seconds) for name in ("trainer", "bare")}
    found: dict[str, Any] = {
        "machine": machine(), "precision": precision, "images_per_second": speeds, "added_percent": median(added),
        "lowest": min(added), "highest": max(added), "end_of_epoch_seconds": median(each["end"] for each in seconds),
    }  # fmt: skip
    if as_json:
        click.echo(json.dumps(found, indent=1))
        return
    click.echo(f"{found['machine']['processor']}, {precision}, {rounds} rounds of {iterations} iterations")
    click.echo(f"bare {speeds['bare']:.0f} images a second, trainer {speeds['trainer']:.0f}")
    click.echo(f"the trainer adds {median(added):.1f} % ({min(added):.1f} to {max(added):.1f})")
    click.echo(
        f"the end of an epoch, with {VALIDATION} images of validation, takes {found['end_of_epoch_seconds']:.2f} s"
    )


if __name__ == "__main__":
    main()
