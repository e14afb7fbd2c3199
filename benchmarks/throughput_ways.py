"""The ways to train a network that `throughput.py` compares, each an endless loop that calls `Turns.tick`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import inf
from time import perf_counter
from typing import Any

import numpy as np

KERAS_EXAMPLE_BATCH = 32
WARM_UP, LEAD_IN = 5.0, 1.0
"""Seconds of running before the first turn, and unmeasured at the start of each."""


class Turns:
    """Measures a way from inside: it calls `tick` after each iteration, which waits whenever a turn is over."""

    def __init__(self) -> None:
        self._count, self._first, self._start = 0.0, 0.0, inf
        self._began = perf_counter()
        self._end = self._began + WARM_UP
        self._until_first: float | None = None

    def tick(self, images: float) -> None:
        now = perf_counter()
        if self._until_first is None:
            self._until_first = now - self._began
        if now < self._start:
            self._first = now
        else:
            self._count += images
        if now >= self._end:
            self._report(now)
            self._wait()

    def _report(self, now: float) -> None:
        """Images a second; the first time, how long the first iteration took from the start of the process."""
        print(self._count / (now - self._first) if self._count else self._until_first, flush=True)

    def _wait(self) -> None:
        line = sys.stdin.readline()
        if not line:
            raise SystemExit
        self._count, self._first = 0.0, perf_counter()
        self._start = self._first + LEAD_IN
        self._end = self._start + float(line)


@dataclass(frozen=True)
class Task:
    """A network, and random images of its size to train it on, padded by `pad` for the random crop."""

    spec: str
    pytorch: Callable[[], Any]
    side: int
    classes: int
    images: int
    batch: int
    pad: int

    def data(self) -> tuple[Any, Any]:
        random = np.random.default_rng(0)
        pixels = random.integers(0, 256, (self.images, self.side, self.side, 3), np.uint8)
        return pixels, random.integers(0, self.classes, self.images, np.int32)

    def batches(self) -> Iterator[Any]:
        """Indices of images, epoch after epoch, each in its own order."""
        random = np.random.default_rng(1)
        while True:
            order = random.permutation(self.images).astype(np.int32)
            yield from (order[i : i + self.batch] for i in range(0, self.images - self.batch + 1, self.batch))


def keras_example(turns: Turns) -> None:
    """Keras' CIFAR-10 example as it stands: functional model, ImageDataGenerator, Adam, `fit`."""
    import keras
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    pixels, labels = RESNET20.data()
    images = pixels.astype("float32") / 255
    images -= images.mean(axis=0)
    generator = ImageDataGenerator(
        width_shift_range=0.1, height_shift_range=0.1, fill_mode="nearest", horizontal_flip=True
    )
    model = keras_example_model()
    model.compile(loss="categorical_crossentropy", optimizer=keras.optimizers.Adam(1e-3), metrics=["accuracy"])
    flow = generator.flow(images, keras.utils.to_categorical(labels, 10), batch_size=KERAS_EXAMPLE_BATCH)
    ticks = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: turns.tick(KERAS_EXAMPLE_BATCH))
    model.fit(flow, epochs=1000, verbose=0, callbacks=[ticks])


def keras_example_model() -> Any:
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


def _prepared(task: Task) -> tuple[Any, Any, Any]:
    """The graph, its Keras model, and the papers' augmentation for CIFAR, normalisation included."""
    from archbuilder import spec
    from archbuilder.augmentation.augmenter import augmenter
    from archbuilder.data.normalisation import fit
    from archbuilder.expansion.expansion import expand
    from archbuilder.keras_model.build import build_model
    from archbuilder.spec.augmentation import Flip, PadCrop
    from archbuilder.spec.normalisation import PixelMean

    graph, (pixels, _) = expand(spec.load(task.spec)), task.data()
    augment = augmenter([PadCrop(pad=task.pad), Flip()], fit(PixelMean(), [pixels]), seed=0)
    return graph, build_model(graph, seed=0), augment


def archbuilder(task: Task, precision: Any, xla: bool = False) -> Callable[[Turns], None]:
    """What `archbuilder train` runs."""

    def run(turns: Turns) -> None:
        from archbuilder.training.step_settings import StepSettings, TrainingImages
        from archbuilder.training.tensorflow.forward import Forward
        from archbuilder.training.tensorflow.optimizers import Sgd
        from archbuilder.training.tensorflow.step import TrainingStep

        graph, model, augment = _prepared(task)
        forward = Forward(graph, model, precision)
        optimizer = Sgd(forward.variables, momentum=0.9, nesterov=False)
        step = TrainingStep(forward, optimizer, TrainingImages(*task.data(), augment), StepSettings(xla=xla))
        for iteration, indices in enumerate(task.batches()):
            step(indices, iteration // (task.images // task.batch), iteration, 0.01)
            turns.tick(task.batch)

    return run


def archbuilder_on_jax(task: Task) -> Callable[[Turns], None]:
    """What `KERAS_BACKEND=jax archbuilder train` runs."""

    def run(turns: Turns) -> None:
        os.environ["KERAS_BACKEND"] = "jax"
        from archbuilder import spec
        from archbuilder.training.jax.forward import JaxNetwork, values
        from archbuilder.training.jax.optimizers import make_optimizer
        from archbuilder.training.jax.step import JaxStep
        from archbuilder.training.step_settings import TrainingImages

        graph, model, augment = _prepared(task)
        network = JaxNetwork(graph, model)
        recipe = spec.require_training(spec.load(task.spec, ["training.optimizer={sgd: {momentum: 0.9}}"]))
        optimizer = make_optimizer(recipe, values(network.trained), [""] * len(network.trained))
        step = JaxStep(network, optimizer, TrainingImages(*task.data(), augment))
        for iteration, indices in enumerate(task.batches()):
            step(indices, iteration // (task.images // task.batch), iteration, 0.01)
            step.totals()  # waits for the iteration
            turns.tick(task.batch)

    return run


def keras_fit(task: Task, backend: str) -> Callable[[Turns], None]:
    """The stock model that archbuilder builds, with `fit` over a `tf.data` pipeline of the same augmentation."""

    def run(turns: Turns) -> None:
        os.environ["KERAS_BACKEND"] = backend
        import keras
        import tensorflow as tf

        import archbuilder

        pixels, labels = task.data()
        mean, pad, side = (pixels.mean(0) / 255).astype("float32"), task.pad, task.side

        def augmented(image: Any, label: Any) -> tuple[Any, Any]:
            padded = tf.pad(tf.cast(image, tf.float32) / 255 - mean, [[pad, pad], [pad, pad], [0, 0]])
            return tf.image.random_flip_left_right(tf.image.random_crop(padded, (side, side, 3))), label

        data = tf.data.Dataset.from_tensor_slices((pixels, labels)).shuffle(task.images).repeat()
        data = data.map(augmented, tf.data.AUTOTUNE).batch(task.batch, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
        model = archbuilder.build(task.spec)
        model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.SGD(0.01, 0.9))
        ticks = keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: turns.tick(task.batch))
        model.fit(data, steps_per_epoch=10**6, verbose=0, callbacks=[ticks])

    return run


def pytorch(task: Task, bfloat16: bool, compiled: bool = False) -> Callable[[Turns], None]:
    """A hand-written loop: channels last, fused SGD, the images in memory and augmented by the batch."""

    def run(turns: Turns) -> None:
        import torch
        from torch.nn import functional

        torch.set_flush_denormal(True)
        torch.manual_seed(0)
        network = task.pytorch().to(memory_format=torch.channels_last)
        model = torch.compile(network) if compiled else network
        optimizer = torch.optim.SGD(network.parameters(), 0.01, 0.9, weight_decay=1e-4, fused=True)
        pixels, labels = map(torch.from_numpy, task.data())
        count, pads = task.batch, (0, 0, *[task.pad] * 4)
        mean, places, every = pixels.float().mean(0) / 255, torch.arange(task.side), torch.arange(count)[:, None, None]
        for indices in map(torch.from_numpy, task.batches()):
            images = functional.pad(pixels[indices].float() / 255 - mean, pads)
            starts, mirrored = torch.randint(0, 2 * task.pad + 1, (count, 2)), torch.rand(count, 1) < 0.5
            columns = torch.where(mirrored, task.side - 1 - places, places) + starts[:, 1:]
            images = images[every, (places + starts[:, :1])[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                logits = model(images)
            optimizer.zero_grad(set_to_none=True)
            functional.cross_entropy(logits.float(), labels[indices].long()).backward()
            optimizer.step()
            turns.tick(count)

    return run


def pytorch_resnet20() -> Any:
    """The ResNet-20 v1 of Keras' example, but for padding on both sides where the stride is 2."""
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


def pytorch_resnet50() -> Any:
    """torchvision's ResNet-50."""
    from torch import nn
    from torch.nn.functional import relu

    def conv(before: int, after: int, kernel: int = 1, stride: int = 1) -> Any:
        return nn.Sequential(nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(after))

    class Unit(nn.Module):  # type: ignore[misc, name-defined, unused-ignore]
        def __init__(self, before: int, width: int, stride: int) -> None:
            super().__init__()
            self.reduce, self.spatial = conv(before, width), conv(width, width, 3, stride)
            self.expand = conv(width, 4 * width)
            self.shortcut = conv(before, 4 * width, 1, stride) if before != 4 * width else nn.Identity()

        def forward(self, images: Any) -> Any:
            inner = relu(self.spatial(relu(self.reduce(images), inplace=True)), inplace=True)
            return relu(self.expand(inner).add_(self.shortcut(images)), inplace=True)

    units, before = [], 64
    for stage, count in enumerate((3, 4, 6, 3)):
        for unit in range(count):
            units.append(Unit(before, 64 << stage, 2 if stage and not unit else 1))
            before = 256 << stage
    stem = (conv(3, 64, 7, 2), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(*stem, *units, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 1000))


def ceiling(task: Task, bfloat16: bool) -> Callable[[Turns], None]:
    """Products of matrices, counted as the images whose training takes as many multiply-adds."""

    def run(turns: Turns) -> None:
        import tensorflow as tf

        import archbuilder

        side = 2048
        matrix = tf.cast(tf.random.normal((side, side)), tf.bfloat16 if bfloat16 else tf.float32)
        product = tf.function(lambda: tf.matmul(matrix, matrix))
        for_an_image = 3 * archbuilder.expand(task.spec).macs  # forward, and back to features and to weights
        while True:
            product()
            turns.tick(side**3 / for_an_image)

    return run


RESNET20 = Task("resnet20_v1", pytorch_resnet20, side=32, classes=10, images=50_000, batch=128, pad=4)
RESNET50 = Task("torchvision/resnet50", pytorch_resnet50, side=224, classes=1000, images=512, batch=16, pad=16)


@dataclass(frozen=True)
class Way:
    run: Callable[[Turns], None]
    package: str
    """What it needs besides what archbuilder needs."""


def _ways(task: Task) -> dict[str, Way]:
    return {
        "ceiling float32": Way(ceiling(task, bfloat16=False), "tensorflow"),
        "ceiling bfloat16": Way(ceiling(task, bfloat16=True), "tensorflow"),
        "archbuilder float32": Way(archbuilder(task, "float32"), "archbuilder"),
        "archbuilder bfloat16": Way(archbuilder(task, "mixed_bfloat16"), "archbuilder"),
        "archbuilder float32, compiled by XLA": Way(archbuilder(task, "float32", xla=True), "archbuilder"),
        "archbuilder bfloat16, compiled by XLA": Way(archbuilder(task, "mixed_bfloat16", xla=True), "archbuilder"),
        "archbuilder on JAX, float32": Way(archbuilder_on_jax(task), "jax"),
        "Keras fit, float32": Way(keras_fit(task, "tensorflow"), "tensorflow"),
        "Keras fit on JAX, float32": Way(keras_fit(task, "jax"), "jax"),
        "PyTorch float32": Way(pytorch(task, bfloat16=False), "torch"),
        "PyTorch bfloat16": Way(pytorch(task, bfloat16=True), "torch"),
        "PyTorch float32, compiled": Way(pytorch(task, bfloat16=False, compiled=True), "torch"),
        "PyTorch bfloat16, compiled": Way(pytorch(task, bfloat16=True, compiled=True), "torch"),
    }


WAYS = {
    "resnet20": {"Keras' example": Way(keras_example, "scipy"), **_ways(RESNET20)},
    "resnet50": _ways(RESNET50),
}
"""By network."""
