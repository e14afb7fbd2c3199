"""Folders of runs as training leaves them, made without it: of classes, of several labels, and of numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import archbuilder
from archbuilder.aliases import Array
from archbuilder.data.load import load_data
from archbuilder.data.normalisation import Normaliser
from archbuilder.spec import Spec, require_training

SPEC = """\
archbuilder: 1
name: small/tiny
summary: A small network.
source: nobody
input: [8, 8, 1]
stem: [{{conv: {{filters: 8, kernel: 3}}}}, norm, relu]
unit: basic
shortcut: projection
stages: [{{units: 3, filters: 8}}]
head: [global_average_pool, {{dense: {{units: {units}}}}}{end}]
training:
  data: {{source: {{npz: {{path: {path}}}}}, validation: {{holdout: 0.1}}}}
  augment: [{{pad_crop: {{pad: 1}}}}]
  loss: {loss}
  batch_size: 8
  stop: {{epochs: 4}}
  optimizer: sgd
  learning_rate: {{one_cycle: {{peak: 0.1}}}}
"""
CLASSES = ("cat", "dog", "emu")


def of_classes(folder: Path, names: Sequence[str] = CLASSES, wrong: int = 4, epochs: int = 4) -> Path:
    """A finished run of classes, `wrong` of whose test images were taken for the next class."""
    labels = np.arange(60, dtype=np.int32) % len(names)
    answers = np.where(np.arange(60) < wrong, (labels + 1) % len(names), labels)
    values = np.full((60, len(names)), 0.1 / len(names), np.float32)
    values[np.arange(60), answers] = 0.9
    spec = _spec(folder, len(names), ", softmax", "{cross_entropy: {}}", labels)
    metric = {"accuracy": 1 - wrong / 60}
    return _written(folder, spec, names, labels, values, metric, epochs)


def of_labels(folder: Path) -> Path:
    labels = (np.arange(60)[:, None] % np.array([2, 3, 4]) == 0).astype(np.float32)
    values = np.abs(labels - 0.1 - 0.8 * (np.arange(180).reshape(60, 3) % 7 == 0)).astype(np.float32)
    spec = _spec(folder, 3, ", sigmoid", "{binary_cross_entropy: {}}", labels)
    return _written(folder, spec, CLASSES, labels, values, {"accuracy": 0.9}, 4)


def of_numbers(folder: Path) -> Path:
    labels = np.linspace(-3, 50, 120, dtype=np.float32).reshape(60, 2)
    values = labels + np.sin(labels)
    spec = _spec(folder, 2, "", "{mean_squared_error: {}}", labels)
    return _written(folder, spec, ("age", "height"), labels, values, {"mae": 0.64}, 4)


def _spec(folder: Path, units: int, end: str, loss: str, labels: Array) -> Spec:
    """The spec of a run, whose data it writes beside its folder."""
    folder.mkdir(parents=True)
    path = folder.parent / f"{folder.name}.npz"
    pixels = np.random.RandomState(0).randint(0, 255, (120, 8, 8, 1), np.uint8)
    np.savez(path, x_train=pixels[:60], y_train=labels, x_test=pixels[60:], y_test=labels)
    return archbuilder.load_text(SPEC.format(units=units, end=end, loss=loss, path=json.dumps(str(path))))


def _written(
    folder: Path,
    spec: Spec,
    names: Sequence[str],
    labels: object,
    values: object,
    metric: dict[str, float],
    epochs: int,
) -> Path:
    training = require_training(spec)
    data = load_data(training.data, (8, 8, 1), None, labels=training.labels)
    [(name, value)] = metric.items()
    lines = [
        {
            "epoch": epoch, "iteration": 7 * epoch, "loss": 2 / epoch, name: value / 2, "validation_loss": 3 / epoch,
            f"validation_{name}": value, "learning_rate": 0.1, "images_per_second": 100.0, "seconds": 1.5,
        }
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip
    best = {"epoch": epochs, "iteration": 7 * epochs, "test_loss": 0.5, f"test_{name}": value}
    facts: dict[str, object] = {
        "name": "shapes", "path": None, "origin": data.origin, "fingerprint": data.fingerprint, "classes": list(names),
        "train": 54, "validation": 6, "test": 60,
    }  # fmt: skip
    if name == "mae":
        facts["scaling"] = {"mean": [1.0] * len(names), "deviation": [1.0] * len(names)}
    environment = {
        "form": 1, "created": "2026-01-02 03:04:05+00:00", "network": spec.name, "spec": spec.dump(), "data": facts,
        "precision": "float32", "seed": 0, "versions": {"archbuilder": "0.1.0"}, "platform": "a machine", "cores": 2,
    }  # fmt: skip
    (folder / "spec.yaml").write_text(spec.dump())
    (folder / "environment.json").write_text(json.dumps(environment))
    (folder / "machine.json").write_text(
        json.dumps({"host": "secret", "command": ["archbuilder", "/home/me/tiny.yaml"]})
    )
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "result.json").write_text(json.dumps({"best": best, "final": best}))
    np.savez(folder / "predictions.npz", labels=np.asarray(labels), best=np.asarray(values), final=np.asarray(values))
    Normaliser(np.zeros((1, 1, 1), np.float32), np.ones((1, 1, 1), np.float32)).save(folder / "normaliser.npz")
    return folder
