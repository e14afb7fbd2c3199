"""Times a stage-level picture of ResNet-152 as a whole process and within one, beside Keras' `plot_model`.

    python benchmarks/pictures.py [--rounds 5] [--no-keras]

`plot_model` draws every layer, since it knows no stages, and needs the model to be built first, which is timed apart;
archbuilder draws stages and, for a fair comparison, every layer as well. The graph of `plot_model` (`model_to_dot`,
which needs pydot) is drawn by the same Graphviz as ours.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import archbuilder
from archbuilder.aliases import Level

NAME = "he2015/resnet152"


def seconds(act: Callable[[], object], rounds: int) -> list[float]:
    """The times of an act; the first, which fills caches, does not count."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return times[1:]


def show(name: str, times: list[float]) -> None:
    print(f"{name:44} {statistics.median(times):7.3f} s  ({min(times):.3f} to {max(times):.3f})")


def process(folder: Path) -> Callable[[], object]:
    words = [sys.executable, "-m", "archbuilder", "draw", NAME, "-o", str(folder / "stages.svg")]
    return lambda: subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


def drawing(folder: Path, level: Level, kind: str) -> Callable[[], object]:
    return lambda: archbuilder.draw(NAME, folder / f"{level}.{kind}", level=level)


def keras_plot(folder: Path, rounds: int) -> None:
    start = time.perf_counter()
    model = archbuilder.build(NAME)
    print(f"{'Keras: the model is built':44} {time.perf_counter() - start:7.3f} s")
    from keras.utils import model_to_dot
    from pygraphviz import AGraph

    def plot() -> None:
        AGraph(string=model_to_dot(model).to_string()).draw(str(folder / "keras.png"), prog="dot")

    show("Keras: plot_model, every layer, PNG", seconds(plot, rounds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--no-keras", action="store_true", help="leave out plot_model")
    options = parser.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {options.rounds} rounds")
    with TemporaryDirectory() as name:
        folder = Path(name)
        show("archbuilder draw, stages, SVG: process", seconds(process(folder), options.rounds))
        for level, kind in (("stage", "svg"), ("stage", "png"), ("layer", "svg"), ("layer", "png")):
            show(f"archbuilder.draw, {level}, {kind.upper()}", seconds(drawing(folder, level, kind), options.rounds))  # type: ignore[arg-type]
        assert "tensorflow" not in sys.modules
        if not options.no_keras:
            keras_plot(folder, options.rounds)


if __name__ == "__main__":
    main()
