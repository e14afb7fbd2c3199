"""Times the light commands as whole processes, and `build NAME --summary` against a script that does it in Keras.

    python benchmarks/summary_time.py [--rounds 7] [--before 'COMMAND'] [--no-keras]

`--before` is the archbuilder of another version, such as `/elsewhere/venv/bin/archbuilder`. The Keras script imports
Keras, builds the same network with the functional API and calls `model.summary()`. What is compared runs in turn, so
that a machine whose speed drifts slows both alike; what is quoted is the median of the ratios.
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

KERAS_SCRIPT = """
import keras
from keras import layers

def conv(x, filters, kernel, stride=1):
    return layers.Conv2D(filters, kernel, stride, padding="same", kernel_initializer="he_normal")(x)

def preactivate(x):
    return layers.Activation("relu")(layers.BatchNormalization()(x))

inputs = keras.Input((32, 32, 3))
x = preactivate(conv(inputs, 16, 3))
inside, outside = 16, 64
for stage in range(3):
    for unit in range(6):
        stride = 2 if stage and not unit else 1
        y = x if not (stage or unit) else preactivate(x)
        y = conv(preactivate(conv(preactivate(conv(y, inside, 1, stride)), inside, 3)), outside, 1)
        x = layers.add([conv(x, outside, 1, stride) if not unit else x, y])
    inside, outside = outside, 2 * outside
x = layers.Flatten()(layers.AveragePooling2D(8)(preactivate(x)))
model = keras.Model(inputs, layers.Dense(10, activation="softmax")(x))
assert model.count_params() == 1_673_738
model.summary()
"""


Times = list[float]
SUMMARY = ("build", "resnet56_v2", "--summary")
LIGHT = (("--help",), SUMMARY, ("list",))


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def in_turn(commands: list[list[str]], rounds: int) -> list[Times]:
    """The times of each command; the first round, which fills the caches, does not count."""
    times = [[seconds(command) for command in commands] for _ in range(rounds + 1)][1:]
    return [list(column) for column in zip(*times, strict=True)]


def show(name: str, values: Times, unit: str = " s") -> None:
    print(f"{name:32} {statistics.median(values):6.2f}{unit:2}  ({min(values):.2f} to {max(values):.2f})")


def show_ratio(name: str, above: Times, below: Times) -> None:
    show(name, [a / b for a, b in zip(above, below, strict=True)], "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--before", metavar="COMMAND", help="the archbuilder to compare with")
    parser.add_argument("--no-keras", action="store_true", help="leave out the script in Keras")
    options = parser.parse_args()
    now, rounds = [sys.executable, "-m", "archbuilder"], options.rounds
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds in turn")
    for words in LIGHT:
        programs = [now, *([shlex.split(options.before)] if options.before else [])]
        times = in_turn([[*program, *words] for program in programs], rounds)
        show(" ".join(words), times[0])
        if options.before:
            show("  before", times[1])
            show_ratio("  now / before", *times)
    if not options.no_keras:
        ours, theirs = in_turn([[*now, *SUMMARY], [sys.executable, "-c", KERAS_SCRIPT]], rounds)
        show(" ".join(SUMMARY), ours)
        show("  Keras script", theirs)
        show_ratio("  Keras script / archbuilder", theirs, ours)


if __name__ == "__main__":
    main()
