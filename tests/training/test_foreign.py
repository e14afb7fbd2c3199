"""Warnings where a recipe does not prepare images as the weights of others expect them."""

from __future__ import annotations

from pathlib import Path

import pytest

from archbuilder.expansion.expansion import expand
from archbuilder.spec import load
from archbuilder.training import foreign
from archbuilder.weights.matching import OWN, Match
from archbuilder.weights.transfer import Transfer


def notes(name: str, edits: list[str], how: str = "by the names of its layers") -> list[str]:
    spec = load(name, edits)
    return list(foreign.notes(spec, Transfer(Path("w.h5"), expand(spec), Match({}, how, ()), flattened={})))


CAFFE = [
    "training.colours=bgr",
    "training.normalise={channels: {mean: [0.4076039215686274, 0.457956862745098, 0.4850196078431373], deviation: "
    "[0.00392156862745098, 0.00392156862745098, 0.00392156862745098]}}",
]


@pytest.mark.parametrize(("name", "edits", "expected"), [
    ("torchvision/resnet18", [], []), ("keras_applications/resnet50", CAFFE, []),
    ("keras_applications/resnet50", [], ["as in caffe: `colours: bgr` and `normalise: {channels: {mean: [0.407604, "]),
    ("keras_applications/resnet50", CAFFE[1:], ["the recipe has rgb and channels"]),
    ("torchvision/resnet18", ["training.normalise=pixel_mean"], ["as in torch: `colours: rgb`"]),
    ("he2015/resnet18", [], ["the spec does not say how the weights of w.h5 expect their images"]),
    ("he2015/resnet18", ["training.normalise={channels: {mean: [0.5, 0.5, 0.5], deviation: [0.5, 0.5, 0.5]}}"], []),
    ("he2015/resnet18", ["training.normalise=none"], []),
    ("he2015/resnet18", ["weights={preprocessing: tf}"], ["as in tf"]),
])  # fmt: skip
def test_it_is_told_where_images_are_prepared_otherwise(name: str, edits: list[str], expected: list[str]) -> None:
    found = notes(name, edits)
    assert len(found) == len(expected)
    assert all(part in note for part, note in zip(expected, found, strict=True))


def test_weights_of_ones_own_are_no_strangers() -> None:
    assert notes("he2015/resnet18", [], OWN) == []
