"""Times `archbuilder build NAME --summary` as a whole process, against a script that does the same in Keras.

    python benchmarks/summary_time.py [--rounds 7]

The Keras script imports Keras, builds the same network with the functional API and calls `model.summary()`. The two run
in turn, so that a machine whose speed drifts slows both alike; what is quoted is the median of the ratios.
"""

from __future__ import annotations

import argparse
import os
import platform
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


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    ours = [sys.executable, "-m", "archbuilder", "build", "resnet56_v2", "--summary"]
    theirs = [sys.executable, "-c", KERAS_SCRIPT]
    for command in (ours, theirs):  # caches warm for both
        seconds(command)
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {rounds} rounds in turn")
    for name, values in (("archbuilder", [a for a, _ in pairs]), ("Keras script", [b for _, b in pairs])):
        print(f"{name:13} {statistics.median(values):6.2f} s  ({min(values):.2f} to {max(values):.2f})")
    ratios = [b / a for a, b in pairs]
    print(f"{'ratio':13} {statistics.median(ratios):6.1f}    ({min(ratios):.1f} to {max(ratios):.1f})")


if __name__ == "__main__":
    main()
