"""Measure: child mode only for now."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path


def status(key: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1]) * 1024
    raise KeyError(key)


def child(name: str, batch: int, iterations: int) -> None:
    import numpy as np

    from archbuilder import spec
    from archbuilder.machine.loading import load_tensorflow

    load_tensorflow()
    from archbuilder.augmentation.augmenter import augmenter
    from archbuilder.data.normalisation import fit
    from archbuilder.expansion.expansion import expand
    from archbuilder.keras_model.build import build_model
    from archbuilder.spec.normalisation import PixelMean
    from archbuilder.training.step_settings import StepSettings, TrainingImages
    from archbuilder.training.tensorflow.forward import Forward
    from archbuilder.training.tensorflow.optimizers import make_optimizer
    from archbuilder.training.tensorflow.step import TrainingStep

    loaded = spec.load(name)
    graph = expand(loaded)
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (batch, *graph.input.shape), np.uint8)
    labels = random.integers(0, graph[graph.outputs[-1]].shape[-1], batch, np.int32)
    model = build_model(graph, 0)
    gc.collect()
    built = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    training = spec.require_training(loaded)
    forward = Forward(graph, model, "float32")
    optimizer = make_optimizer(training, graph, model)
    step = TrainingStep(
        forward,
        optimizer,
        TrainingImages(pixels, labels, augmenter([], fit(PixelMean(), [pixels]), seed=0)),
        StepSettings.of(training),
    )
    out = []
    for it in range(iterations):
        step(np.arange(batch, dtype=np.int32), 0, it, 0.01)
        step.totals()
        out.append(round((status("VmHWM") - built) / 2**20))
    print(
        json.dumps(
            {"name": name, "batch": batch, "built": built >> 20, "hwm": out, "now": (status("VmRSS") - built) >> 20}
        )
    )


if __name__ == "__main__":
    child(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 10)
