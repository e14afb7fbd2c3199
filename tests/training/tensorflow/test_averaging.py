"""Averages of weights are those that NumPy comes to; they stand in for the weights and leave no trace."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from archbuilder.training.tensorflow.averaging import Averages

SHAPES = [(2, 3), (4,), (2, 3), ()]
DECAY = 0.6


def numbers(random: np.random.Generator) -> list[Any]:
    return [random.normal(size=shape).astype("float32") for shape in SHAPES]


def test_averages_are_those_of_numpy() -> None:
    random = np.random.default_rng(0)
    expected = numbers(random)
    variables = [tf.Variable(value) for value in expected]
    averages = Averages(variables, DECAY)
    update = tf.function(averages.update, autograph=False)
    for iteration in range(20):
        values = numbers(random)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        update(tf.constant(iteration))
        decay = min(DECAY, (1 + iteration) / (10 + iteration))
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, values, strict=True)]
    with averages.in_place():
        for variable, average in zip(variables, expected, strict=True):
            np.testing.assert_allclose(variable, average, rtol=1e-5, atol=1e-6)
    for variable, value in zip(variables, values, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_averages_begin_with_weights_that_were_set_later() -> None:
    variable = tf.Variable([1.0, 2.0])
    averages = Averages([variable], DECAY)
    variable.assign([3.0, 4.0])
    averages.begin()
    variable.assign([0.0, 0.0])
    with averages.in_place():
        np.testing.assert_array_equal(variable, [3, 4])
