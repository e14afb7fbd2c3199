"""Times commands that do not load TensorFlow, as whole processes, beside Keras' own summary of ResNet-152.

    python benchmarks/summary_time.py [--rounds 7] [--before 'COMMAND'] [--no-keras]

`--before` is the archbuilder of another version, such as `/elsewhere/venv/bin/archbuilder`. "Nothing kept" is the same
command with an empty cache folder, as it is the first time. All run in turn, so that a machine whose speed drifts slows
all alike. Printed is a table of medians, with the lowest and the highest.
"""

from __future__ import annotations

import argparse
import os
import platform
import shlex
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from tempfile import TemporaryDirectory, gettempdir

Times = list[float]
KERAS_RESNET = "import keras; keras.applications.ResNet152(weights=None).summary()"
COMMANDS = (
    ("--help",),
    ("schema",),
    ("list",),
    ("build", "resnet56_v2", "--summary"),
    ("build", "he2015/resnet152", "--level", "stage"),
    ("build", "he2015/resnet152", "--numbers"),
    ("build", "he2015/resnet152", "--memory", "16GiB", "--peak", "312e12", "--bandwidth", "2e12"),
    ("build", "related/vgg19", "he2015/resnet34", "he2015/resnet152"),
    ("compare", "he2015/resnet101", "he2015/resnet152"),
    ("compare", "related/vgg19", "he2015/plain34", "he2015/resnet34", "he2015/resnet152"),
    ("diff", "he2015/resnet152", "torchvision/resnet152"),
    ("family", "he2015/resnet152", "--units", "3-8-36-3"),
    ("explain", "bottleneck"),
    ("list", "resnet152"),
    ("list", "--units"),
    ("list", "--ops"),
    ("draw", "he2015/resnet152", "-o", f"{gettempdir()}/resnet152.svg"),
    ("report", "he2015/resnet152", "-o", f"{gettempdir()}/resnet152.html"),
)


@dataclass(frozen=True)
class Command:
    words: list[str]
    keeps: bool = True  # whether it finds what it kept the time before
    answer: int = 0  # another exit code that is no mistake

    def seconds(self) -> float:
        with TemporaryDirectory() as empty:
            environment = os.environ if self.keeps else os.environ | {"XDG_CACHE_HOME": empty}
            start = time.perf_counter()
            done = subprocess.run(self.words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            assert done.returncode in (0, self.answer), self.words
            return time.perf_counter() - start


def in_turn(commands: list[Command], rounds: int) -> list[Times]:
    """The times of each command; the first round, which fills the caches, does not count."""
    times = [[command.seconds() for command in commands] for _ in range(rounds + 1)][1:]
    return [list(column) for column in zip(*times, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--before", metavar="COMMAND", help="the archbuilder to compare with")
    parser.add_argument("--no-keras", action="store_true", help="leave out Keras")
    options = parser.parse_args()
    now = [sys.executable, "-m", "archbuilder"]
    ways: dict[str, Callable[[tuple[str, ...]], Command]] = {
        "kept": lambda words: Command([*now, *words], answer=1),
        "nothing kept": lambda words: Command([*now, *words], keeps=False, answer=1),
    }
    if options.before:
        ways["before"] = lambda words: Command([*shlex.split(options.before), *words], answer=1)
    commands = [make(words) for words in COMMANDS for make in ways.values()]
    if not options.no_keras:
        commands.append(Command([sys.executable, "-c", KERAS_RESNET]))
    times = iter(in_turn(commands, options.rounds))
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {options.rounds} rounds\n"
    )
    print(f"| | {' | '.join(ways)} |\n| --- |{' ---: |' * len(ways)}")
    for words in COMMANDS:
        shown = " ".join(words).replace(f"{gettempdir()}/", "")
        print(f"| `archbuilder {shown}` | {' | '.join(_cell(next(times)) for _ in ways)} |")
    for values in times:
        print(f"| Keras: `{KERAS_RESNET.partition('; ')[2]}` | {_cell(values)} |")


def _cell(values: Times) -> str:
    return f"{statistics.median(values):.2f} s ({min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
