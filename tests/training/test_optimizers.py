"""What optimizers do to variables that they treat together is what they do to each alone."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from archbuilder.training.optimizers import decayed

pytestmark = pytest.mark.keras


def test_decay_adds_to_each_gradient_its_own_share_of_the_variable() -> None:
    random = np.random.default_rng(0)
    shapes, factors = [(2, 3), (4,), (2, 3), (2, 3), (4,)], [0.5, 0.25, 0.0, 0.125, 0.25]
    gradients, weights = ([random.normal(size=shape).astype("float32") for shape in shapes] for _ in range(2))
    results = decayed(gradients, [tf.Variable(weight) for weight in weights], factors)
    for result, gradient, factor, weight in zip(results, gradients, factors, weights, strict=True):
        np.testing.assert_allclose(result, gradient + factor * weight, rtol=1e-6)
