"""The memory that a training takes, measured, beside what `build --memory` says of it.

    python benchmarks/training_memory.py [--rounds 3] [--only resnet20_v1:128] [--file docs/training_memory.jsonl]
    python benchmarks/training_memory.py --no-measuring

Measures each network at each batch size in a process of its own: the peak of its resident memory during the first ten
iterations, less its resident memory once the Keras model is built. Each measurement is added to the file as a line, and
the table is that of the file: medians beside estimates, without the weights, which the built model holds already.
The second form prints the table of docs/numbers.md. TensorFlow, float32, CPU, Linux; the pixels are random, at the
size of the network and without augmentation; the optimizer and the decay are the recipe's.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

FILE = Path(__file__).parent.parent / "docs" / "training_memory.jsonl"
ITERATIONS, MIB = 10, 2**20
CASES = {
    "resnet20_v1": (128, 512),
    "resnet56_v2": (32, 128),
    "he2015/resnet18": (8, 32),
    "torchvision/resnet50": (8, 32),
    "torchvision/mobilenet_v2": (8, 32),
    "torchvision/densenet121": (8, 16),
}


def measure(name: str, batch_size: int) -> None:
    """Prints the peaks in MiB after each iteration, in a fresh process."""
    import numpy as np

    from archbuilder import spec
    from archbuilder.expansion.expansion import expand
    from archbuilder.machine.loading import load_tensorflow

    load_tensorflow()
    from archbuilder.augmentation.augmenter import augmenter
    from archbuilder.data.normalisation import fit
    from archbuilder.keras_model.build import build_model
    from archbuilder.spec.normalisation import PixelMean
    from archbuilder.training.objective import Objective
    from archbuilder.training.step_settings import StepSettings, TrainingImages
    from archbuilder.training.tensorflow.forward import Forward
    from archbuilder.training.tensorflow.optimizers import make_optimizer
    from archbuilder.training.tensorflow.step import TrainingStep

    loaded = spec.load(name)
    graph, training, random = expand(loaded), spec.require_training(loaded), np.random.default_rng(0)
    pixels = random.integers(0, 256, (batch_size, *graph.input.shape), np.uint8)
    labels = random.integers(0, graph[graph.outputs[-1]].shape[-1], batch_size, np.int32)
    augment = augmenter([], fit(PixelMean(), [pixels]), seed=0)
    model = build_model(graph, seed=0)
    gc.collect()
    built = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    forward = Forward(graph, model, "float32")
    optimizer = make_optimizer(training, graph, model)
    images = TrainingImages(pixels, labels, augment)
    step = TrainingStep(forward, optimizer, images, StepSettings.of(training, Objective()))
    peaks = []
    for iteration in range(ITERATIONS):
        step(np.arange(batch_size, dtype=np.int32), 0, iteration, 0.01)
        step.totals()  # waits for the iteration
        peaks.append(round((resident("VmHWM") - built) / MIB))
    print(json.dumps({"network": name, "batch_size": batch_size, "peaks": peaks}))


def resident(what: str) -> int:
    """The resident memory of this process, or its peak, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{what}:"))


def table(file: Path) -> str:
    """The medians of a file of measurements beside estimates."""
    from archbuilder import numbers
    from archbuilder.markup import markdown_text

    measured: dict[tuple[str, int], list[int]] = defaultdict(list)
    for line in file.read_text("utf-8").splitlines():
        found = json.loads(line)
        measured[found["network"], found["batch_size"]].append(max(found["peaks"]))
    rows = [("network", "batch size", "runs", "measured MiB", "estimate MiB", "off by")]
    for (name, batch_size), peaks in sorted(measured.items()):
        memory = numbers(name, batch_size=batch_size, precision="float32").memory
        estimate, middle = (memory.total - memory.of.weights) / MIB, median(peaks)
        off = f"{100 * (estimate / middle - 1):+.0f} %"
        rows.append((name, f"{batch_size}", f"{len(peaks)}", f"{middle:,.0f}", f"{estimate:,.0f}", off))
    return markdown_text(rows, range(1, 6))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", metavar="NETWORK:BATCH_SIZE")
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--no-measuring", action="store_true", help="print the table of the file")
    parser.add_argument("--child", metavar="NETWORK:BATCH_SIZE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        name, _, size = options.child.partition(":")
        measure(name, int(size))
        return
    cases = [options.only] if options.only else [f"{name}:{size}" for name in CASES for size in CASES[name]]
    for case in cases * (0 if options.no_measuring else options.rounds):
        words = [sys.executable, __file__, "--child", case]
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        with options.file.open("a", encoding="utf-8") as file:
            file.write(done.stdout.splitlines()[-1] + "\n")
    print(table(options.file))


if __name__ == "__main__":
    main()
