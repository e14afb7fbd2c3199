"""What optimizers do to variables that they treat together is what they do to each alone, and is what Keras does."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from archbuilder.spec.optimization import Clip
from archbuilder.training.tensorflow.optimizers import RmsProp, clipped, decayed


def test_decay_adds_to_each_gradient_its_own_share_of_the_variable() -> None:
    random = np.random.default_rng(0)
    shapes, factors = [(2, 3), (4,), (2, 3), (2, 3), (4,)], [0.5, 0.25, 0.0, 0.125, 0.25]
    gradients, weights = ([random.normal(size=shape).astype("float32") for shape in shapes] for _ in range(2))
    results = decayed(gradients, [tf.Variable(weight) for weight in weights], factors)
    for result, gradient, factor, weight in zip(results, gradients, factors, weights, strict=True):
        np.testing.assert_allclose(result, gradient + factor * weight, rtol=1e-6)


def test_gradients_shrink_alike_to_a_common_norm() -> None:
    gradients = [np.array([3.0, 0.0], "float32"), np.array([[4.0]], "float32")]  # of norm 5
    for norm, factor in ((1.0, 0.2), (4.0, 0.8), (6.0, 1.0)):
        for result, gradient in zip(clipped(gradients, Clip(norm=norm)), gradients, strict=True):
            np.testing.assert_allclose(result, factor * gradient, rtol=1e-6)


def test_gradients_are_cut_to_a_value() -> None:
    [result] = clipped([np.array([-3.0, 0.5, 2.0], "float32")], Clip(value=1.0))
    np.testing.assert_array_equal(result, [-1, 0.5, 1])


def test_clipping_hides_no_gradient_that_is_no_number() -> None:
    for clip in (Clip(norm=1.0), Clip(value=1.0)):
        assert np.isnan(clipped([np.array([np.nan, 1.0], "float32")], clip)[0]).any()


def test_rmsprop_is_that_of_keras() -> None:
    random = np.random.default_rng(0)
    shapes = [(2, 3), (4,)]
    ours, theirs = (
        [tf.Variable(tf.ones(shape)) for shape in shapes],
        [keras.Variable(np.ones(shape)) for shape in shapes],
    )
    optimizer = RmsProp(ours, decay=0.8, momentum=0.7, epsilon=1e-3)
    same = keras.optimizers.RMSprop(0.1, rho=0.8, momentum=0.7, epsilon=1e-3)
    same.build(theirs)
    for _ in range(3):
        gradients = [tf.constant(random.normal(size=shape), tf.float32) for shape in shapes]
        optimizer.apply(gradients, tf.constant(0.1))
        same.apply(gradients)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other.value, rtol=1e-6)
