"""Times the writing of ONNX by archbuilder, without TensorFlow, and by Keras' own exporter, in turn.

    pip install '.[onnx]' && pip install --no-deps tf2onnx
    python benchmarks/onnx_writing.py [--rounds 3] [NETWORK ...]

Each writing is a process of its own. Seconds are those of the processor, and of the writing alone: the weights, or
Keras' model, are there already. What tf2onnx depends on is left out, since it is older than TensorFlow's.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

import archbuilder

NETWORKS = ("quickstart", "resnet20_v1", "torchvision/resnet50", "torchvision/resnet152")


def by_archbuilder(name: str, path: Path) -> float:
    from archbuilder.exporting import onnx_file
    from archbuilder.exporting.formats import Options
    from archbuilder.exporting.handover import of_spec

    handover = of_spec(archbuilder.load(name), bare=True)
    begin = time.process_time()
    onnx_file.write(handover, path, Options(), handover.metadata("onnx", None))
    seconds = time.process_time() - begin
    assert "tensorflow" not in sys.modules
    return seconds


def by_keras(name: str, path: Path) -> float:
    model = archbuilder.build(name)
    model(np.zeros((1, *model.input_shape[1:]), np.float32))  # only what was called can be exported
    begin = time.process_time()
    model.export(path, format="onnx", verbose=False)
    return time.process_time() - begin


WAYS = {"archbuilder": by_archbuilder, "Keras": by_keras}


def measured(way: str, name: str) -> float:
    words = [sys.executable, __file__, name, "--way", way]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(words, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout.split()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=[*NETWORKS])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=[*WAYS], help="write one network once, in this process")
    asked = parser.parse_args()
    if asked.way:
        with TemporaryDirectory() as folder:
            print(WAYS[asked.way](asked.networks[0], Path(folder, "network.onnx")))
        return
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {asked.rounds} rounds\n")
    print(f"| network | {' | '.join(WAYS)} | ratio |\n| --- | ---: | ---: | ---: |")
    for name in asked.networks:
        rounds = [[measured(way, name) for way in WAYS] for _ in range(asked.rounds)]
        ours, theirs = (median(times) for times in zip(*rounds, strict=True))
        print(f"| {name} | {ours:.2f} s | {theirs:.1f} s | {theirs / ours:.0f} |", flush=True)


if __name__ == "__main__":
    main()
