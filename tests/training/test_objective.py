"""Losses are Keras', class weights stand for repeated images, and balanced sampling draws each class as often."""

from __future__ import annotations

from collections import Counter
from typing import Any

import keras
import numpy as np
import pytest

from archbuilder.spec.optimization import BinaryCrossEntropy, CrossEntropy, Huber, Loss, MeanSquaredError
from archbuilder.training.feed import balanced_order
from archbuilder.training.objective import Objective, Scaling, weights_of
from archbuilder.training.tensorflow import losses as by_tensorflow

RANDOM = np.random.default_rng(3)
LOGITS = RANDOM.normal(0, 2, (20, 3)).astype(np.float32)
CLASSES = np.eye(3, dtype=np.float32)[RANDOM.integers(0, 3, 20)]
FLAGS = RANDOM.integers(0, 2, (20, 3)).astype(np.float32)
NUMBERS = RANDOM.normal(0, 1, (20, 3)).astype(np.float32)
CASES: list[tuple[Loss, Any, Any]] = [
    (CrossEntropy(), CLASSES, keras.losses.CategoricalCrossentropy(from_logits=True, reduction=None)),
    (
        CrossEntropy(label_smoothing=0.2), CLASSES,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2, reduction=None),
    ),
    (BinaryCrossEntropy(), FLAGS, keras.losses.BinaryCrossentropy(from_logits=True, reduction=None)),
    (
        BinaryCrossEntropy(label_smoothing=0.2), FLAGS,
        keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2, reduction=None),
    ),
    (MeanSquaredError(), NUMBERS, keras.losses.MeanSquaredError(reduction=None)),
    (Huber(delta=0.7), NUMBERS, keras.losses.Huber(delta=0.7, reduction=None)),
]  # fmt: skip


@pytest.mark.parametrize(("loss", "rows", "of_keras"), CASES, ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("engine", ["tensorflow", "jax"])
def test_losses_are_those_of_keras(loss: Loss, rows: Any, of_keras: Any, engine: str) -> None:
    module: Any = by_tensorflow
    if engine == "jax":
        pytest.importorskip("jax")
        from archbuilder.training.jax import losses as module
    found = np.asarray(module.losses_of(Objective(loss), LOGITS, rows))
    assert found == pytest.approx(np.asarray(of_keras(rows, LOGITS)), rel=2e-5, abs=1e-6)


@pytest.mark.parametrize("width", [1, 3])
def test_class_weights_stand_for_images_that_are_repeated(width: int) -> None:
    labels = (np.arange(20) % max(2, width)).astype(np.int32)
    repeats = (1.0, 3.0, 2.0)[: max(2, width)]
    objective = Objective(BinaryCrossEntropy() if width == 1 else CrossEntropy(), class_weights=repeats)
    rows, logits = objective.rows(labels, width), LOGITS[:, :width]
    losses = by_tensorflow.losses_of(objective, logits, rows)
    repeated = np.repeat(np.asarray(losses), np.array(repeats, int)[labels])
    weighted = np.asarray(by_tensorflow.weighted(objective, losses, rows))
    assert weighted.sum() == pytest.approx(repeated.sum(), rel=1e-5)


def test_balanced_weights_are_n_over_k_times_the_images_of_a_class() -> None:
    labels = np.array([0] * 6 + [1] * 3 + [2], np.int32)
    assert weights_of("balanced", labels, "abc") == pytest.approx((10 / 18, 10 / 9, 10 / 3))
    assert weights_of({"b": 2.0}, labels, "abc") == (1.0, 2.0, 1.0)


def test_balanced_sampling_draws_each_class_as_often_and_each_of_its_images() -> None:
    labels = np.array([0] * 80 + [2] * 15 + [3] * 5, np.int32)
    drawn = np.concatenate([balanced_order(1, epoch, labels) for epoch in range(300)])
    by_class, by_image = Counter(labels[drawn].tolist()), Counter(drawn.tolist())
    assert len(drawn) == 30_000
    assert by_class.keys() == {0, 2, 3}
    assert all(abs(count - 10_000) < 400 for count in by_class.values())  # five deviations
    assert all(abs(by_image[image] - 2_000) < 220 for image in range(95, 100))
    assert (balanced_order(1, 7, labels) == balanced_order(1, 7, labels)).all()
    assert (balanced_order(1, 7, labels) != balanced_order(1, 8, labels)).any()


def test_scaling_is_undone() -> None:
    numbers = RANDOM.normal(50, 9, (30, 2)).astype(np.float32)
    scaling = Scaling.of(numbers)
    assert scaling.done(numbers).mean(axis=0) == pytest.approx([0, 0], abs=1e-5)
    assert scaling.undone(scaling.done(numbers)) == pytest.approx(numbers, rel=1e-5)
