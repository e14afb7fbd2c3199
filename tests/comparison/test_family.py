"""Networks that differ in one of the newer layers or settings: it is named once, at its place, in the words of papers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archbuilder.comparison.comparison import compare
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.outline.shapes import total
from archbuilder.spec import load_text

UNITS = """
archbuilder: 1
name: theirs
input: [8, 8, 8]
stem: [{conv: {filters: 16, kernel: 3}}]
unit: basic
stages: [{units: 2, filters: 16}, {units: 2, filters: 16, {}}]
head: [global_average_pool, {dense: {units: 10}}, softmax]
"""
HEAD = """
archbuilder: 1
name: theirs
input: [8, 8, 8]
stem: [{conv: {filters: 16, kernel: 3}}]
head: [{}, global_average_pool, {dense: {units: 10}}, softmax]
"""
BRANCHES = "{concat: {kept: [slice_channels: {stop: 8}], new: [slice_channels: {@}, conv: {filters: 8, kernel: 3}]}}"
DIFFERENT = [
    (UNITS, "attention: {squeeze_excitation: {ratio: 4}}", "attention: efficient_channel_attention",
     "the units of stage 2 have squeeze-and-excitation gate behind the last convolution, those of theirs efficient channel attention"),
    (UNITS, "activation: {prelu: {shared: true}}", "activation: prelu",
     "prelus have one slope for all channels, those of theirs one for each channel"),
    (UNITS, "activation: prelu", "activation: relu", "the units of stage 2 have prelu wherever those of theirs have relu"),
    (UNITS, "activation: hard_sigmoid", "activation: relu",
     "the activations of the units of stage 2 are hard sigmoid, those of theirs relu"),
    (UNITS, "before_sum: {scale: {learned: channel, factor: 0.1}}", "before_sum: {scale: {learned: scalar, factor: 0.1}}",
     "scales are learned, one number for each channel, those of theirs learned, one number for all channels"),
    (UNITS, "before_sum: {scale: {learned: scalar, factor: 0.1}}", "before_sum: []",
     "the units of stage 2 have learned scale behind the last convolution, those of theirs do not"),
    (UNITS, "before_sum: {stochastic_depth: {rate: '${0.1 * index / count}'}}",
     "before_sum: {stochastic_depth: {rate: '${0.1 * unit / units}'}}",
     "the stochastic depth of the first unit of stage 2 has rate 0.075, that of theirs 0.05"),
    (UNITS, "attention: {shuffle_channels: {groups: 2}}", "attention: {shuffle_channels: {groups: 4}}",
     "channel shuffles have 2 groups, those of theirs 4"),
    (HEAD, BRANCHES.replace("@", "start: 8, stop: 16"), BRANCHES.replace("@", "stop: 8"),
     "the last channel slice of the head takes channels 8 to 15, that of theirs channels 0 to 7"),
    (HEAD, "{upsample: {factor: 3}}", "{upsample: {factor: 2}}", "the upsample has factor 3x3, that of theirs 2x2"),
    (HEAD, "{multiply: {f: [], g: [channel_pool: max]}}", "{multiply: {f: [], g: [channel_pool: average]}}",
     "the channel pool has method max, that of theirs average"),
    (HEAD, "{multiply: {f: [], g: [global_max_pool, {channel_conv: {kernel: 3}}]}}",
     "{multiply: {f: [], g: [global_max_pool, {channel_conv: {kernel: 5}}]}}",
     "the channel convolution has kernel 3, that of theirs 5"),
    (HEAD, "{multiply: {f: [relu], g: [global_average_pool, {dense: {units: 16}}, sigmoid]}}",
     "{multiply: {f: [], g: [global_average_pool, {dense: {units: 16}}, sigmoid]}}",
     "the head has product of (relu) and (global average pool, dense, sigmoid) before the global average pool, that of theirs "
     "product of the identity and (global average pool, dense, sigmoid)"),
]  # fmt: skip
EQUAL = [
    ("{slice_channels: {start: 4, stop: 16}}, {slice_channels: {start: 2, stop: 10}}", "{slice_channels: {start: 6, stop: 14}}"),
    ("{multiply: {a: [], b: [max_pool: {size: 8, stride: 1}, flatten]}}", "{multiply: {a: [], b: [global_max_pool]}}"),
    ("{conv: {filters: 8, kernel: [1, 3], dilation: 2}}", "{conv: {filters: 8, kernel: [1, 3], dilation: [1, 2]}}"),
    ("{conv_transpose: {filters: 8, kernel: 4, stride: 2, padding: symmetric}}", "{conv_transpose: {filters: 8, kernel: 4, stride: 2}}"),
    ("{multiply: {a: [relu], b: [tanh], places: [channel_pool: max]}}", "{multiply: {b: [tanh], places: [channel_pool: max], a: [relu]}}"),
]  # fmt: skip


def network(template: str, part: str, name: str) -> Graph:
    return replace(expand(load_text(template.replace("{}", part))), name=name)


@pytest.mark.parametrize(("template", "mine", "theirs", "message"), DIFFERENT, ids=[one[3] for one in DIFFERENT])
def test_it_is_named_once(template: str, mine: str, theirs: str, message: str) -> None:
    here, there = network(template, mine, "mine"), network(template, theirs, "theirs")
    found = compare(here, there)
    assert [one.message for one in found.deviations] == [message]
    assert total(one.effect for one in found.deviations) == here.costs - there.costs


@pytest.mark.parametrize(("mine", "theirs"), EQUAL)
def test_one_network_in_two_spellings(mine: str, theirs: str) -> None:
    """Those of the second give the same where nothing else differs, and where something does."""
    there = network(HEAD, theirs, "theirs")
    assert compare(network(HEAD, mine, "mine"), there).same
    other = network(HEAD.replace("units: 10", "units: 5"), mine, "mine")
    assert [one.code for one in compare(other, there).deviations] == ["dense-units"]
