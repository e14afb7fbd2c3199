"""The library's attention in every unit of ResNet-50, counted by hand."""

from __future__ import annotations

import pytest

import archbuilder

RESNET50 = 25_557_032
CHANNELS = (256,) * 3 + (512,) * 4 + (1024,) * 6 + (2048,) * 3
COUNTS = {
    "squeeze_excitation": lambda channels: 2 * channels * (channels // 16) + channels // 16 + channels,
    "efficient_channel_attention": lambda channels: 3,
    "cbam": lambda channels: 2 * channels * (channels // 16) + channels // 16 + channels + 2 * 7 * 7 + 2,
}  # fmt: skip


@pytest.mark.parametrize("attention", COUNTS)
def test_parameters(attention: str) -> None:
    graph = archbuilder.expand("torchvision/resnet50", [f"unit.bottleneck.attention={attention}"])
    assert graph.trainable == RESNET50 + sum(map(COUNTS[attention], CHANNELS))
