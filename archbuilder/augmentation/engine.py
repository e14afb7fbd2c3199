"""What augmentations need and Keras has no function for, by the engine that it has loaded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import keras

from archbuilder.aliases import Tensor

if keras.backend.backend() == "jax":
    import jax
    import jax.numpy as jnp
else:
    import tensorflow as tf

Operation = Callable[[Tensor, Tensor], Tensor]
"""Images and a number for each -> images."""
_ON_JAX = keras.backend.backend() == "jax"


def gathered(values: Tensor, places: Tensor) -> Tensor:
    """The rows of `values` at places that are all there."""
    return values.at[places].get(mode="promise_in_bounds") if _ON_JAX else tf.gather(values, places)


def lowest(images: Tensor) -> Tensor:
    """The lowest value of each channel (n, 1, 1, C); Keras' own function refuses to look at no images at all."""
    return jnp.min(images, (1, 2), keepdims=True) if _ON_JAX else tf.reduce_min(images, (1, 2), keepdims=True)


def highest(images: Tensor) -> Tensor:
    """The highest value of each channel (n, 1, 1, C)."""
    return jnp.max(images, (1, 2), keepdims=True) if _ON_JAX else tf.reduce_max(images, (1, 2), keepdims=True)


def betainc(alpha: float, values: Tensor) -> Tensor:
    """The distribution function of Beta(alpha, alpha)."""
    return jax.scipy.special.betainc(alpha, alpha, values) if _ON_JAX else tf.math.betainc(alpha, alpha, values)


def by_choice(operations: Sequence[Operation], choice: Tensor, images: Tensor, levels: Tensor) -> Tensor:
    """Images (n, H, W, C), each changed by the operation that it has chosen, with its level.

    TensorFlow parts the images, so that each costs only its own operation. For JAX, whose shapes are fixed, each is
    changed by all, and one result is taken.
    """
    if _ON_JAX:
        results = jnp.stack([operation(images, levels) for operation in operations])
        return results[choice, jnp.arange(len(images))]
    places = tf.dynamic_partition(tf.range(tf.shape(images)[0]), choice, len(operations))
    parts = [
        operation(tf.gather(images, chosen), tf.gather(levels, chosen))
        for operation, chosen in zip(operations, places, strict=True)
    ]
    return tf.ensure_shape(tf.dynamic_stitch(places, parts), images.shape)


def projected(images: Tensor, matrices: Tensor, fill: float) -> Tensor:
    """Images whose pixel (x, y) is the old one at (a x + b y + c, d x + e y + f), bilinearly; `fill` lies outside.

    A matrix is (a, b, c, d, e, f, 0, 0).
    """
    if _ON_JAX:
        return _projected_by_jax(images, matrices, fill)
    return tf.cond(
        tf.shape(images)[0] > 0,  # the kernel for GPUs may not be called for nothing
        lambda: tf.raw_ops.ImageProjectiveTransformV3(
            images=images, transforms=matrices, output_shape=images.shape[1:3], fill_value=fill,
            interpolation="BILINEAR", fill_mode="CONSTANT",
        ),
        lambda: images,
    )  # fmt: skip


def _projected_by_jax(images: Tensor, matrices: Tensor, fill: float) -> Tensor:
    """The four pixels around each place, weighted by how near they are."""
    height, width = images.shape[1:3]
    y, x = jnp.meshgrid(jnp.arange(height), jnp.arange(width), indexing="ij")
    a, b, c, d, e, f = (matrices[:, number, None, None] for number in range(6))
    right, down = a * x + b * y + c, d * x + e * y + f
    left, top = jnp.floor(right), jnp.floor(down)
    numbers = jnp.arange(len(images))[:, None, None]

    def pixels(rows: Tensor, columns: Tensor) -> Tensor:
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        places = (jnp.clip(part, 0, size - 1).astype(jnp.int32) for part, size in ((rows, height), (columns, width)))
        return jnp.where(inside[..., None], images[(numbers, *places)], fill)

    def between(rows: Tensor) -> Tensor:
        share = (right - left)[..., None]
        return (1 - share) * pixels(rows, left) + share * pixels(rows, left + 1)

    share = (down - top)[..., None]
    return (1 - share) * between(top) + share * between(top + 1)
