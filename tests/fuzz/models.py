"""Descriptions of Keras models, which `import` reads: with other values, layers that lead elsewhere, and damaged."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from tests.fuzz.case import Case, Kind
from tests.fuzz.damage import NUMBERS, VALUES, damaged, with_changes
from tests.importing.keras_models import description

MODELS = ("vgg16", "resnet20_v1", "alexnet", "highway19", "mobilenet_v3_small", "fpn_resnet50")
WORDS: tuple[Any, ...] = (
    *NUMBERS, *VALUES, "Functional", "Sequential", "Conv2D", "Add", "Lambda", "Reshape", "same", "relu", "\x1b[31m",
    [1, 1], [2**40, 2], [-1, 3], {"class_name": "Zeros", "config": {}}, [["image", 0, 0]],
)  # fmt: skip


def _model(random: Random) -> Case:
    model = description(random.choice(MODELS))
    for _ in range(random.choice((0, 1, 1, 2, 5))):
        model = with_changes(model, random, WORDS)
    content = json.dumps(model).encode()
    if random.random() < 0.2:
        content = damaged(content, random, (b"[" * 10_000, b"\xff", b"1e999", b"NaN"))
    size = random.choice(((), ("--size", "32"), ("--size", "99999")))
    return Case({"model.json": content}, ("import", "model.json", *size))


KERAS_MODELS = Kind(_model)
