"""Exports every bundled network in every format, and says how long that takes, how large the files are and how far off.

    python benchmarks/exports.py                      # what is not in docs/exports.jsonl yet
    python benchmarks/exports.py --format onnx quickstart resnet20_v1
    python benchmarks/exports.py --table              # docs/exports.jsonl as the table of docs/export.md

Weights are drawn at random, biases, scales and shifts, too; the moving statistics of norms follow from a batch, since
in a deep network with others numbers grow until they are not finite. Seconds are those of the processor for
writing alone, without drawing the weights and without the comparison. Files of int8 are judged by their accuracy, which
random weights have none of, and so are left out.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any

import numpy as np

from archbuilder.aliases import Json
from archbuilder.exporting.comparing import compare, real_images
from archbuilder.exporting.formats import FORMATS, Format, Options
from archbuilder.exporting.handover import Handover, of_spec, with_weights
from archbuilder.graph import ops
from archbuilder.machine.loading import load_tensorflow
from archbuilder.spec import bundled, load
from archbuilder.weights.transfer import assign
from archbuilder.weights.weight_file import Floats

RESULTS = Path(__file__).parent.parent / "docs" / "exports.jsonl"
KINDS = [kind for kind in FORMATS if kind.bound is not None]
_MOVING = ("moving_mean", "moving_variance")
RANGES = {"scale": (0.5, 1.5), "shift": (-0.1, 0.1), "bias": (-0.1, 0.1)}


def lively(handover: Handover) -> Handover:
    """With weights at random, and the moving statistics of some images."""
    random = np.random.default_rng(0)
    weights = {name: {**arrays} for name, arrays in handover.weights.items()}
    for node in handover.graph.nodes:
        for weight in node.weights:
            if weight.kind in RANGES:
                drawn = random.uniform(*RANGES[weight.kind], weight.shape).astype(np.float32)
                # What a bias starts at keeps the gates of highways nearly shut.
                weights[node.name][weight.name] = drawn + (
                    weights[node.name][weight.name] if weight.kind == "bias" else 0
                )
    moving = calibrated(with_weights(handover, weights))
    return with_weights(handover, {name: {**arrays, **moving.get(name, {})} for name, arrays in weights.items()})


def calibrated(handover: Handover) -> dict[str, dict[str, Floats]]:
    """The moving statistics of each norm, about the mean square of all that arrives there for some images.

    With those of each channel, networks would amplify each rounding layer by layer where channels hardly change.
    """
    from archbuilder.graph.naming import layer_name
    from archbuilder.keras_model.build import build_model

    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (4, *handover.input_shape), np.uint8)
    images = handover.prepared(np.concatenate([noise, real_images(handover)[0]]))
    model = build_model(handover.graph)
    assign(model, handover.weights)
    there = {layer.name: layer for layer in model.layers}
    nodes = [node for node in handover.graph.nodes if isinstance(node.op, ops.Norm) and node.op.is_over_batch]
    norms = {node.name: there[layer_name(node.name)] for node in nodes}
    for norm in norms.values():
        norm.call = _following(norm, random)
    model(images, training=False)
    return {name: {part: getattr(norm, part).numpy() for part in _MOVING} for name, norm in norms.items()}


def _following(norm: Any, random: np.random.Generator) -> Callable[..., Any]:
    """What a norm computes once its moving statistics are those of what arrives."""
    plain = norm.call

    def call(values: Any, *others: Any, **named: Any) -> Any:
        size, channels = float(np.sqrt((values.numpy().astype(np.float64) ** 2).mean())), values.shape[-1]
        norm.moving_mean.assign(size * random.uniform(-0.1, 0.1, channels))
        norm.moving_variance.assign(size**2 * random.uniform(0.5, 1.5, channels))
        return plain(values, *others, **named)

    return call


def measured(name: str, handover: Handover, kind: Format) -> Json:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"model{kind.suffix}"
        begin = process_time()
        kind.module().write(handover, path, Options(), handover.metadata(kind.name, kind.bound))
        seconds = process_time() - begin
        files = [file for file in Path(folder).rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        found = compare(handover, kind.module().load(path, handover))
    return {
        "network": name, "format": kind.name, "seconds": round(seconds, 2), "bytes": size,
        "difference": float(f"{found.worst:.2g}"), "apart": float(f"{found.apart:.2g}"),
    }  # fmt: skip


def lines() -> list[Json]:
    return [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()] if RESULTS.exists() else []


def table() -> Iterator[str]:
    """A row a network; seconds, MB and the difference of each format."""
    found = {(line["network"], line["format"]): line for line in lines()}
    kinds = [kind for kind in KINDS if any(name == kind.name for _, name in found)]
    yield "| network | " + " | ".join(f"{kind.name}: s, MB, difference" for kind in kinds) + " |"
    yield "| --- |" + " --- |" * len(kinds)
    for name in bundled():
        if any((name, kind.name) in found for kind in kinds):
            cells = [_cell(found.get((name, kind.name))) for kind in kinds]
            yield f"| {name} | " + " | ".join(cells) + " |"


def _cell(line: Json | None) -> str:
    return f"{line['seconds']:.2f}, {line['bytes'] / 1e6:.1f}, {line['difference']:.0e}" if line else ""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=[*bundled()])
    parser.add_argument("--format", choices=[kind.name for kind in KINDS])
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args(arguments)
    if asked.table:
        print("\n".join(table()))
        return
    load_tensorflow()
    import keras

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # that one process compiles many networks
    done = {(line["network"], line["format"]) for line in lines()}
    for name in asked.networks:
        kinds = [kind for kind in KINDS if asked.format in (None, kind.name) and (name, kind.name) not in done]
        if not kinds:
            continue
        handover = lively(of_spec(load(name)))
        for kind in kinds:
            line = json.dumps(measured(name, handover, kind))
            print(line, flush=True)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
