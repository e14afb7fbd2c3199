"""Time and memory against depth: construction, saving, loading, and the iterations of training.

    python benchmarks/depth.py [--depth 110 ...] [--batch 8] [--precision float32] [--limit 120] [--in-turn] [--json]

The networks are he2015/resnet110 with other numbers of units. Three ways are compared: archbuilder as it is,
archbuilder without loops over equal units, and plain Keras, which is a functional model by hand and `train_on_batch`.
Three processes measure a way at a depth: one constructs and saves, one loads, one trains; each is given up when it
takes longer than the limit. What stands behind the seconds is the most memory that the process had held by then.

With `--in-turn`, one process holds the network with loops, however short, and without, and runs their iterations in
turn: what is told is the median of the ratios, which a machine that drifts does not change.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table
from throughput import machine

DEPTHS = (110, 326, 650, 1202)
WAYS = ("archbuilder", "archbuilder, flat", "Keras")
PRECISIONS = ("float32", "mixed_bfloat16")
MEASURES = ("construction", "saving", "loading", "first iteration", "later iterations", "loop / flat")
LATER = 6
TURNS = 12
NEVER = 10**9
Cell = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """What one process measures."""

    task: str
    way: str
    depth: int
    batch: int
    precision: Any
    file: str
    """Where the model is saved."""


def timed(action: Callable[[], Any]) -> tuple[Any, Cell]:
    """What an action returns, its seconds, and the most memory that the process has held so far, in GB."""
    start = perf_counter()
    result = action()
    seconds = perf_counter() - start
    unit = 1 if sys.platform == "darwin" else 1024
    return result, {"seconds": seconds, "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9}


def timed_however_deep(action: Callable[[], Any]) -> tuple[Any, Cell]:
    """As `timed`; where that fails for Python's recursion limit, once more with a higher one, which the cell tells."""
    try:
        return timed(action)
    except RecursionError:
        sys.setrecursionlimit(100_000)
    result, cell = timed(action)
    return result, cell | {"recursion limit raised": True}


def save(job: Job) -> dict[str, Cell]:
    model, construction = timed_however_deep(lambda: construct(job))
    _, saving = timed_however_deep(lambda: model.save(job.file))
    return {"construction": construction, "saving": saving}


def load(job: Job) -> dict[str, Cell]:
    """The same call whoever saved: archbuilder saves stock Keras models."""
    import keras

    return {"loading": timed_however_deep(lambda: keras.models.load_model(job.file))[1]}


def train(job: Job) -> dict[str, Cell]:
    shortest = NEVER if "flat" in job.way else None
    iterate = keras_iteration(job) if job.way == "Keras" else iteration(job, shortest)
    _, first = timed(iterate)
    later = [timed(iterate)[1] for _ in range(LATER)]
    seconds = [each["seconds"] for each in later]
    return {"first iteration": first, "later iterations": later[-1] | {"seconds": median(seconds), "each": seconds}}


def take_turns(job: Job) -> dict[str, Cell]:
    iterations = [iteration(job, shortest) for shortest in (2, NEVER)]
    for iterate in iterations:
        iterate()
    seconds: list[list[float]] = [[], []]
    for turn in range(TURNS):
        for way in (0, 1) if turn % 2 else (1, 0):
            seconds[way].append(timed(iterations[way])[1]["seconds"])
    ratios = [loop / flat for loop, flat in zip(*seconds, strict=True)]
    return {"loop / flat": {"ratio": median(ratios), "loop": seconds[0], "flat": seconds[1]}}


TASKS = {"save": save, "load": load, "train": train, "take turns": take_turns}
GIVEN_UP = {"save": "construction", "load": "loading", "train": "first iteration", "take turns": "loop / flat"}
"""The measure under which it is told that a task took too long."""


def construct(job: Job) -> Any:
    if job.way == "Keras":
        return plain_keras(job.depth)
    from archbuilder.keras_model.build import build_model

    return build_model(graph_of(job.depth)[1], seed=0)


def graph_of(depth: int) -> Any:
    from archbuilder import spec
    from archbuilder.expansion.expansion import expand

    loaded = spec.load("he2015/resnet110", [f"stages.{stage}.units={(depth - 2) // 6}" for stage in range(3)])
    return loaded, expand(loaded)


def data(batch: int) -> tuple[Any, Any]:
    random = np.random.default_rng(0)
    return random.integers(0, 256, (batch, 32, 32, 3), np.uint8), random.integers(0, 10, batch, np.int32)


def iteration(job: Job, shortest_loop: int | None) -> Callable[[], object]:
    """What `archbuilder train` runs, with the paper's recipe; None leaves the shortest loop to archbuilder."""
    from archbuilder.augmentation.augmenter import augmenter
    from archbuilder.data.normalisation import fit
    from archbuilder.spec.normalisation import PixelMean
    from archbuilder.training.step_settings import TrainingImages
    from archbuilder.training.tensorflow.forward import SHORTEST_LOOP, Forward
    from archbuilder.training.tensorflow.optimizers import make_optimizer
    from archbuilder.training.tensorflow.step import TrainingStep

    spec, graph = graph_of(job.depth)
    model, (pixels, labels) = construct(job), data(job.batch)
    forward = Forward(graph, model, job.precision, shortest_loop or SHORTEST_LOOP)
    step = TrainingStep(
        forward, make_optimizer(spec.training, graph, model),
        TrainingImages(pixels, labels, augmenter(spec.training.augment, fit(PixelMean(), [pixels]), seed=0)),
    )  # fmt: skip
    indices = np.arange(job.batch, dtype=np.int32)

    def iterate() -> None:
        step(indices, 0, 0, 0.01)
        step.read()

    return iterate


def keras_iteration(job: Job) -> Callable[[], object]:
    import keras

    (model, _), (pixels, labels) = timed_however_deep(lambda: construct(job)), data(job.batch)
    sgd = keras.optimizers.SGD(0.01, momentum=0.9, weight_decay=1e-4)
    model.compile(sgd, "sparse_categorical_crossentropy", jit_compile=False)  # XLA takes longer still
    return lambda: model.train_on_batch(pixels / np.float32(255), labels)


def plain_keras(depth: int) -> Any:
    """He et al.'s network for CIFAR-10, with projections where the size changes."""
    import keras
    from keras import layers

    def conv(tensor: Any, filters: int, kernel: int = 3, stride: int = 1) -> Any:
        return layers.Conv2D(filters, kernel, stride, "same", use_bias=False, kernel_initializer="he_normal")(tensor)

    def norm(tensor: Any) -> Any:
        return layers.BatchNormalization(momentum=0.9, epsilon=1e-5)(tensor)

    inputs = keras.Input((32, 32, 3))
    features = layers.ReLU()(norm(conv(inputs, 16)))
    for stage, filters in enumerate((16, 32, 64)):
        for unit in range((depth - 2) // 6):
            stride = 2 if stage and not unit else 1
            residual = norm(conv(layers.ReLU()(norm(conv(features, filters, stride=stride))), filters))
            shortcut = features if stride == 1 else norm(conv(features, filters, 1, stride))
            features = layers.ReLU()(layers.add([shortcut, residual]))
    outputs = layers.Dense(10, activation="softmax")(layers.GlobalAveragePooling2D()(features))
    return keras.Model(inputs, outputs)


def measured(tasks: Iterable[str], way: str, limit: float, **network: Any) -> dict[str, Cell]:
    """The measures of several tasks for one network, each task in a process of its own."""
    cells: dict[str, Cell] = {}
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        for task in tasks:
            if task != "load" or file.exists():
                cells |= _in_process(Job(task=task, way=way, file=str(file), **network), limit)
    return cells


def _in_process(job: Job, limit: float) -> dict[str, Cell]:
    command = [sys.executable, __file__, "--worker", json.dumps(asdict(job))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return {GIVEN_UP[job.task]: {"over": limit}}
    if done.returncode:
        raise click.ClickException(f"{job}:\n{done.stderr[-2000:]}")
    cells: dict[str, Cell] = json.loads(done.stdout.splitlines()[-1])
    return cells


def table(results: dict[int, dict[str, dict[str, Cell]]], network: dict[str, Any]) -> Table:
    drawn = Table(
        "",
        "way",
        *map(str, results),
        title=f"Time and most memory against depth, batch {network['batch']}, {network['precision']}",
    )
    drawn.caption = "* only with Python's recursion limit raised: RecursionError without"
    for measure in MEASURES:
        for way in WAYS:
            cells = [ways.get(way, {}).get(measure) for ways in results.values()]
            if any(cells):
                drawn.add_row(measure, way, *map(_shown, cells))
    return drawn


def _shown(cell: Cell | None) -> str:
    if not cell:
        return ""
    if "over" in cell:
        return f"over {cell['over']:.0f} s"
    if "ratio" in cell:
        return f"{cell['ratio']:.2f}"
    shown = f"{cell['seconds']:.{2 if cell['seconds'] < 10 else 0}f} s, {cell['gigabytes']:.1f} GB"
    return f"{shown} *" if cell.get("recursion limit raised") else shown


@click.command()
@click.option("--depth", "depths", multiple=True, type=int, default=DEPTHS, show_default=True)
@click.option("--way", "ways", multiple=True, type=click.Choice(WAYS), default=WAYS, help="Only these.")
@click.option("--batch", default=8, show_default=True)
@click.option("--precision", type=click.Choice(PRECISIONS), default="float32", show_default=True, help="archbuilder's.")
@click.option("--limit", default=120.0, show_default=True, help="Seconds after which a process is given up.")
@click.option("--in-turn", is_flag=True, help="Only the ratio of later iterations with loops to those without.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--worker", hidden=True)
def main(
    depths: tuple[int, ...], ways: tuple[str, ...], limit: float, in_turn: bool, as_json: bool, worker: str | None,
    **network: Any,
) -> None:  # fmt: skip
    """Measures networks of several depths."""
    if worker:
        import keras  # noqa: F401, what is measured begins afterwards

        job = Job(**json.loads(worker))
        return click.echo(json.dumps(TASKS[job.task](job)))
    plans = {way: ("train",) if "flat" in way else ("save", "load", "train") for way in ways}
    plans = {"archbuilder": ("take turns",)} if in_turn else plans
    results = {
        depth: {way: measured(tasks, way, limit, depth=depth, **network) for way, tasks in plans.items()}
        for depth in depths
    }
    if as_json:
        return click.echo(json.dumps({"machine": machine(), **network, "depths": results}, indent=1))
    console = Console()
    console.print(json.dumps(machine()), soft_wrap=True)
    return console.print(table(results, network))


if __name__ == "__main__":
    main()
