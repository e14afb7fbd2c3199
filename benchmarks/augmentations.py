"""What each augmentation costs inside the compiled function: microseconds an image.

    python benchmarks/augmentations.py [--batch 128] [--side 32] [--rounds 7] [--json]

Each one takes its turn in every round, and the median over the rounds is what counts. That of a batch that is only
normalised comes off.
"""

from __future__ import annotations

import json
from statistics import median
from time import perf_counter
from typing import Any

import click
import numpy as np
import tensorflow as tf
from pydantic import TypeAdapter

from archbuilder.augmentation.augmenter import augmenter
from archbuilder.data.normalisation import fit
from archbuilder.spec.augmentation import AnyAugmentation
from archbuilder.spec.normalisation import ChannelMeanStd

STEPS: dict[str, Any] = {
    "nothing": None,
    "pad_crop": "pad_crop",
    "pad_crop, reflect": {"pad_crop": {"fill": "reflect"}},
    "shift": "shift",
    "flip": "flip",
    "cutout": {"cutout": 8},
    "colour_jitter": "colour_jitter",
    "lighting": "lighting",
    "rand_augment": "rand_augment",
    "mixup": "mixup",
    "cutmix": "cutmix",
}
CLASSES = 10
CALLS = 20


class Way:
    """One augmentation, compiled, over one batch of random pixels."""

    def __init__(self, written: object, batch: int, side: int) -> None:
        pixels = np.random.default_rng(0).integers(0, 256, (batch, side, side, 3)).astype(np.uint8)
        steps = [] if written is None else [TypeAdapter(AnyAugmentation).validate_python(written)]
        augment = augmenter(steps, fit(ChannelMeanStd(), [pixels]), seed=0)
        self._inputs = tf.constant(pixels), tf.one_hot(tf.range(batch) % CLASSES, CLASSES), tf.range(batch)
        self._compiled = tf.function(lambda epoch: augment(*self._inputs, epoch), autograph=False)
        self._batch = batch
        self()

    def __call__(self) -> float:
        """Microseconds an image."""
        started = perf_counter()
        for epoch in range(CALLS):
            images, _ = self._compiled(tf.constant(epoch))
        images.numpy()
        return 1e6 * (perf_counter() - started) / CALLS / self._batch


@click.command()
@click.option("--batch", default=128)
@click.option("--side", default=32)
@click.option("--rounds", default=7)
@click.option("--json", "as_json", is_flag=True)
def main(batch: int, side: int, rounds: int, as_json: bool) -> None:
    ways = {name: Way(written, batch, side) for name, written in STEPS.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            times[name].append(way())
    base = median(times.pop("nothing"))
    costs = {name: round(median(some) - base, 2) for name, some in times.items()}
    if as_json:
        click.echo(json.dumps(costs))
    for name, cost in costs.items() if not as_json else ():
        click.echo(f"{name:20}{cost:8.2f} us an image")


if __name__ == "__main__":
    main()
