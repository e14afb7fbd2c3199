"""Whether TensorFlow has gradients of grouped and dilated convolutions here: on a CPU, only oneDNN has."""

from __future__ import annotations

import pytest


def require_grouped_gradients() -> None:
    """Skips a test where TensorFlow leaves oneDNN off, as it does on processors without AVX-512."""
    import tensorflow as tf

    kernel = tf.Variable(tf.ones((3, 3, 1, 2)))
    try:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.nn.conv2d(tf.ones((1, 4, 4, 2)), kernel, 1, "SAME"))
        tape.gradient(loss, kernel)
    except tf.errors.InvalidArgumentError:
        pytest.skip("TensorFlow has no gradients of grouped convolutions on this processor: oneDNN is off")
