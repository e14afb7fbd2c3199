"""The JSON schema that editors use agrees with what the language accepts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import archbuilder
from archbuilder.spec.document import parse
from archbuilder.spec.loading import locate
from archbuilder.spec.schema import json_schema
from tests.conftest import GOLDEN
from tests.zoo import spec_of

PARTS = Path(__file__).parent.parent / "expansion" / "specs"
VALIDATOR = Draft202012Validator(json_schema())


@pytest.mark.parametrize("name", archbuilder.bundled())
def test_bundled_specs_are_valid_as_written_and_resolved(name: str) -> None:
    for data in (parse(locate(name).read_text(encoding="utf-8"), name).data, spec_of(name).resolved):
        assert [error.message for error in VALIDATOR.iter_errors(json.loads(json.dumps(data)))] == []


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
