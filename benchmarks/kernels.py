"""What oneDNN's kernels take of a training iteration, in archbuilder and in a PyTorch loop, in one sitting.

    python benchmarks/kernels.py [--network resnet20] [--rounds 3] [--iterations 20] [--json]

oneDNN computes the convolutions of both, and TensorFlow's norms; it reports each call with its milliseconds
(ONEDNN_VERBOSE), which also slows it down a little. TensorFlow runs one op at a time meanwhile, so that they add up.
The rest is what is left of an iteration: other ops, augmentation, the update and all that lies between. Every way is a
process of its own, and the ways take turns. Needs torch for PyTorch's ways.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from statistics import median
from time import perf_counter

import click
from rich.console import Console
from rich.table import Table
from throughput import environment, machine
from throughput_ways import WAYS, Turns

WARM_UP = 5
"""Iterations before those that count."""
NAMES = {
    "convolution forward_training": "convolutions, forward",
    "convolution backward_data": "convolutions, gradients of features",
    "convolution backward_weights": "convolutions, gradients of kernels",
    "batch_normalization forward_training": "norms, forward",
    "batch_normalization backward": "norms, backward",
    "reorder undef": "kernels brought into another order",
}
REST, ITERATION = "the rest", "an iteration"


class Marks(Turns):
    """Writes a line before the first and behind the last iteration that counts, then ends the process."""

    def __init__(self, iterations: int) -> None:
        super().__init__()
        self._left, self._iterations, self._began = WARM_UP + iterations, iterations, 0.0

    def tick(self, images: float) -> None:
        self._left -= 1
        if self._left == self._iterations:
            self._began = perf_counter()
            print("begin", flush=True)
        elif self._left == 0:
            print(f"end,{1000 * (perf_counter() - self._began)}", flush=True)
            raise SystemExit


def profile(network: str, name: str, iterations: int) -> dict[str, float]:
    """Milliseconds an iteration by kind of kernel."""
    settings = environment(name, ONEDNN_VERBOSE="1", TF_NUM_INTEROP_THREADS="1")
    command = [sys.executable, __file__, "--network", network, "--iterations", str(iterations), "--worker", name]
    finished = subprocess.run(command, env=settings, text=True, capture_output=True, check=True)
    spent, whole, counts = dict.fromkeys(NAMES.values(), 0.0), 0.0, False
    for line in finished.stdout.splitlines():
        if line == "begin":
            counts = True
        elif line.startswith("end,"):
            whole, counts = float(line[4:]) / iterations, False
        elif counts and ",exec," in line:
            kind, took = _call(line)
            if kind in NAMES:
                spent[NAMES[kind]] += took / iterations
    return {**spent, REST: whole - sum(spent.values()), ITERATION: whole}


def _call(line: str) -> tuple[str, float]:
    """The kind of a kernel with its direction, and the milliseconds of the call."""
    fields = line.split(",exec,", 1)[1].split(",")
    return f"{fields[1]} {fields[3]}", float(fields[-1])


@click.command()
@click.option("--rounds", default=3, show_default=True, help="Processes of each way.")
@click.option("--iterations", default=20, show_default=True, help="Counted in each process.")
@click.option("--network", type=click.Choice(list(WAYS)), default="resnet20", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--worker", hidden=True)
def main(rounds: int, iterations: int, network: str, as_json: bool, worker: str | None) -> None:
    """Compares where the time of an iteration goes."""
    ways = WAYS[network]
    if worker:
        return ways[worker].run(Marks(iterations))
    names = [f"{who} {precision}" for precision in ("float32", "bfloat16") for who in ("archbuilder", "PyTorch")]
    names = [name for name in names if find_spec(ways[name].package)]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            found[name].append(profile(network, name, iterations))
    middle = {name: {kind: median(one[kind] for one in each) for kind in each[0]} for name, each in found.items()}
    if as_json:
        click.echo(json.dumps({"machine": machine(), "milliseconds": middle, "rounds": found}, indent=1))
        return None
    table = Table("", *names, title=f"{network}: milliseconds an iteration, medians of {rounds}")
    for kind in (*NAMES.values(), REST, ITERATION):
        table.add_row(kind, *(f"{middle[name][kind]:.1f}" for name in names))
    console = Console()
    console.print(json.dumps(machine()), soft_wrap=True)
    console.print(table)
    return None


if __name__ == "__main__":
    main()
