"""What the type checker cannot see of the unions of ops: that no op is missing where one is not matched over."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

import pytest

from archbuilder.comparison.wording.phrases import kind
from archbuilder.graph import ops
from archbuilder.graph.words import op_name
from archbuilder.outline.parts import Branch
from archbuilder.spec.op_layers import OPS, Activation

EVERY: tuple[type[Any], ...] = get_args(ops.Op)


def field_names(op: type[Any]) -> set[str]:
    return {field.name for field in fields(op)}


def test_each_op_but_the_input_and_merges_has_one_layer() -> None:
    made = [layer.op for layer in OPS]
    assert len(made) == len(set(made))
    assert {*made, ops.Input, *get_args(ops.Merge)} == set(EVERY)


@pytest.mark.parametrize("layer", [layer for layer in OPS if layer is not Activation], ids=lambda one: one.__name__)
def test_a_layer_is_called_as_its_op_and_says_all_of_it(layer: Any) -> None:
    op, unsaid = layer.op, {"frozen"} & field_names(layer.op)
    names = field_names(op) - unsaid
    assert names == set(layer.model_fields) - {"kind"}
    assert op_name(op(**dict.fromkeys(names))) == layer.model_fields["kind"].default


@pytest.mark.parametrize("op", EVERY, ids=lambda one: one.__name__)
def test_the_unions_agree_with_what_an_op_says(op: type[Any]) -> None:
    assert op.family in get_args(ops.Family)
    assert (op in get_args(ops.Weighted)) == (op.weights is not ops.Input.weights)
    has_windows = "padding" in field_names(op) and op is not ops.ConvTranspose  # whose padding is cut off its result
    assert (op in get_args(ops.Windowed)) == hasattr(op, "window") == has_windows
    assert (op in get_args(ops.Dropping)) == ("rate" in field_names(op))
    assert (op in get_args(ops.Merge)) == (op.family == "merge") == ("paths" in field_names(op))
    assert ("frozen" in field_names(op)) == (op.frozen_statistics is not ops.Input.frozen_statistics)


def test_merges_have_their_names_in_the_language_and_words() -> None:
    names = get_args(ops.MergeName)
    assert {op_name(one(())) for one in get_args(ops.Merge)} == set(names)
    assert len({kind(Branch(name, ((), ()))) for name in names}) == len(names)
