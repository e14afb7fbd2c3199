"""Examples of words and keys, made from what the models that check them need."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from archbuilder.aliases import Json
from archbuilder.explaining.keys import all_keys, kinds_of
from archbuilder.spec import library
from archbuilder.spec.base import Kind
from archbuilder.spec.data import Data
from archbuilder.spec.document import dump
from archbuilder.spec.learning_rate import Exponential, WarmUp
from archbuilder.spec.library import Plural
from archbuilder.spec.network import Network, Stage
from archbuilder.spec.optimization import WeightDecay
from archbuilder.spec.training import Training
from archbuilder.spec.values import written

SAMPLES: Mapping[str, object] = {
    "filters": 16, "kernel": 3, "size": 2, "stride": 2, "units": 10, "rate": 0.1, "factor": 2, "amount": 1,
    "method": "max", "channels": 32, "stop": 8, "groups": 4, "growth": 12, "initial": 0.1,
    "drops": {80: 0.01, 120: 0.001}, "peak": 0.2, "points": {0: 0.1, 64000: 0}, "mean": [0.5, 0.5, 0.5],
    "deviation": [0.2, 0.2, 0.2], "name": "imagenet2012", "combine": "multiplied", "training_error": 0.8,
    "archbuilder": 1, "input": [32, 32, 3], "stages": [{"units": 3, "filters": 16}], "unit": "basic",
    "shortcut": "projection", "weight_decay": {"coupled": 0.0001}, "clip": {"norm": 1.0},
    "early_stopping": {"patience": 10}, "moving_average": {"decay": 0.999}, "warmup": {"epochs": 5},
    "coupled": 0.0001, "decoupled": 0.0001, "norm": 1.0, "value": 0.5, "epochs": 100, "iterations": 64000,
    "fraction": 0.1, "path": "my_images", "until": {"training_error": 0.8}, "error": 8.75, "top5_error": 6.71,
    "dataset": "CIFAR-10", "how": "10-crop", "source": "cifar10", "optimizer": "sgd",
    "learning_rate": {"constant": {"rate": 0.1}}, "shorter_side": 256, "outputs": ["stage2", "head"],
    "summary": "What it is.", "published": [{"error": 8.75, "dataset": "CIFAR-10"}], "training": {"batch_size": 256},
    "data": {"source": "cifar10"}, "first": {"shortcut": "projection_always"}, "last": {"unit": "bottleneck"},
    "stem": [{"conv": {"filters": 16, "kernel": 3}}, "norm", "relu"],
    "head": ["global_average_pool", {"dense": {"units": 10}}, "softmax"], "after": [{"dropout": {"rate": 0.1}}],
    "augment": [{"pad_crop": {"pad": 4}}, {"flip": "horizontal"}],
    "every": 2.4, "number": 1, "of": 5, "image": "file", "labels": ["cat", "dog"], "part": "split",
    "preprocessing": "torch", "weights": {"preprocessing": "torch"}, "class_weights": {"cat": 1, "dog": 3},
    "freeze": ["stem", "stage1"], "rate_factors": {"stem": 0.1, "head": 10},
    "testing": [{"resize": {"shorter_side": 256}}, "centre_crop"], "plateau": {"combine": "multiplied"},
}  # fmt: skip
"""A value of a setting that has no default, or whose default says nothing."""
_SAMPLES_AT: Mapping[str, object] = {"training.stop": {"epochs": 100}, "stages.units": 3, "published.deviation": 0.16}
"""Samples for keys that are called as others are."""
_SAMPLES_OF: Mapping[tuple[type[BaseModel], str], object] = {(Exponential, "factor"): 0.97}
"""Samples for settings that are called as those of other models are."""
_MERGED = (Network, Training, Data, Stage)
"""Models of which a spec may say some keys alone, over those of the spec that it extends."""
_LENGTH: Json = {"epochs": 5}
_BESIDE: Mapping[tuple[type[BaseModel], str], Json] = {
    (WarmUp, "initial"): _LENGTH, (WarmUp, "shape"): _LENGTH, (WarmUp, "until"): {"shape": "constant"},
    (WeightDecay, "kinds"): {"coupled": 1e-4},
}  # fmt: skip
"""What must stand beside a key, besides what is required anyway."""
_NEEDED_BY: Mapping[str, Mapping[str, Json]] = {
    "adamw": {"optimizer": {"weight_decay": {"decoupled": 0.05}}},
    "mean_squared_error": {"loss": {"keep": {"best": "validation_mae"}}},
    "huber": {"loss": {"keep": {"best": "validation_mae"}}},
}
"""What must stand beside a key where one thing is chosen there."""
_LISTS = frozenset({"augment", "testing"})
CONV = {"conv": {"filters": 16, "kernel": 3}}


def as_yaml(data: Mapping[str, Any]) -> str:
    """Keys below each other, also where all values are short."""
    lines = [dump({key: value}).strip() for key, value in data.items()]
    return "".join(f"{line[1:-1] if line.startswith('{') else line}\n" for line in lines)


def use_of(plural: Plural, name: str) -> Json:
    """A network's units, stage by stage, with the template among them."""
    if plural == "shortcuts":
        stages = {"stages": [{"units": 2, "filters": 16}]} if name == "identity" else {}  # where no shape changes
        return {"unit": "basic", "shortcut": name, **stages}
    if not (required := required_of(plural, name)):
        return {"unit": "basic", "stages": [{"units": 2, "filters": 16, "after": [name]}]}
    return {"unit": name, "stages": [{"units": 2, **required}]}


def required_of(plural: Plural, name: str) -> dict[str, object]:
    """The parameters of a template that must be given."""
    parameters = library.definition(plural, name).template.parameters
    return {key: SAMPLES[key] for key, one in parameters.items() if one.required}


def settings_of(model: type[BaseModel], besides: str = "") -> dict[str, object]:
    """The settings of a model that must be given, besides one of them."""
    required = [key for key, field in model.model_fields.items() if field.is_required()]
    return {key: _SAMPLES_OF.get((model, key), SAMPLES[key]) for key in required if key not in ("kind", besides)}


def sample_of(model: type[Kind]) -> object:
    """A member of a union as it stands in YAML, with what it needs."""
    name = kinds_of(model)[0]
    needed = settings_of(model)
    if name in ("random_crop", "centre_crop", "ten_crop"):
        return [{"resize": {"shorter_side": 256}}, name]
    return {name: needed} if needed else name


def example_of(path: tuple[str, ...], kinds: list[type[Kind]]) -> dict[str, Any]:
    """A key below the keys that it stands under, with its default, or with a value where that says nothing."""
    owner, field = all_keys()[path].owner, all_keys()[path].field
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    sample = _SAMPLES_AT.get(".".join(path), _SAMPLES_OF.get((owner, path[-1])))
    if sample is not None:
        return whole(path, sample)
    if default not in (None, (), "", {}):
        return whole(path, as_data(default))
    return whole(path, sample_of(kinds[0]) if kinds and path[-1] not in SAMPLES else SAMPLES[path[-1]])


def whole(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """A value below its keys, with all that must stand beside it."""
    chosen = [beside for choice, beside in _NEEDED_BY.items() if choice in path or choice == value]
    for end in range(len(path), 0, -1):
        key, known = path[end - 1], all_keys().get(path[:end])
        beside: dict[str, Any] = {}
        if known and not issubclass(known.owner, _MERGED):
            beside = settings_of(known.owner, key) | _BESIDE.get((known.owner, key), {})
        for needed in chosen:
            beside |= needed.get(key, {})
        value = {**beside, key: _nested((key,), value)[key]}
    assert isinstance(value, dict)
    return value


def _nested(path: tuple[str, ...], value: object) -> dict[str, Any]:
    for key in reversed(path):
        if key in _LISTS and not isinstance(value, list):
            value = _framed(value)
        value = [value] if key == "published" and isinstance(value, dict) else value
        value = [{"units": 3, "filters": 16, **value}] if key == "stages" and isinstance(value, dict) else value
        value = {key: value}
    assert isinstance(value, dict)
    return value


def _framed(step: object) -> list[object]:
    """A step of a list; a resized image is cropped."""
    is_resized = isinstance(step, dict) and "shorter_side" in (step.get("resize") or {})
    return [step, "centre_crop"] if is_resized else [step]


def as_data(value: object) -> object:
    """A default as YAML has it."""
    if isinstance(value, BaseModel):
        return as_data(value.model_dump(exclude_none=True))
    if isinstance(value, dict):
        return {key: as_data(one) for key, one in value.items()}
    return [as_data(one) for one in value] if isinstance(value, list | tuple) else written(value)
