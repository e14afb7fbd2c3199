"""Times the light commands as whole processes, and `build NAME --summary` against a script that does it in Keras.

    python benchmarks/summary_time.py [--rounds 7] [--before 'COMMAND'] [--no-keras]

`--before` is the archbuilder of another version, such as `/elsewhere/venv/bin/archbuilder`. The Keras script imports
Keras, builds the same network with the functional API and calls `model.summary()`. "nothing kept" is the same command
with an empty cache folder, as it is the first time. What is compared runs in turn, so that a machine whose speed drifts
slows all alike; what is quoted is the median of the ratios.
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
from dataclasses import dataclass
from tempfile import TemporaryDirectory, gettempdir

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
KERAS_RESNET = "import keras; keras.applications.ResNet152(weights=None).summary()"
SEEING = (
    ("diff", "he2015/resnet152", "torchvision/resnet152"),
    ("compare", "he2015/resnet152"),
    ("compare", "related/vgg19", "he2015/plain34", "he2015/resnet34", "he2015/resnet152"),
    ("family", "he2015/resnet152", "--units", "3-8-36-3"),
    ("explain", "bottleneck"),
    ("list", "--units"),
    ("report", "he2015/resnet152", "-o", f"{gettempdir()}/resnet152.html"),
)
"""What compares, explains and shows; beside it stands Keras' own summary of ResNet-152."""
LIGHT = (
    ("--help",), SUMMARY, ("build", "he2015/resnet152", "--level", "stage"), ("build", "he2015/resnet152", "--numbers"),
    ("build", "he2015/resnet152", "--memory", "16GiB", "--peak", "312e12", "--bandwidth", "2e12"),
    ("build", "related/vgg19", "he2015/resnet34", "he2015/resnet152"), ("schema",), ("list",),
)  # fmt: skip


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


def show(name: str, values: Times, unit: str = "") -> None:
    print(f"{name:32} {statistics.median(values):7.3f}{unit:2}  ({min(values):.3f} to {max(values):.3f})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--before", metavar="COMMAND", help="the archbuilder to compare with")
    parser.add_argument("--no-keras", action="store_true", help="leave out the script in Keras")
    options = parser.parse_args()
    now, rounds = [sys.executable, "-m", "archbuilder"], options.rounds
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds in turn")
    for words in LIGHT:
        ways = {"now": Command([*now, *words]), "nothing kept": Command([*now, *words], keeps=False)}
        if options.before:
            ways["before"] = Command([*shlex.split(options.before), *words])
        if words == SUMMARY and not options.no_keras:
            ways["Keras script"] = Command([sys.executable, "-c", KERAS_SCRIPT])
        times = dict(zip(ways, in_turn(list(ways.values()), rounds), strict=True))
        print(" ".join(words))
        for name, values in times.items():
            show(f"  {name}", values, " s")
        for below in list(times)[2:]:
            for above in list(times)[:2]:
                ratios = [a / b for a, b in zip(times[above], times[below], strict=True)]
                show(f"  {above} / {below}", ratios)
    _show_seeing(now, rounds, not options.no_keras)


def _show_seeing(now: list[str], rounds: int, beside_keras: bool) -> None:
    ways = {" ".join(words): Command([*now, *words], answer=1) for words in SEEING}
    if beside_keras:
        ways["Keras' summary of ResNet-152"] = Command([sys.executable, "-c", KERAS_RESNET])
    for name, values in zip(ways, in_turn(list(ways.values()), rounds), strict=True):
        print(name)
        show("  now", values, " s")


if __name__ == "__main__":
    main()
