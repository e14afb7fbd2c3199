"""A key that is missing is named by its whole path, with an example that is right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from archbuilder.errors import SpecError
from archbuilder.spec import load
from archbuilder.spec.edits import Edits
from archbuilder.spec.op_layers import OPS

EDITS = {
    "training.learning_rate={constant: {}}": ["training.learning_rate.constant.rate"],
    "training.learning_rate.constant=": ["training.learning_rate.constant.rate"],
    "training.learning_rate={steps: {}}": ["training.learning_rate.steps.initial", "training.learning_rate.steps.drops"],
    "training.learning_rate.piecewise={}": ["training.learning_rate.piecewise.points"],
    "training.learning_rate={constant: {rate: 0.1, warmup: {shape: constant, until: {}}}}": [
        "training.learning_rate.constant.warmup.until.training_error",
    ],
    "training.data={}": ["training.data.source"],
    "training.data.source={tfds: {}}": ["training.data.source.tfds.name"],
    "training.normalise={channels: {}}": ["training.normalise.channels.mean", "training.normalise.channels.deviation"],
    "training.augment=[cutout: {}]": ["training.augment.0.cutout.size"],
    "training={}": [f"training.{key}" for key in ("data", "stop", "optimizer", "learning_rate")],
    "stages.1={filters: 16}": ["stages.1.units"],
    "stages.1={units: 3}": ["stages.1.filters"],
    "stages.0={units: 3, filters: 16, after: [conv: {filters: 8}]}": ["stages.0.after.0.conv.kernel"],
    "head.1={if: true}": ["head.1.then"],
    "head.1={basic: {}}": ["head.1.basic.filters"],
    "templates.units.mine={}": ["templates.units.mine.layers"],
    "published=[{}]": ["published.0.error", "published.0.dataset"],
    "shortcut=[max_pool: {size: 1}]": ["shortcut.0.max_pool.stride"],
}  # fmt: skip
BARE = {
    "training.learning_rate=linear": ["training.learning_rate.linear.initial"],
    "training.augment=[cutout]": ["training.augment.0.cutout.size"],
    "head.1=basic": ["head.1.basic.filters"],
    "head.1=dense": ["head.1.dense.units"],
    "head.1={add: {a: [subsample], b: []}}": ["head.1.add.a.0.subsample.stride"],
}
REQUIRED = {name: [key for key, field in op.model_fields.items() if field.is_required() and key != "kind"]
          for op in OPS for name in op.model_fields["kind"].annotation.__args__}  # type: ignore[union-attr]  # fmt: skip
OF_OPS = {
    f"head.0={{{name}: {{}}}}": [f"head.0.{name}.{key}" for key in keys] for name, keys in REQUIRED.items() if keys
}


def _mistakes(spec: str | Path, edits: Edits = ()) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load(spec, edits)
    return caught.value


@pytest.mark.parametrize(("edit", "missing"), (EDITS | OF_OPS | BARE).items())
def test_the_whole_path_is_named_at_the_edit(edit: str, missing: list[str]) -> None:
    error = _mistakes("resnet20_v1", edit)
    assert sorted(re.findall(r"'([\w.]+)' is missing", str(error))) == sorted(missing)
    assert {one.span.text for one in error.diagnostics if one.span} == {edit}


@pytest.mark.parametrize("edit", EDITS | OF_OPS)
def test_its_examples_are_right(edit: str) -> None:
    edits = [edit]
    for one in _mistakes("resnet20_v1", edit).diagnostics:
        [path] = re.findall(r"'([\w.]+)' is missing", one.message)
        form = re.fullmatch(r"such as (\w+): (.+)", one.hint or "")
        assert form
        assert path.rpartition(".")[2] == form[1]
        edits.append(f"{path}={form[2]}")
    load("resnet20_v1", edits)


def test_an_override_names_it_at_its_own_place(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "extends: resnet20_v1\nname: mine\ntraining:\n  learning_rate:\n    constant: {}\n", encoding="utf-8"
    )
    [one] = _mistakes(path).diagnostics
    assert one.message == "'training.learning_rate.constant.rate' is missing"
    assert one.span
    assert (one.span.file, one.span.line, one.span.text) == (str(path), 5, "    constant: {}")
