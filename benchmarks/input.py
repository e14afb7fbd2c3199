"""Whether a step waits for its images: ResNet-50 at 224, trained from JPEG files that are streamed.

    python benchmarks/input.py [--rounds 3] [--batches 6] [--spec he2015/resnet50] [--json]

In each round, one after the other: the stream alone, as fast as it is read; the compiled step alone, on batches that
were made before; and both together, as `archbuilder train` runs them. "waited" is the share of the time that the step
stood still for want of images. The files are smoothed noise of the size of ImageNet's, 500x375. On a machine without a
GPU the threads that decode take their time from the step, which the rate of both together shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import click
import numpy as np
from PIL import Image
from throughput import machine

CLASSES, PER_CLASS = 4, 80
Rates = dict[str, float]


def write_images(folder: Path) -> None:
    random = np.random.default_rng(0)
    for part, count in (("train", PER_CLASS), ("test", 1)):
        for label in range(CLASSES):
            home = folder / part / str(label)
            home.mkdir(parents=True)
            for number in range(count):
                coarse = Image.fromarray(random.integers(0, 256, (47, 63, 3), np.uint8))
                coarse.resize((500, 375), Image.Resampling.BICUBIC).save(home / f"{number}.jpg", quality=90)


def measure(folder: Path, name: str, batch_size: int, rounds: int, batches: int) -> list[Rates]:
    """Of each round, images a second, and the share of the time that the step waited."""
    from archbuilder.spec import load
    from archbuilder.training.setup import prepare
    from archbuilder.training.tensorflow.distribution import Distribution
    from archbuilder.training.tensorflow.learner import TensorFlowLearner

    write_images(folder)
    edits = ["training.data={source: image_folder, validation: {holdout: 0.05}}", f"training.batch_size={batch_size}",
             f"head.1.dense.units={CLASSES}"]  # fmt: skip
    setup = prepare(load(name, edits), folder)
    learner = TensorFlowLearner.of(setup, setup.feed.fit_normaliser(), Distribution())

    def stream(epoch: int) -> Iterator[tuple[Any, ...]]:
        return setup.feed.read(setup.feed.batches(epoch)[:batches], epoch)

    kept = list(stream(0))

    def step(number: int, indices: Any, pixels: Any) -> None:
        learner.iterate(indices, 0, number, 1e-3, pixels)

    def one_round(number: int) -> Rates:
        images, waited = batches * batch_size, 0.0
        start = perf_counter()
        for _ in stream(number):
            pass
        streamed = perf_counter()
        for iteration, each in enumerate(kept):
            step(iteration, *each)
        learner.read()
        stepped = asked = perf_counter()
        for iteration, each in enumerate(stream(number)):
            waited += perf_counter() - asked if iteration else 0.0  # the first batch of an epoch is always waited for
            step(iteration, *each)
            asked = perf_counter()
        learner.read()
        both = perf_counter() - stepped
        return {"stream": images / (streamed - start), "step": images / (stepped - streamed), "both": images / both,
                "waited": waited / both}  # fmt: skip

    return [one_round(number) for number in range(rounds + 1)][1:]  # the first one compiles


@click.command()
@click.option("--spec", default="he2015/resnet50", show_default=True, help="With a recipe that streams its images.")
@click.option("--batch-size", default=32, show_default=True)
@click.option("--rounds", default=3, show_default=True)
@click.option("--batches", default=6, show_default=True, help="Of each of the three in a round.")
@click.option("--json", "as_json", is_flag=True)
def main(spec: str, batch_size: int, rounds: int, batches: int, as_json: bool) -> None:
    """Print the rates of stream and step, alone and together, and how long the step waits."""
    with TemporaryDirectory() as folder:
        found = measure(Path(folder), spec, batch_size, rounds, batches)
    medians = {name: median(each[name] for each in found) for name in found[0]}
    if as_json:
        click.echo(json.dumps({"machine": machine(), "spec": spec, "rounds": found, "medians": medians}, indent=1))
        return
    click.echo(f"{machine()['processor']}, {spec}, batch {batch_size}, {rounds} rounds of {batches} batches")
    for name in ("stream", "step", "both"):
        click.echo(f"{name:>6} {medians[name]:6.1f} images a second")
    click.echo(f"waited {100 * medians['waited']:6.2f} % of the time")


if __name__ == "__main__":
    main()
