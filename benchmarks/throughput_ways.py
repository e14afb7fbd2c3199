"""The ways to train ResNet-20 v1 that `throughput.py` compares, each an endless loop that calls `Turns.tick`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import Any

import numpy as np

IMAGES, BATCH, REFERENCE_BATCH = 50_000, 128, 32
WARM_UP, LEAD_IN = 5.0, 1.0
"""Seconds of running before the first turn, and unmeasured at the start of each."""


class Turns:
    """Measures a way from inside: it calls `tick` after each iteration, which waits whenever a turn is over."""

    def __init__(self) -> None:
        self._count, self._first, self._start = 0, 0.0, inf
        self._end = perf_counter() + WARM_UP

    def tick(self, images: int) -> None:
        now = perf_counter()
        if now < self._start:
            self._first = now
        else:
            self._count += images
        if now >= self._end:
            self._report(now)
            self._wait()

    def _report(self, now: float) -> None:
        print(self._count / (now - self._first) if self._count else "ready", flush=True)

    def _wait(self) -> None:
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        self._count, self._start = 0, perf_counter() + LEAD_IN
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
        l2 = keras.regularizers.L2(1e-4)
        convolution = layers.Conv2D(
            filters, kernel, stride, "same", kernel_initializer="he_normal", kernel_regularizer=l2
        )
        outputs = convolution(inputs) if plain else layers.BatchNormalization()(convolution(inputs))
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
        from archbuilder.spec.augmentation import Flip, PadCrop
        from archbuilder.spec.normalisation import PixelMean
        from archbuilder.training.augment import augmenter
        from archbuilder.training.forward import Forward
        from archbuilder.training.normalise import fit
        from archbuilder.training.optimizers import Sgd
        from archbuilder.training.step import TrainingStep

        pixels, labels = data()
        graph = expand(spec.load("resnet20_v1"))
        forward = Forward(graph, build_model(graph, seed=0), precision)
        step = TrainingStep(
            forward, Sgd(forward.variables, momentum=0.9, nesterov=False), pixels, labels, fit(PixelMean(), [pixels]),
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

    plan = [(16, 16, 1)] * 3 + [(16, 32, 2)] + [(32, 32, 1)] * 2 + [(32, 64, 2)] + [(64, 64, 1)] * 2
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
