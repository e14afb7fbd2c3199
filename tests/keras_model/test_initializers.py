"""How kernels are drawn: the deviations that the sources name, and what a spec may say."""

from __future__ import annotations

from math import sqrt
from typing import get_args

import pytest

import archbuilder
from archbuilder.errors import SpecError
from archbuilder.graph import ops

SPEC = """
archbuilder: 1
name: drawn
input: [8, 8, 32]
stem:
  - conv: {{filters: 64, kernel: 5, groups: 2, initializer: {initializer}}}
  - global_average_pool
  - dense: {{units: 400, initializer: {initializer}}}
"""
FANS = {"conv1": (5 * 5 * 16, 5 * 5 * 64), "dense1": (64, 400)}
"""Fan-in and fan-out, as PyTorch counts them for a kernel of (out, in / groups, height, width)."""


@pytest.mark.keras
@pytest.mark.parametrize("initializer", [*get_args(ops.NamedInitializer), "{normal: 0.01}"])
def test_deviation_of_what_keras_draws(initializer: str) -> None:
    model = archbuilder.build(archbuilder.load_text(SPEC.format(initializer=initializer)), seed=1)
    for name, (fan_in, fan_out) in FANS.items():
        expected = {
            "he": sqrt(2 / fan_in), "glorot": sqrt(2 / (fan_in + fan_out)), "lecun": sqrt(1 / fan_in),
            "he_normal_fan_out": sqrt(2 / fan_out), "torch_uniform": 1 / sqrt(3 * fan_in), "zeros": 0.0,
            "{normal: 0.01}": 0.01,
        }  # fmt: skip
        kernel = model.get_layer(f"stem.{name}").kernel.numpy()
        deviation = expected.get(initializer, expected.get(initializer.partition("_")[0]))
        assert kernel.std() == pytest.approx(deviation, rel=0.02)
        if initializer == "torch_uniform":
            assert abs(kernel).max() == pytest.approx(1 / sqrt(fan_in), rel=0.01)


@pytest.mark.parametrize(
    ("name", "conv", "dense"),
    [
        ("torchvision/resnext50_32x4d", "he_normal_fan_out", "torch_uniform"),
        ("he2016/resnet164_original", "he_normal_fan_out", "torch_uniform"),
        ("related/alexnet", ops.Normal(0.01), ops.Normal(0.01)),
        ("related/alexnet_torchvision", "torch_uniform", "torch_uniform"),
        ("he2015/resnet50", "he_normal", "he_normal"),
    ],
)
def test_published_initializers(name: str, conv: ops.Initializer, dense: ops.Initializer) -> None:
    found = {type(node.op): node.op for node in archbuilder.expand(name).nodes}
    convolution, last = found[ops.Conv], found[ops.Dense]
    assert isinstance(convolution, ops.Conv)
    assert isinstance(last, ops.Dense)
    assert (convolution.initializer, last.initializer) == (conv, dense)


def test_a_normal_is_written_as_it_was_read() -> None:
    assert "initializer: {normal: 0.01}" in archbuilder.load("related/alexnet").dump()


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        ("he_norml", "did you mean 'he_normal'"),
        ("{normal: -1}", "a number of at least 0"),
        ("{uniform: 1}", "{normal: DEV"),
    ],
)
def test_what_is_no_initializer(initializer: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        archbuilder.expand(archbuilder.load_text(SPEC.format(initializer=initializer)))
