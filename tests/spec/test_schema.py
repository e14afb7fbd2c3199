"""The JSON schema that editors use agrees with what the language accepts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import archbuilder
from archbuilder.errors import SpecError
from archbuilder.spec.document import dump, parse
from archbuilder.spec.loading import locate
from archbuilder.spec.schema import json_schema
from tests.conftest import GOLDEN
from tests.zoo import spec_of

PARTS = Path(__file__).parent.parent / "expansion" / "specs"
READER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
"""YAML as most editors read it, which is YAML 1.1."""
VALIDATOR = Draft202012Validator(json_schema())


@pytest.mark.parametrize("name", archbuilder.bundled())
def test_bundled_specs_are_valid_as_written_and_resolved(name: str) -> None:
    text = locate(name).read_text(encoding="utf-8")
    for data in {*map(json.dumps, (parse(text, name).data, yaml.load(text, READER), spec_of(name).resolved))}:
        assert [error.message for error in VALIDATOR.iter_errors(json.loads(data))] == []


def test_short_forms_are_valid() -> None:
    layers = [
        {"pad": 1},
        {"pad": [1, 2]},
        {"pad": "$channels"},
        {"channel_pool": "max"},
        {"channel_pool": {"method": "max"}},
    ]
    data = {"archbuilder": 1, "name": "short", "input": [8, 8, 3], "stem": layers}
    assert [error.message for error in VALIDATOR.iter_errors(data)] == []
    mistakes: list[object] = [{"pad": "one"}, {"pad": {}}, "channel_pool", {"channel_pool": "mean"}]
    for wrong in mistakes:
        assert not VALIDATOR.is_valid(data | {"stem": [wrong]})


@pytest.mark.parametrize("path", sorted(PARTS.glob("*.yaml")), ids=lambda path: path.stem)
def test_parts_of_the_language_are_valid_as_written_and_resolved(path: Path) -> None:
    for data in (parse(path.read_text(encoding="utf-8"), path.name).data, archbuilder.load(path).resolved):
        assert [error.message for error in VALIDATOR.iter_errors(json.loads(json.dumps(data)))] == []


@pytest.mark.parametrize(
    "name",
    [
        "unknown_keys",
        "missing_keys",
        "wrong_types",
        "training",
        "version",
        "points_twice",
        "norm_kinds",
        "constants",
        "pad_modes",
    ],
)
def test_mistakes_are_invalid(name: str) -> None:
    data = parse((GOLDEN / "errors" / f"{name}.yaml").read_text(encoding="utf-8"), name).data
    assert not VALIDATOR.is_valid(json.loads(json.dumps(data)))


MISSPELT = """\
archbuilder: 1
name: names
summary: Every kind of name that a spec has.
source: here
published: [{error: 8.75, deviation: 0.1, dataset: CIFAR-10, how: once, source: there}]
input: [32, 32, 3]
defaults:
  conv: {padding: same, bias: true, initializer: he_normal, l2: 0.1}
  norm: {over: batch, momentum: 0.9, epsilon: 0.001}
  dense: {initializer: he_normal}
stem:
  - conv: {filters: 16, kernel: 3, stride: 1, dilation: 1, groups: 1}
  - norm
  - {max_pool: {size: 3, stride: 2, padding: same}}
  - {squeeze_excitation: {ratio: 4, activation: relu}}
  - {if: "${channels == 3}", then: [relu], else: [tanh]}
  - add: {one: [relu], other: projection}
  - {upsample: {factor: 2, method: bilinear}}
unit: {bottleneck: {expansion: 2, stride_on: spatial}}
shortcut: {projection: {norm: norm}}
stages:
  - {units: 3, filters: 16, stride: 2, attention: [squeeze_excitation], after: [relu]}
  - {units: 2, unit: basic, filters: 32, shortcut: identity, first: {shortcut: zero_pad}, last: {activation: tanh}}
head: [global_average_pool, {dense: {units: 10}}, softmax]
training:
  data: {source: {npz: {path: here}}, validation: {holdout: 100}}
  normalise: channel_mean
  augment: [{pad_crop: {pad: 4}}, {flip: horizontal}, {cutout: {size: 8}}]
  batch_size: 128
  stop: {epochs: 10}
  loss: {cross_entropy: {label_smoothing: 0.1}}
  optimizer: {sgd: {momentum: 0.9, nesterov: true}}
  weight_decay: {coupled: 0.1, kinds: [conv, dense]}
  moving_average: {decay: 0.9}
  learning_rate: {steps: {initial: 0.1, unit: epochs, drops: {5: 0.01}, warmup: {epochs: 1, initial: 0.1}}}
  keep: {best: validation_accuracy, last: 2}
  precision: float32
"""
RIGHT = yaml.safe_load(MISSPELT)


def names_in(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], bool]]:
    """The path of each name, and whether it is a key there and not a value."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        if isinstance(key, str):
            yield (*path, key), True
        if isinstance(value, str) and value.isidentifier():
            yield (*path, key), False
        yield from names_in(value, (*path, key))


def misspelt(path: tuple[Any, ...], is_key: bool) -> Any:
    """The spec with a letter left out of one name."""
    data = deepcopy(RIGHT)
    parent = data
    for part in path[:-1]:
        parent = parent[part]
    if is_key:
        wrong = path[-1][:1] + path[-1][2:]
        renamed = [(wrong if key == path[-1] else key, value) for key, value in parent.items()]
        parent.clear()
        parent.update(renamed)
    else:
        parent[path[-1]] = parent[path[-1]][:1] + parent[path[-1]][2:]
    return data


def is_refused(data: Any) -> bool:
    try:
        archbuilder.load_text(dump(data))
    except SpecError:
        return True
    return False


NAMES = list(names_in(RIGHT))


def test_the_spec_of_all_names_is_valid() -> None:
    assert not is_refused(RIGHT)
    assert [error.message for error in VALIDATOR.iter_errors(json.loads(json.dumps(RIGHT)))] == []
    assert len(NAMES) > 100


@pytest.mark.parametrize(("path", "is_key"), NAMES, ids=str)
def test_schema_refuses_the_misspelt_names_that_validate_refuses(path: tuple[Any, ...], is_key: bool) -> None:
    data = misspelt(path, is_key)
    assert VALIDATOR.is_valid(json.loads(json.dumps(data))) is not is_refused(data)


def test_own_templates_and_files_that_are_extended_leave_names_open() -> None:
    data = deepcopy(RIGHT)
    own: Any = {"units": {"mine": {"parameters": {"filters": "required", "spread": 1}, "layers": ["relu"]}}}
    data["stages"].append({"units": 1, "unit": "mine", "filters": 3, "spread": 2})
    assert not VALIDATOR.is_valid(json.loads(json.dumps(data)))
    assert VALIDATOR.is_valid(json.loads(json.dumps(data | {"templates": own})))
    extending = {"archbuilder": 1, "extends": "mine.yaml", "name": "x", "unit": "theirs"}
    assert VALIDATOR.is_valid(extending)
    assert not VALIDATOR.is_valid(extending | {"extends": "resnet20_v1"})
    assert not VALIDATOR.is_valid(extending | {"extends": "resnet20_v11"})


MISSING = [
    {"stages": [{"units": 3, "filters": 16}]},
    {"stages": [{"units": 3, "unit": "basic"}]},
    {"unit": "bottleneck", "stages": [{"units": 3}]},
    {"unit": {"bottleneck": {"expansion": 2}}, "stages": [{"units": 3}]},
    {"unit": "basic", "stages": [{"filters": 3}]},
    {"templates": {"units": {"mine": {"parameters": {}}}}},
]


@pytest.mark.parametrize("part", MISSING, ids=str)
def test_schema_requires_what_validate_requires(part: dict[str, Any]) -> None:
    data = {"archbuilder": 1, "name": "x", "input": [8, 8, 3], **part}
    assert is_refused(data)
    assert not VALIDATOR.is_valid(data)


def test_what_units_are_given_elsewhere_is_not_required() -> None:
    data: Any = {"archbuilder": 1, "name": "x", "input": [8, 8, 3], "unit": {"basic": {"filters": 8}},
                 "stages": [{"units": 3}, {"units": 1, "unit": "bottleneck", "first": {"filters": 3}}]}  # fmt: skip
    assert not is_refused(data)
    assert VALIDATOR.is_valid(data)


def properties(schema: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(schema, dict):
        if isinstance(found := schema.get("properties"), dict) and schema.get("additionalProperties") is False:
            yield from found.items()
        for value in schema.values():
            yield from properties(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from properties(value)


def test_all_properties_are_described() -> None:
    found = [(name, one) for name, one in properties(json_schema()) if isinstance(one, dict)]
    assert len(found) > 300
    kinds = {name for name, one in found if "description" not in one and "$ref" not in one}
    assert kinds == set()
