"""Images a second in inference with ResNet-20 v1 on the CPU: archbuilder, Keras and PyTorch, in one sitting.

    python benchmarks/inference.py [--rounds 6] [--seconds 3] [--json]

As in `throughput.py`, every way is a process of its own, they take turns, and ratios are taken within each round.
All of them get the same bytes in batches of 256 and give probabilities back to NumPy. Those in bfloat16 compute their
convolutions in it. PyTorch's norms are folded into the convolutions, as archbuilder's are; a way whose package is
missing is left out and named.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from throughput import machine, measure, results, shown
from throughput_ways import Turns, Way, pytorch_resnet20

IMAGES, BATCH = 1024, 256
Predict = Callable[[Any], Any]
"""Pixels (n, 32, 32, 3), uint8, to probabilities (n, 10)."""


def endless(make: Callable[[], Predict]) -> Callable[[Turns], None]:
    """A way that predicts the same images again and again."""

    def run(turns: Turns) -> None:
        predict = make()
        pixels = np.random.default_rng(0).integers(0, 256, (IMAGES, 32, 32, 3), np.uint8)
        while True:
            predict(pixels)
            turns.tick(IMAGES)

    return run


def keras_model(precision: str) -> Any:
    import keras

    from archbuilder import build

    keras.config.set_dtype_policy(precision)
    return build("resnet20_v1", seed=0)


def keras_predict(precision: str) -> Callable[[], Predict]:
    """`model.predict`."""

    def make() -> Predict:
        model = keras_model(precision)
        return lambda pixels: model.predict(pixels.astype("float32") / 255, batch_size=BATCH, verbose=0)

    return make


def keras_function(precision: str) -> Callable[[], Predict]:
    """The model in a tf.function, called batch by batch."""

    def make() -> Predict:
        import tensorflow as tf

        model = keras_model(precision)
        compiled = tf.function(
            lambda pixels: model(tf.cast(pixels, tf.float32) / 255, training=False),
            input_signature=[tf.TensorSpec((None, 32, 32, 3), tf.uint8)],
        )
        return lambda pixels: np.concatenate([
            compiled(pixels[start : start + BATCH]).numpy() for start in range(0, len(pixels), BATCH)
        ])  # fmt: skip

    return make


def archbuilder(precision: Any) -> Callable[[], Predict]:
    """The step of `archbuilder evaluate` and `predict`."""

    def make() -> Predict:
        from archbuilder import build, expand
        from archbuilder.data.normalisation import fit
        from archbuilder.spec.normalisation import Unchanged
        from archbuilder.training.evaluator import Evaluator
        from archbuilder.training.tensorflow.forward import Forward
        from archbuilder.training.tensorflow.inference import logits_of

        forward = Forward(expand("resnet20_v1"), build("resnet20_v1", seed=0), precision)
        return Evaluator(logits_of(forward, fit(Unchanged(), ())), BATCH).answers

    return make


def pytorch(bfloat16: bool) -> Callable[[], Predict]:
    """Channels last, with the norms folded."""

    def make() -> Predict:
        import torch

        network = folded(pytorch_resnet20().eval()).to(memory_format=torch.channels_last)

        def predict(pixels: Any) -> Any:
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                parts = [network(part.permute(0, 3, 1, 2) / 255) for part in torch.from_numpy(pixels).split(BATCH)]
                return torch.cat(parts).float().softmax(1).numpy()

        return predict

    return make


def folded(network: Any) -> Any:
    """The network without norms: each has gone into the convolution before it."""
    from torch import nn
    from torch.nn.utils import fuse_conv_bn_eval

    for module in network.modules():
        for conv, norm in (("conv1", "norm1"), ("conv2", "norm2"), ("0", "1")):
            if isinstance(getattr(module, norm, None), nn.BatchNorm2d):
                setattr(module, conv, fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm)))
                setattr(module, norm, nn.Identity())
    return network


WAYS = {
    "Keras predict float32": Way(endless(keras_predict("float32")), "archbuilder"),
    "Keras tf.function float32": Way(endless(keras_function("float32")), "archbuilder"),
    "archbuilder float32": Way(endless(archbuilder("float32")), "archbuilder"),
    "PyTorch float32": Way(endless(pytorch(bfloat16=False)), "torch"),
    "Keras predict bfloat16": Way(endless(keras_predict("mixed_bfloat16")), "archbuilder"),
    "Keras tf.function bfloat16": Way(endless(keras_function("mixed_bfloat16")), "archbuilder"),
    "archbuilder bfloat16": Way(endless(archbuilder("mixed_bfloat16")), "archbuilder"),
    "PyTorch bfloat16": Way(endless(pytorch(bfloat16=True)), "torch"),
}
BASES = ("Keras predict float32", "PyTorch float32", "Keras predict bfloat16", "PyTorch bfloat16")


def table(found: dict[str, Any]) -> Table:
    bases = [base for base in BASES if base in found]
    drawn = Table("way", "images/s", *(f"/ {base}" for base in bases), title="ResNet-20 v1, median (lowest to highest)")
    for name, result in found.items():
        ratios = (shown(result[f"times {base}"], "{:.2f}") if base != name else "1" for base in bases)
        drawn.add_row(name, shown(result["images_per_second"], "{:.0f}"), *ratios)
    return drawn


@click.command()
@click.option("--rounds", default=6, show_default=True, help="Turns of each way.")
@click.option("--seconds", default=3.0, show_default=True, help="Measured in each turn.")
@click.option("--way", "chosen", multiple=True, type=click.Choice(list(WAYS)), help="Only these.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--worker", type=click.Choice(list(WAYS)), hidden=True)
def main(rounds: int, seconds: float, chosen: tuple[str, ...], as_json: bool, worker: str | None) -> None:
    """Compares ways to classify images with ResNet-20 v1 on the CPU, in batches of 256."""
    if worker:
        return WAYS[worker].run(Turns())
    wanted = chosen or tuple(WAYS)
    names = [name for name in wanted if find_spec(WAYS[name].package)]
    for name in wanted:
        if name not in names:
            click.echo(f"left out: {name}, since {WAYS[name].package} is not installed", err=True)
    found = results(measure([__file__], names, rounds, seconds)[0], BASES)
    if as_json:
        click.echo(json.dumps({"machine": machine(), "ways": found}, indent=1))
    else:
        console = Console()
        console.print(json.dumps(machine()), soft_wrap=True)
        console.print(table(found))
    return None


if __name__ == "__main__":
    main()
