"""The losses of an objective, by the engine that Keras has loaded."""

from __future__ import annotations

from archbuilder.machine.backend import backend

if backend() == "jax":
    from archbuilder.training.jax.losses import losses_of, scores_of, sums
else:
    from archbuilder.training.tensorflow.losses import losses_of, scores_of, sums

__all__ = ["losses_of", "scores_of", "sums"]
