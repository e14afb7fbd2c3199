"""Optimizers: one fused TensorFlow op for each variable, with the papers' rules of weight decay around it.

Velocity holds the rate inside (`v = momentum * v - rate * g; w += v`), as Caffe, the papers and Keras have it; PyTorch
keeps the rate outside, which differs from the first drop of the rate on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Protocol, assert_never

import keras
import tensorflow as tf

from archbuilder.aliases import Tensor, Variable
from archbuilder.graph.network import Graph
from archbuilder.spec import optimization
from archbuilder.spec.training import Training
from archbuilder.training.tensorflow.distribution import add
from archbuilder.training.variables import kinds, rate_factors


class Optimizer(Protocol):
    """What the training step asks of an optimizer."""

    def variables(self) -> Mapping[str, Variable]:
        """Its own state by name, for a checkpoint."""

    def apply(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        """Updates the variables that it was made for, in their order; called inside a compiled function."""


def make_optimizer(training: Training, graph: Graph, model: keras.Model) -> Optimizer:
    """The optimizer of a spec, for the trainable variables of a model in their order."""
    variables = [variable.value for variable in model.trainable_variables]
    factors = rate_factors(training, graph, model)
    made = _plain(training.optimizer, variables, factors)
    if training.weight_decay is not None:
        made = _with_decay(made, training.weight_decay, dict(kinds(graph, model)), model, factors)
    return Clipped(made, training.clip) if training.clip else made


def _plain(optimizer: optimization.Optimizer, variables: Sequence[Variable], factors: Sequence[float]) -> Optimizer:
    match optimizer:
        case optimization.Sgd():
            return Sgd(variables, optimizer.momentum, optimizer.nesterov, factors)
        case optimization.Adam():
            return Adam(variables, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon, factors)
        case optimization.RmsProp():
            return RmsProp(variables, optimizer.decay, optimizer.momentum, optimizer.epsilon, factors)
        case _:
            assert_never(optimizer)


def _with_decay(
    inner: Optimizer,
    decay: optimization.WeightDecay,
    kinds: Mapping[str, str],
    model: keras.Model,
    factors: Sequence[float],
) -> Optimizer:
    chosen = [kinds.get(variable.path) in decay.kinds for variable in model.trainable_variables]
    variables = [variable.value for variable in model.trainable_variables]
    if decay.coupled is not None:
        return CoupledDecay(inner, variables, [decay.coupled * one for one in chosen])
    decays = [(decay.decoupled or 0.0) * one * factor for one, factor in zip(chosen, factors, strict=True)]
    return DecoupledDecay(inner, variables, decays)


def _rates(rate: Tensor, factors: Sequence[float]) -> list[Tensor]:
    """The rate of each variable; few ops, since the same factors stand for many."""
    made = {factor: rate if factor == 1 else rate * factor for factor in dict.fromkeys(factors)}
    return [made[factor] for factor in factors]


class Sgd:
    """Stochastic gradient descent with momentum, plain or Nesterov's."""

    def __init__(
        self, variables: Sequence[Variable], momentum: float, nesterov: bool, factors: Sequence[float] = ()
    ) -> None:
        self.targets, self.momentum, self.nesterov = variables, momentum, nesterov
        self.factors = factors or [1.0] * len(variables)
        self.velocities = [_zeros(variable) for variable in variables]

    def variables(self) -> Mapping[str, Variable]:
        return {f"velocity/{index}": slot for index, slot in enumerate(self.velocities)}

    def apply(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        momentum = tf.constant(self.momentum)  # one op for all; as a number it would be one for each variable
        rates = _rates(rate, self.factors)
        for target, velocity, gradient, own in zip(self.targets, self.velocities, gradients, rates, strict=True):
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=target.handle, accum=velocity.handle, lr=own, grad=gradient, momentum=momentum,
                use_nesterov=self.nesterov,
            )  # fmt: skip


class Adam:
    """Adam (arXiv:1412.6980), with epsilon beside the uncorrected root, as at the end of its section 2 and in Keras."""

    def __init__(
        self,
        variables: Sequence[Variable],
        beta_1: float,
        beta_2: float,
        epsilon: float,
        factors: Sequence[float] = (),
    ) -> None:
        self.targets, self.beta_1, self.beta_2, self.epsilon = variables, beta_1, beta_2, epsilon
        self.factors = factors or [1.0] * len(variables)
        self.means = [_zeros(variable) for variable in variables]
        self.squares = [_zeros(variable) for variable in variables]
        self.count = tf.Variable(0, dtype=tf.int64, trainable=False)

    def variables(self) -> Mapping[str, Variable]:
        means = {f"mean/{index}": slot for index, slot in enumerate(self.means)}
        squares = {f"square/{index}": slot for index, slot in enumerate(self.squares)}
        return {**means, **squares, "count": self.count}

    def apply(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        add(self.count, 1)
        exponent = tf.cast(self.count, tf.float32)
        betas, epsilon = (tf.constant(self.beta_1), tf.constant(self.beta_2)), tf.constant(self.epsilon)
        powers = [tf.pow(beta, exponent) for beta in betas]
        rates = _rates(rate, self.factors)
        for target, mean, square, gradient, own in zip(
            self.targets, self.means, self.squares, gradients, rates, strict=True
        ):
            tf.raw_ops.ResourceApplyAdam(
                var=target.handle, m=mean.handle, v=square.handle, beta1_power=powers[0], beta2_power=powers[1],
                lr=own, beta1=betas[0], beta2=betas[1], epsilon=epsilon, grad=gradient,
            )  # fmt: skip


class RmsProp:
    """RMSProp with momentum: `s = decay * s + (1 - decay) * g^2; v = momentum * v + rate * g / root(s + epsilon)`."""

    def __init__(
        self,
        variables: Sequence[Variable],
        decay: float,
        momentum: float,
        epsilon: float,
        factors: Sequence[float] = (),
    ) -> None:
        self.targets, self.decay, self.momentum, self.epsilon = variables, decay, momentum, epsilon
        self.factors = factors or [1.0] * len(variables)
        self.squares = [_zeros(variable) for variable in variables]
        self.velocities = [_zeros(variable) for variable in variables]

    def variables(self) -> Mapping[str, Variable]:
        squares = {f"square/{index}": slot for index, slot in enumerate(self.squares)}
        return {**squares, **{f"velocity/{index}": slot for index, slot in enumerate(self.velocities)}}

    def apply(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        decay, momentum, epsilon = tf.constant(self.decay), tf.constant(self.momentum), tf.constant(self.epsilon)
        rates = _rates(rate, self.factors)
        for target, square, velocity, gradient, own in zip(
            self.targets, self.squares, self.velocities, gradients, rates, strict=True
        ):
            tf.raw_ops.ResourceApplyRMSProp(
                var=target.handle, ms=square.handle, mom=velocity.handle, lr=own, rho=decay, momentum=momentum,
                epsilon=epsilon, grad=gradient,
            )  # fmt: skip


class Clipped:
    """Makes gradients small before anything else is done with them."""

    def __init__(self, inner: Optimizer, clip: optimization.Clip) -> None:
        self.inner, self.clip = inner, clip

    def variables(self) -> Mapping[str, Variable]:
        return self.inner.variables()

    def apply(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        self.inner.apply(clipped(gradients, self.clip), rate)


class CoupledDecay:
    """Adds `factor * w` to the gradients of some variables, as the papers and PyTorch's SGD do."""

    def __init__(self, inner: Optimizer, variables: Sequence[Variable], decays: Sequence[float]) -> None:
        self.inner, self.targets, self.decays = inner, variables, decays

    def variables(self) -> Mapping[str, Variable]:
        return self.inner.variables()

    def apply(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        self.inner.apply(decayed(gradients, self.targets, self.decays), rate)


class DecoupledDecay(CoupledDecay):
    """Takes `rate * factor * w` off some variables before each update (arXiv:1711.05101), the momentum not knowing."""

    def apply(self, gradients: Sequence[Tensor], rate: Tensor) -> None:
        for target, decay in zip(self.targets, self.decays, strict=True):
            if decay:
                add(target, -rate * decay * target)
        self.inner.apply(gradients, rate)


def decayed(gradients: Sequence[Tensor], variables: Sequence[Variable], factors: Sequence[float]) -> list[Tensor]:
    """Gradients plus `factor * variable`, by few ops for all variables that are alike: a deep network has thousands."""
    results, kinds = list(gradients), defaultdict(list)
    for index, (variable, factor) in enumerate(zip(variables, factors, strict=True)):
        if factor:
            kinds[variable.shape, factor].append(index)
    for (_, factor), indices in kinds.items():
        total = tf.stack([gradients[index] for index in indices])
        total += factor * tf.stack([variables[index] for index in indices])
        for index, gradient in zip(indices, tf.unstack(total), strict=True):
            results[index] = gradient
    return results


def clipped(gradients: Sequence[Tensor], clip: optimization.Clip) -> list[Tensor]:
    """Gradients of no larger common norm, or of no larger values; what is not a number stays none."""
    if clip.value is not None:
        low, high = -clip.value, clip.value
        return [tf.clip_by_value(gradient, low, high) for gradient in gradients]
    small, _ = tf.clip_by_global_norm(gradients, clip.norm)
    return list(small)


def _zeros(variable: Variable) -> Variable:
    return tf.Variable(tf.zeros_like(variable), trainable=False)
