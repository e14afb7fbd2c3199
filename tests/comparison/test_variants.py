"""Deliberately wrong variants: each is told apart, and what is named is what was changed and nothing else."""

from __future__ import annotations

import pytest

from archbuilder.comparison.comparison import compare
from archbuilder.comparison.result import render
from archbuilder.outline.shapes import total
from tests.comparison.networks import network
from tests.conftest import Golden

VARIANTS = {
    "shortcut_b": ("he2015/resnet20", ["shortcut=projection"], ["shortcut"]),
    "shortcut_bare": ("he2015/resnet20", ["shortcut=bare_projection"], ["shortcut"]),
    "shortcut_c": ("he2015/resnet20", ["shortcut=projection_always"], ["shortcut"]),
    "shortcut_none": ("he2015/resnet20", ["shortcut=none"], ["shortcut"]),
    "shortcut_of_one_unit": ("he2015/resnet20", ["stages.1.first={shortcut: projection}"], ["shortcut"]),
    "first_stage_projects": ("he2015/resnet20", ["stages.0.first={shortcut: projection_always}"], ["shortcut"]),
    "biases": ("he2015/resnet20", ["defaults.conv.bias=true"], ["conv-bias"]),
    "dense_bias": ("he2015/resnet20", ["head.1.dense.bias=false"], ["dense-bias"]),
    "epsilon": ("he2015/resnet20", ["defaults.norm.epsilon=1.001e-5"], ["norm-epsilon"]),
    "norms_that_only_shift": ("he2015/resnet20", ["defaults.norm.scale=false"], ["norm-scale"]),
    "momentum": ("he2015/resnet20", ["defaults.norm.momentum=0.99"], ["norm-momentum"]),
    "padding": ("he2015/resnet20", ["defaults.conv.padding=same"], ["conv-padding"]),
    "units": ("he2015/resnet20", ["stages.1.units=4"], ["units"]),
    "units_of_all_stages": (
        "he2015/resnet20", ["stages.0.units=9", "stages.1.units=9", "stages.2.units=9"], ["units"],
    ),
    "one_unit_a_stage": ("he2015/resnet20", ["stages.0.units=1", "stages.1.units=1", "stages.2.units=1"], ["units"]),
    "widths": (
        "he2015/resnet20", ["stem.0.conv.filters=32", "stages.0.filters=32", "stages.1.filters=64", "stages.2.filters=128"],
        ["widths", "conv"],
    ),
    "width_of_one_stage": ("he2015/resnet20", ["stages.0.filters=32"], ["widths"]),
    "expansion": ("imagenet", ["stages.2.expansion=2"], ["expansion"]),
    "groups": ("imagenet", ["unit={bottleneck: {groups: 4}}"], ["conv-groups"]),
    "stage_stride": ("he2015/resnet20", ["stages.2.stride=1"], ["stride"]),
    "stride_on_3x3": ("imagenet", ["unit={bottleneck: {stride_on: spatial}}"], ["stride"]),
    "stride_on_3x3_of_one_stage": ("imagenet", ["stages.1.stride_on=spatial"], ["stride"]),
    "stride_in_last_unit": ("he2015/resnet20", ["stages.1.stride=1", "stages.1.last={stride: 2}"], ["stride"]),
    "stem": ("imagenet", ["stem.0.conv.kernel=3", "stem.0.conv.stride=1"], ["conv"]),
    "no_max_pool": ("imagenet", ["stem=[conv: {filters: 16, kernel: 7, stride: 2}, norm, relu]"], ["stem"]),
    "max_pool_padding": ("imagenet", ["stem.3.max_pool.padding=same"], ["max-pool-padding"]),
    "average_pool": ("imagenet", ["stem.3={average_pool: {size: 3, stride: 2, padding: symmetric}}"], ["stem"]),
    "classes": ("he2015/resnet20", ["head.1.dense.units=100"], ["dense-units"]),
    "input": ("he2015/resnet20", ["input=[64, 64, 3]"], ["input"]),
    "image_of_one_place": (
        "he2015/resnet20", ["head=[global_average_pool: {flat: false}, dense: {units: 10}, softmax]"],
        ["global-average-pool-flat"],
    ),
    "no_softmax": ("he2015/resnet20", ["head=[global_average_pool, dense: {units: 10}]"], ["head"]),
    "no_last_norm": ("resnet20_v2", ["head=[global_average_pool, dense: {units: 10}, softmax]"], ["head"]),
    "first_unit_preactivated": ("resnet20_v2", ["stages.0.first.preactivate=true"], ["unit-layers"]),
    "unit_not_preactivated": ("resnet20_v2", ["stages.1.first={preactivate: false}"], ["unit-layers"]),
    "preactivation": ("he2015/resnet20", ["unit=preactivated_basic"], ["activation-order"]),
    "postactivation": ("resnet20_v2", ["unit=bottleneck", "stages.0.first={}"], ["activation-order"]),
    "bottlenecks": ("he2015/resnet20", ["unit=bottleneck"], ["unit-kind"]),
    "projection_of_raw_input": ("preactivated", ["stages.1.first={unit: raw}"], ["shortcut-input"]),
    "stages": ("he2015/resnet20", ["stages=[{units: 3, filters: 16}, {units: 3, filters: 32, stride: 2}]"], ["stages"]),
    "ratio": ("squeezed", ["unit={squeezed: {ratio: 8}}"], ["dense-units", "dense-units"]),
    "no_squeeze": ("squeezed", ["unit=basic"], ["unit-layers"]),
    "growth": ("densely_connected", ["stages.1.growth=16"], ["widths"]),
    "transition": ("densely_connected", ["stages.0.after.3={max_pool: {size: 2, stride: 2}}"], ["stage1"]),
    "outputs": ("he2015/resnet20", ["outputs=[stage2, head]"], ["outputs"]),
    "outputs_without_head": ("he2015/resnet20", ["outputs=[stage2, stage3]"], ["head", "outputs"]),
}  # fmt: skip


@pytest.mark.parametrize("variant", VARIANTS)
def test_variant(variant: str, golden: Golden) -> None:
    base, edits, codes = VARIANTS[variant]
    found = compare(network(base, edits, called=variant), network(base))
    golden(f"verify/{variant}.txt", render(found) + "\n")
    assert [deviation.code for deviation in found.deviations] == codes
    assert not found.same
    assert found.notes == ()


@pytest.mark.parametrize("variant", VARIANTS)
def test_effects_add_up(variant: str) -> None:
    base, edits, _ = VARIANTS[variant]
    for found in (compare(network(base, edits), network(base)), compare(network(base), network(base, edits))):
        effects = [deviation.effect for deviation in found.deviations]
        assert total(effects) == found.mine.costs - found.theirs.costs


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_other_way_round(variant: str) -> None:
    """What the right network lacks of the wrong one is explained, too."""
    base, edits, _ = VARIANTS[variant]
    found = compare(network(base), network(base, edits))
    assert not found.same
    assert found.deviations
    assert "further" not in [deviation.code for deviation in found.deviations]
