"""Images a second in training on the CPU: archbuilder, Keras' CIFAR-10 example and PyTorch, in one sitting.

    python benchmarks/throughput.py [--network resnet20] [--rounds 6] [--seconds 8] [--compile] [--json]

The networks are ResNet-20 v1 at batch 128 (Keras' example: 32), and ResNet-50 at 224x224 and batch 16. The share of
the ceiling is that of the rate at which the machine multiplies large matrices in the same type.

Every way is a process of its own that stays alive. They take turns, one at a time while the others wait, so that a
machine that drifts drifts under all of them. A ratio is taken within each round, and then its median over the rounds.
The pixels are random: what they show does not change how long they take. Keras' example needs scipy,
PyTorch's ways need torch and JAX's jax; a way whose package is missing is left out and named.
PyTorch is given settings of glibc's malloc with which it is about 5 % faster; TensorFlow keeps its memory by itself.
"first" is the seconds from the start of a way's process, in which it is alone, until its first iteration is done.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from statistics import median
from tempfile import TemporaryFile
from typing import IO, Any, NoReturn

import click
from rich.console import Console
from rich.table import Table
from throughput_ways import WAYS, Turns

from archbuilder.machine.hardware import instructions, processor

BASES = ("Keras' example", "PyTorch float32", "PyTorch bfloat16")

_KEEPS_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(2**34), "MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TOP_PAD_": str(2**26),
}  # fmt: skip
"""Has glibc keep what is freed: otherwise PyTorch asks the kernel for the memory of an iteration again each time."""


def environment(name: str, **settings: str) -> dict[str, str]:
    """Of the process of a way: on the CPU, with these settings."""
    keeps = _KEEPS_MEMORY if name.startswith("PyTorch") else {}
    return os.environ | keeps | {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"} | settings


class Worker:
    """A way in a process of its own."""

    def __init__(self, script: Sequence[str], name: str) -> None:
        self.name, self._errors = name, TemporaryFile("w+")  # noqa: SIM115, it lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, *script, "--worker", name], env=environment(name), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip

    def wait_until_warm(self) -> float:
        """The seconds until its first iteration was done, from the start of the process."""
        return float(self._answer())

    def turn(self, seconds: float) -> float:
        """Images a second over one turn."""
        _pipe(self._process.stdin).write(f"{seconds}\n")
        _pipe(self._process.stdin).flush()
        return float(self._answer())

    def stop(self) -> None:
        _pipe(self._process.stdin).close()
        self._process.wait()

    def _answer(self) -> str:
        return _pipe(self._process.stdout).readline() or self._fail()

    def _fail(self) -> NoReturn:
        self._errors.seek(0)
        raise click.ClickException(f"{self.name} failed:\n{self._errors.read()[-2000:]}")


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


@dataclass(frozen=True)
class Spread:
    """The median over the rounds, and the lowest and highest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        return cls(median(values), min(values), max(values))


def measure(
    script: Sequence[str], names: Sequence[str], rounds: int, seconds: float
) -> tuple[dict[str, list[float]], dict[str, float]]:
    """Images a second of each way of a script in each round, and the seconds until its first iteration was done.

    Every second round goes backwards.
    """
    workers, first = [], {}
    for name in names:
        workers.append(Worker(script, name))
        first[name] = workers[-1].wait_until_warm()
    rates: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for worker in workers if number % 2 == 0 else reversed(workers):
            rates[worker.name].append(worker.turn(seconds))
    for worker in workers:
        worker.stop()
    return rates, first


def machine() -> dict[str, Any]:
    return {
        "processor": processor(), "cores": os.cpu_count(), "instructions": instructions(),
        "versions": {name: _version(name) for name in ("tensorflow", "keras", "torch", "numpy")},
    }  # fmt: skip


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def results(rates: dict[str, list[float]], bases: Sequence[str] = BASES) -> dict[str, Any]:
    """For each way its rate and how many times those of the bases it is."""
    return {
        name: {"images_per_second": asdict(Spread.of(values)), "rounds": values}
        | {
            f"times {base}": asdict(Spread.of([one / other for one, other in zip(values, rates[base], strict=True)]))
            for base in (*bases, _ceiling(name))
            if base in rates and base != name
        }
        for name, values in rates.items()
    }


def _ceiling(name: str) -> str:
    return "ceiling bfloat16" if "bfloat16" in name else "ceiling float32"


def table(network: str, found: dict[str, Any]) -> Table:
    bases = [base for base in BASES if base in found]
    drawn = Table(
        "way",
        "images/s",
        "first, s",
        *(f"/ {base}" for base in bases),
        "/ ceiling",
        title=f"{network}, median (lowest to highest)",
    )
    for name, result in found.items():
        ratios = (shown(result[f"times {base}"], "{:.2f}") if base != name else "1" for base in bases)
        share = result.get(f"times {_ceiling(name)}")
        drawn.add_row(
            name,
            shown(result["images_per_second"], "{:.1f}"),
            f"{result['seconds_until_first_iteration']:.1f}",
            *ratios,
            shown(share, "{:.2f}") if share else "",
        )
    return drawn


def shown(spread: dict[str, float], form: str) -> str:
    return f"{form.format(spread['median'])} ({form.format(spread['low'])} to {form.format(spread['high'])})"


@click.command()
@click.option("--rounds", default=6, show_default=True, help="Turns of each way.")
@click.option("--seconds", default=8.0, show_default=True, help="Measured in each turn.")
@click.option("--compile", "compiled", is_flag=True, help="Also PyTorch with torch.compile, and archbuilder with XLA.")
@click.option("--network", type=click.Choice(list(WAYS)), default="resnet20", show_default=True)
@click.option("--way", "chosen", multiple=True, type=click.Choice(list(WAYS["resnet20"])), help="Only these.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--worker", hidden=True)
def main(
    rounds: int,
    seconds: float,
    compiled: bool,
    network: str,
    chosen: tuple[str, ...],
    as_json: bool,
    worker: str | None,
) -> None:
    """Compares ways to train a network on the CPU."""
    ways = WAYS[network]
    if worker:
        return ways[worker].run(Turns())
    wanted = chosen or [name for name in ways if compiled or "compiled" not in name]
    names = [name for name in wanted if find_spec(ways[name].package)]
    for name in wanted:
        if name not in names:
            click.echo(f"left out: {name}, since {ways[name].package} is not installed", err=True)
    rates, first = measure([__file__, "--network", network], names, rounds, seconds)
    found = results(rates)
    for name, until in first.items():
        found[name]["seconds_until_first_iteration"] = until
    if as_json:
        click.echo(json.dumps({"machine": machine(), "ways": found}, indent=1))
    else:
        console = Console()
        console.print(json.dumps(machine()), soft_wrap=True)
        console.print(table(network, found))
    return None


if __name__ == "__main__":
    main()
