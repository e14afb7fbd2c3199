"""The optimizers as pure functions for JAX, by the same rules and with the same names of their states."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import assert_never

import jax.numpy as jnp
import numpy as np

from archbuilder.aliases import Tensor
from archbuilder.spec import optimization
from archbuilder.spec.training import Training

Tensors = Sequence[Tensor]
State = Mapping[str, Tensor]
Rule = Callable[[Tensors, Tensors, State, Tensor], tuple[Tensors, State]]
"""Weights, gradients, state and rate -> weights and state."""


@dataclass(frozen=True)
class Optimizer:
    """A rule, and the state that it begins with."""

    rule: Rule
    state: State


def make_optimizer(
    training: Training, weights: Tensors, kinds: Sequence[str], factors: Sequence[float] = ()
) -> Optimizer:
    """The optimizer of a spec for weights of these kinds: conv, dense, norm or bias; `factors` are of the rate."""
    factors = factors or [1.0] * len(weights)
    plain, decay, clip = _plain(training.optimizer, weights, factors), training.weight_decay, training.clip
    rule = _decaying(plain.rule, decay, [kind in decay.kinds for kind in kinds], factors) if decay else plain.rule
    return Optimizer(_clipping(rule, clip) if clip else rule, plain.state)


def _plain(optimizer: optimization.Optimizer, weights: Tensors, factors: Sequence[float]) -> Optimizer:
    zeros = [np.zeros(weight.shape, np.float32) for weight in weights]
    match optimizer:
        case optimization.Sgd():
            return Optimizer(_sgd(optimizer, factors), _named("velocity", zeros))
        case optimization.Adam():
            state = {**_named("mean", zeros), **_named("square", zeros), "count": np.zeros((), np.int32)}
            return Optimizer(_adam(optimizer, factors), state)
        case optimization.RmsProp():
            return Optimizer(_rmsprop(optimizer, factors), {**_named("square", zeros), **_named("velocity", zeros)})
        case _:
            assert_never(optimizer)


def _sgd(optimizer: optimization.Sgd, factors: Sequence[float]) -> Rule:
    momentum = optimizer.momentum

    def rule(weights: Tensors, gradients: Tensors, state: State, rate: Tensor) -> tuple[Tensors, State]:
        old = _listed(state, "velocity", len(weights))
        rates = _rates(rate, factors)
        new = [momentum * one - own * gradient for one, gradient, own in zip(old, gradients, rates, strict=True)]
        ahead = [momentum * one - own * gradient for one, gradient, own in zip(new, gradients, rates, strict=True)]
        steps = ahead if optimizer.nesterov else new
        return [weight + step for weight, step in zip(weights, steps, strict=True)], _named("velocity", new)

    return rule


def _adam(optimizer: optimization.Adam, factors: Sequence[float]) -> Rule:
    beta_1, beta_2 = optimizer.beta_1, optimizer.beta_2

    def rule(weights: Tensors, gradients: Tensors, state: State, rate: Tensor) -> tuple[Tensors, State]:
        count = state["count"] + 1
        exponent = count.astype(jnp.float32)
        alpha = rate * jnp.sqrt(1 - jnp.power(beta_2, exponent)) / (1 - jnp.power(beta_1, exponent))
        old_means, old_squares = _listed(state, "mean", len(weights)), _listed(state, "square", len(weights))
        means = [old + (new - old) * (1 - beta_1) for old, new in zip(old_means, gradients, strict=True)]
        squares = [old + (new * new - old) * (1 - beta_2) for old, new in zip(old_squares, gradients, strict=True)]
        stepped = [
            weight - own * mean / (jnp.sqrt(square) + optimizer.epsilon)
            for weight, mean, square, own in zip(weights, means, squares, _rates(alpha, factors), strict=True)
        ]
        return stepped, {**_named("mean", means), **_named("square", squares), "count": count}

    return rule


def _rmsprop(optimizer: optimization.RmsProp, factors: Sequence[float]) -> Rule:
    decay, momentum = optimizer.decay, optimizer.momentum

    def rule(weights: Tensors, gradients: Tensors, state: State, rate: Tensor) -> tuple[Tensors, State]:
        old_squares, old = _listed(state, "square", len(weights)), _listed(state, "velocity", len(weights))
        squares = [one + (new * new - one) * (1 - decay) for one, new in zip(old_squares, gradients, strict=True)]
        velocities = [
            momentum * velocity + own * gradient / jnp.sqrt(square + optimizer.epsilon)
            for velocity, gradient, square, own in zip(old, gradients, squares, _rates(rate, factors), strict=True)
        ]
        stepped = [weight - velocity for weight, velocity in zip(weights, velocities, strict=True)]
        return stepped, {**_named("square", squares), **_named("velocity", velocities)}

    return rule


def _decaying(inner: Rule, decay: optimization.WeightDecay, chosen: Sequence[bool], factors: Sequence[float]) -> Rule:
    coupled = [(decay.coupled or 0.0) * one for one in chosen]
    decoupled = [(decay.decoupled or 0.0) * one * factor for one, factor in zip(chosen, factors, strict=True)]

    def rule(weights: Tensors, gradients: Tensors, state: State, rate: Tensor) -> tuple[Tensors, State]:
        gradients = decayed(gradients, weights, coupled)
        smaller = [weight - rate * one * weight for weight, one in zip(weights, decoupled, strict=True)]
        return inner(smaller, gradients, state, rate)

    return rule


def decayed(gradients: Tensors, weights: Tensors, factors: Sequence[float]) -> list[Tensor]:
    """Gradients plus `factor * weight`."""
    return [
        gradient + factor * weight if factor else gradient
        for gradient, weight, factor in zip(gradients, weights, factors, strict=True)
    ]


def _clipping(inner: Rule, clip: optimization.Clip) -> Rule:
    def rule(weights: Tensors, gradients: Tensors, state: State, rate: Tensor) -> tuple[Tensors, State]:
        return inner(weights, clipped(gradients, clip), state, rate)

    return rule


def clipped(gradients: Tensors, clip: optimization.Clip) -> list[Tensor]:
    """Gradients of no larger common norm, or of no larger values; what is not a number stays none."""
    if clip.norm is None:
        return [jnp.clip(gradient, -(clip.value or 0), clip.value) for gradient in gradients]
    norm = jnp.sqrt(sum(jnp.sum(jnp.square(gradient)) for gradient in gradients))
    factor = jnp.where(jnp.isfinite(norm), clip.norm / jnp.maximum(norm, clip.norm), jnp.nan)
    return [gradient * factor for gradient in gradients]


def _rates(rate: Tensor, factors: Sequence[float]) -> list[Tensor]:
    return [rate if factor == 1 else rate * factor for factor in factors]


def _named(name: str, tensors: Tensors) -> dict[str, Tensor]:
    return {f"{name}/{index}": tensor for index, tensor in enumerate(tensors)}


def _listed(state: State, name: str, count: int) -> list[Tensor]:
    return [state[f"{name}/{index}"] for index in range(count)]
