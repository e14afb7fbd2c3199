"""Images a second in training ResNet-20 v1 on the CPU: archbuilder, the reference code and PyTorch, in one sitting.

    python benchmarks/throughput.py [--rounds 6] [--seconds 8] [--compile] [--json]

Every way is a process of its own that stays alive. They take turns, one at a time while the others wait, so that a
machine that drifts drifts under all of them. A ratio is taken within each round, and then its median over the rounds.
The pixels are random: what they show does not change how long they take. Needs scipy for the reference code's
ImageDataGenerator, and torch for PyTorch's ways; a way whose package is missing is left out and named.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryFile
from time import perf_counter
from typing import IO, Any, NoReturn

import click
import numpy as np
from rich.console import Console
from rich.table import Table

IMAGES, BATCH, REFERENCE_BATCH = 50_000, 128, 32
WARM_UP, LEAD_IN = 5.0, 1.0
"""Seconds of running before the first turn, and unmeasured at the start of each."""


class Turns:
    """Measures a way from inside: it calls `tick` after each iteration, which waits whenever a turn is over."""

    def __init__(self) -> None:
        self._count, self._start, self._end = 0, 0.0, 0.0
        self._warm = perf_counter() + WARM_UP

    def tick(self, images: int) -> None:
        now = perf_counter()
        if self._end == 0.0 and now < self._warm:
            return
        if now >= self._end:
            self._report(now)
            self._wait()
        elif now >= self._start:
            self._count += images
        else:
            self._first = now

    def _report(self, now: float) -> None:
        print(self._count / (now - self._first) if self._count else "ready", flush=True)

    def _wait(self) -> None:
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        self._first = perf_counter()
        self._count, self._start = 0, self._first + LEAD_IN
        self._end = self._start + float(line)


def data() -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (IMAGES, 32, 32, 3), np.uint8), random.integers(0, 10, IMAGES, np.int32)


def batches() -> Iterator[Any]:
    """Indices of images, epoch after epoch, each in its own order."""
    random = np.random.default_rng(1)
    while True:
        order = random.permutation(IMAGES).astype(np.int32)
        yield from (order[start : start + BATCH] for start in range(0, IMAGES - BATCH + 1, BATCH))


def reference(turns: Turns) -> None:
    """Keras' CIFAR-10 ResNet example as it stands: functional model, ImageDataGenerator, Adam, `fit`."""
    import keras
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    pixels, labels = data()
    images = pixels.astype("float32") / 255
    images -= images.mean(axis=0)
    generator = ImageDataGenerator(
        width_shift_range=0.1, height_shift_range=0.1, fill_mode="nearest", horizontal_flip=True
    )
    model = reference_model()
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(1e-3), metrics=["accuracy"])
    flow = generator.flow(images, keras.utils.to_categorical(labels, 10), batch_size=REFERENCE_BATCH)
    ticks = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: turns.tick(REFERENCE_BATCH))
    model.fit(flow, epochs=1000, verbose=0, callbacks=[ticks])


def reference_model() -> Any:
    """Its `resnet_v1`, depth 20."""
    import keras
    from keras import layers

    def layer(
        inputs: Any, filters: int, kernel: int = 3, stride: int = 1, plain: bool = False, relu: bool = True
    ) -> Any:
        outputs = layers.Conv2D(
            filters,
            kernel,
            stride,
            "same",
            kernel_initializer="he_normal",
            kernel_regularizer=keras.regularizers.L2(1e-4),
        )(inputs)
        outputs = outputs if plain else layers.BatchNormalization()(outputs)
        return layers.Activation("relu")(outputs) if relu else outputs

    inputs = keras.Input((32, 32, 3))
    features = layer(inputs, 16)
    for stage, filters in enumerate((16, 32, 64)):
        for unit in range(3):
            stride = 2 if stage > 0 and unit == 0 else 1
            residual = layer(layer(features, filters, stride=stride), filters, relu=False)
            if stride == 2:
                features = layer(features, filters, kernel=1, stride=2, plain=True, relu=False)
            features = layers.Activation("relu")(layers.add([features, residual]))
    vector = layers.Flatten()(layers.AveragePooling2D(8)(features))
    outputs = layers.Dense(10, activation="softmax", kernel_initializer="he_normal")(vector)
    return keras.Model(inputs, outputs)


def archbuilder(precision: Any) -> Callable[[Turns], None]:
    """What `archbuilder train` runs, with the papers' augmentation."""

    def run(turns: Turns) -> None:
        from archbuilder import spec
        from archbuilder.graph.expand import expand
        from archbuilder.keras_backend import build_model
        from archbuilder.spec.training import Flip, PadCrop
        from archbuilder.training.augment import augmenter
        from archbuilder.training.forward import Forward
        from archbuilder.training.normalise import fit
        from archbuilder.training.optimizers import Sgd
        from archbuilder.training.step import TrainingStep

        pixels, labels = data()
        graph = expand(spec.load("resnet20_v1"))
        forward = Forward(graph, build_model(graph, seed=0), precision)
        step = TrainingStep(
            forward, Sgd(forward.variables, momentum=0.9, nesterov=False), pixels, labels, fit("pixel_mean", pixels),
            augmenter([PadCrop(), Flip()], seed=0),
        )  # fmt: skip
        for iteration, indices in enumerate(batches()):
            step(indices, iteration // (IMAGES // BATCH), iteration, 0.01)
            turns.tick(BATCH)

    return run


def pytorch(bfloat16: bool, compiled: bool = False) -> Callable[[Turns], None]:
    """A hand-written loop: channels last, fused SGD, the images in memory and augmented by the batch."""

    def run(turns: Turns) -> None:
        import torch
        from torch.nn import functional

        torch.set_flush_denormal(True)
        torch.manual_seed(0)
        network = pytorch_model().to(memory_format=torch.channels_last)
        model = torch.compile(network) if compiled else network
        optimizer = torch.optim.SGD(network.parameters(), 0.01, 0.9, weight_decay=1e-4, fused=True)
        pixels, labels = map(torch.from_numpy, data())
        mean, places, every = pixels.float().mean(0) / 255, torch.arange(32), torch.arange(BATCH)[:, None, None]
        for indices in map(torch.from_numpy, batches()):
            images = functional.pad(pixels[indices].float() / 255 - mean, (0, 0, 4, 4, 4, 4))
            starts, mirrored = torch.randint(0, 9, (BATCH, 2)), torch.rand(BATCH, 1) < 0.5
            columns = torch.where(mirrored, 31 - places, places) + starts[:, 1:]
            images = images[every, (places + starts[:, :1])[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                logits = model(images)
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(logits.float(), labels[indices].long()).backward()
            optimizer.step()
            turns.tick(BATCH)

    return run


def pytorch_model() -> Any:
    """The reference code's ResNet-20 v1, but for padding on both sides where the stride is 2."""
    from torch import nn
    from torch.nn.functional import relu

    def conv(before: int, after: int, kernel: int = 3, stride: int = 1) -> Any:
        return nn.Conv2d(before, after, kernel, stride, kernel // 2)

    def norm(channels: int) -> Any:
        return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)

    class Unit(nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self, before: int, after: int, stride: int) -> None:
            super().__init__()
            self.conv1, self.norm1 = conv(before, after, stride=stride), norm(after)
            self.conv2, self.norm2 = conv(after, after), norm(after)
            self.shortcut = conv(before, after, 1, stride) if stride == 2 else nn.Identity()

        def forward(self, images: Any) -> Any:
            residual = self.norm2(self.conv2(relu(self.norm1(self.conv1(images)), inplace=True)))
            return relu(residual.add_(self.shortcut(images)), inplace=True)

    plan = [
        (16, 16, 1),
        (16, 16, 1),
        (16, 16, 1),
        (16, 32, 2),
        (32, 32, 1),
        (32, 32, 1),
        (32, 64, 2),
        (64, 64, 1),
        (64, 64, 1),
    ]
    stem = (conv(3, 16), norm(16), nn.ReLU(inplace=True))
    return nn.Sequential(*stem, *(Unit(*each) for each in plan), nn.AvgPool2d(8), nn.Flatten(), nn.Linear(64, 10))


@dataclass(frozen=True)
class Way:
    run: Callable[[Turns], None]
    package: str
    """What it needs besides what archbuilder needs."""


WAYS = {
    "reference": Way(reference, "scipy"),
    "archbuilder float32": Way(archbuilder("float32"), "archbuilder"),
    "archbuilder bfloat16": Way(archbuilder("mixed_bfloat16"), "archbuilder"),
    "PyTorch float32": Way(pytorch(bfloat16=False), "torch"),
    "PyTorch bfloat16": Way(pytorch(bfloat16=True), "torch"),
    "PyTorch float32, compiled": Way(pytorch(bfloat16=False, compiled=True), "torch"),
    "PyTorch bfloat16, compiled": Way(pytorch(bfloat16=True, compiled=True), "torch"),
}
BASES = ("reference", "PyTorch float32", "PyTorch bfloat16")


class Worker:
    """A way in a process of its own, started and warm."""

    def __init__(self, name: str) -> None:
        self.name, self._errors = name, TemporaryFile("w+")  # noqa: SIM115, it lives as long as the process
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--worker", name], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        self._answer()

    def turn(self, seconds: float) -> float:
        """Images a second over one turn."""
        _pipe(self._process.stdin).write(f"{seconds}\n")
        _pipe(self._process.stdin).flush()
        return float(self._answer())

    def stop(self) -> None:
        _pipe(self._process.stdin).close()
        self._process.wait()

    def _answer(self) -> str:
        return _pipe(self._process.stdout).readline() or self._fail()

    def _fail(self) -> NoReturn:
        self._errors.seek(0)
        raise click.ClickException(f"{self.name} failed:\n{self._errors.read()[-2000:]}")


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@dataclass(frozen=True)
class Spread:
    """The median over the rounds, and the lowest and highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(median(values), min(values), max(values))


def measure(names: list[str], rounds: int, seconds: float) -> dict[str, list[float]]:
    """Images a second of each way in each round; every second round goes backwards."""
    workers = [Worker(name) for name in names]
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for worker in workers if number % 2 == 0 else reversed(workers):
            rates[worker.name].append(worker.turn(seconds))
    for worker in workers:
        worker.stop()
    return rates


def machine() -> dict[str, Any]:
    path = Path("/proc/cpuinfo")
    facts = dict(line.split(":", 1) for line in path.read_text().splitlines() if ":" in line) if path.exists() else {}
    entries = {name.strip(): value.strip() for name, value in facts.items()}
    flags = entries.get("flags", "").split()
    return {
        "processor": entries.get("model name", platform.processor()), "cores": os.cpu_count(),
        "flags": [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags],
        "versions": {name: _version(name) for name in ("tensorflow", "keras", "torch", "numpy")},
    }  # fmt: skip


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def results(rates: dict[str, list[float]]) -> dict[str, Any]:
    """For each way its rate and how many times those of the bases it is."""
    return {
        name: {"images_per_second": asdict(Spread.of(values)), "rounds": values}
        | {
            f"times {base}": asdict(Spread.of([one / other for one, other in zip(values, rates[base], strict=True)]))
            for base in BASES
            if base in rates and base != name
        }
        for name, values in rates.items()
    }


def table(found: dict[str, Any]) -> Table:
    bases = [base for base in BASES if base in found]
    drawn = Table(
        "way", "images/s", *(f"/ {base}" for base in bases), title="ResNet-20 v1, training, median (lowest to highest)"
    )
    for name, result in found.items():
        ratios = (_shown(result[f"times {base}"], "{:.2f}") if base != name else "1" for base in bases)
        drawn.add_row(name, _shown(result["images_per_second"], "{:.0f}"), *ratios)
    return drawn


def _shown(spread: dict[str, float], form: str) -> str:
    return f"{form.format(spread['median'])} ({form.format(spread['low'])} to {form.format(spread['high'])})"


@click.command()
@click.option("--rounds", default=6, show_default=True, help="Turns of each way.")
@click.option("--seconds", default=8.0, show_default=True, help="Measured in each turn.")
@click.option("--compile", "compiled", is_flag=True, help="Also PyTorch with torch.compile.")
@click.option("--way", "chosen", multiple=True, type=click.Choice(list(WAYS)), help="Only these.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--worker", type=click.Choice(list(WAYS)), hidden=True)
def main(
    rounds: int, seconds: float, compiled: bool, chosen: tuple[str, ...], as_json: bool, worker: str | None
) -> None:
    """Compares ways to train ResNet-20 v1 on the CPU: the reference code at batch 32, the others at 128."""
    if worker:
        return WAYS[worker].run(Turns())
    wanted = chosen or [name for name in WAYS if compiled or "compiled" not in name]
    names = [name for name in wanted if find_spec(WAYS[name].package)]
    for name in wanted:
        if name not in names:
            click.echo(f"left out: {name}, since {WAYS[name].package} is not installed", err=True)
    found = results(measure(names, rounds, seconds))
    if as_json:
        click.echo(json.dumps({"machine": machine(), "ways": found}, indent=1))
    else:
        console = Console()
        console.print(json.dumps(machine()), soft_wrap=True)
        console.print(table(found))
    return None


if __name__ == "__main__":
    main()
