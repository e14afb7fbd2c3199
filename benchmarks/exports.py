"""Exports every bundled network in every format, and says how long that takes, how large the files are and how far off.

    python benchmarks/exports.py                      # what is not in docs/exports.jsonl yet
    python benchmarks/exports.py --format onnx --format keras quickstart resnet20_v1
    python benchmarks/exports.py --table              # docs/exports.jsonl as the table of docs/exports.md
    python benchmarks/exports.py --summary            # and as the one of docs/export.md

Weights are drawn at random, biases, scales and shifts, too; the moving statistics of norms follow from a batch, since
in a deep network with others numbers grow until they are not finite. Seconds are those of the processor for
writing alone, without drawing the weights and without the comparison. Integers are calibrated on the images that are
compared: random weights have no accuracy, by which they are judged otherwise, but their logits can be compared.

What a network cannot be written in is kept as well, with the reason.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from archbuilder.aliases import Json
from archbuilder.errors import ArchbuilderError
from archbuilder.exporting.comparing import Original, real_images
from archbuilder.exporting.formats import FORMATS, Format, Options
from archbuilder.exporting.handover import Handover, of_spec, with_weights
from archbuilder.graph import ops
from archbuilder.machine.loading import load_tensorflow
from archbuilder.spec import bundled, load
from archbuilder.weights.transfer import assign
from archbuilder.weights.weight_file import Floats

if TYPE_CHECKING:
    import keras

RESULTS = Path(__file__).parent.parent / "docs" / "exports.jsonl"
_MOVING = ("moving_mean", "moving_variance")
RANGES = {"scale": (0.5, 1.5), "shift": (-0.1, 0.1), "bias": (-0.1, 0.1)}


def lively(plain: Handover) -> Original:
    """With weights at random, and the moving statistics of some images; and what that answers."""
    from archbuilder.exporting.keras_network import computed, logits_model

    random = np.random.default_rng(0)
    weights = {name: {**arrays} for name, arrays in plain.weights.items()}
    for node in plain.graph.nodes:
        for weight in node.weights:
            if weight.kind in RANGES:
                drawn = random.uniform(*RANGES[weight.kind], weight.shape).astype(np.float32)
                # What a bias starts at keeps the gates of highways nearly shut.
                weights[node.name][weight.name] = drawn + (
                    weights[node.name][weight.name] if weight.kind == "bias" else 0
                )
    model = logits_model(with_weights(plain, weights))
    moving = calibrated(model, plain)
    handover = with_weights(plain, {name: {**arrays, **moving.get(name, {})} for name, arrays in weights.items()})
    assign(model, handover.weights)
    return Original.of(handover, lambda images: tuple(computed(model, images)))


def calibrated(model: keras.Model, handover: Handover) -> dict[str, dict[str, Floats]]:
    """The moving statistics of each norm, about the mean square of all that arrives there for some images.

    With those of each channel, networks would amplify each rounding layer by layer where channels hardly change.
    """
    from archbuilder.graph.naming import layer_name

    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (4, *handover.input_shape), np.uint8)
    images = handover.prepared(np.concatenate([noise, real_images(handover)[0]]))
    there = {layer.name: layer for layer in model.layers}
    nodes = [node for node in handover.graph.nodes if isinstance(node.op, ops.Norm) and node.op.is_over_batch]
    norms = {node.name: there[layer_name(node.name)] for node in nodes}
    for norm in norms.values():
        norm.call = _following(norm, random)
    model(images, training=False)
    for norm in norms.values():
        del norm.call
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


def measured(name: str, original: Original, kind: Format) -> Json:
    """A line of the results."""
    handover, here = original.handover, {"network": name, "format": kind.name}
    with TemporaryDirectory() as folder:
        path, images = Path(folder, f"model{kind.suffix}"), Path(folder, "images")
        options = Options(calibration=_kept(original, images)) if "calibration" in kind.options else Options()
        begin = _seconds()
        try:
            kind.module().write(handover, path, options, handover.metadata(kind.name, kind.bound))
            seconds = _seconds() - begin
            compute = kind.module().load(path, handover)
        except ArchbuilderError as error:
            return {**here, "refused": str(error).splitlines()[0]}
        written = [file for one in kind.files(path) for file in (one, *one.rglob("*")) if file.is_file()]
        size = sum(file.stat().st_size for file in written)
        found = original.compare(compute)
    return {
        **here, "seconds": round(seconds, 2), "bytes": size,
        "difference": float(f"{found.worst:.2g}"), "apart": float(f"{found.apart:.2g}"),
    }  # fmt: skip


def _seconds() -> float:
    """Those of the processor, for this process and those that it waited for."""
    return sum(os.times()[:4])


def _kept(original: Original, folder: Path) -> Path:
    """The images that are compared, as files."""
    folder.mkdir()
    for index, pixels in enumerate(original.pixels):
        Image.fromarray(pixels.squeeze()).save(folder / f"{index}.png")
    return folder


def lines() -> list[Json]:
    return [json.loads(line) for line in RESULTS.read_text("utf-8").splitlines()] if RESULTS.exists() else []


def table() -> Iterator[str]:
    """A row a network; seconds, MB and the difference of each format. What was refused follows, with its reasons."""
    found = {(line["network"], line["format"]): line for line in lines()}
    yield "| network | " + " | ".join(kind.name for kind in FORMATS) + " |"
    yield "| --- |" + " --- |" * len(FORMATS)
    for name in bundled():
        yield f"| {name} | " + " | ".join(_cell(found.get((name, kind.name))) for kind in FORMATS) + " |"
    refused = [line for line in found.values() if "refused" in line]
    if refused:
        yield ""
        yield from (f"- {line['network']}, {line['format']}: {line['refused']}" for line in refused)


def _cell(line: Json | None) -> str:
    if line is None:
        return ""
    if "refused" in line:
        return "refused"
    return f"{line['seconds']:.2f}, {line['bytes'] / 1e6:.1f}, {_short(line['difference'])}"


def _short(difference: float) -> str:
    return f"{difference:.0e}" if difference else "0"


def summary() -> Iterator[str]:
    """A row a format, over all networks."""
    yield "| format | networks | refused | seconds: median, most | largest difference: median, most |"
    yield "| --- | ---: | ---: | --- | --- |"
    for kind in FORMATS:
        every = [line for line in lines() if line["format"] == kind.name]
        done = [line for line in every if "refused" not in line]
        if done:
            seconds, differences = ([line[key] for line in done] for key in ("seconds", "difference"))
            counts = f"{len(done)} | {len(every) - len(done)}"
            times = f"{median(seconds):.2f}, {max(seconds):.2f}"
            yield f"| `{kind.name}` | {counts} | {times} | {_short(median(differences))}, {_short(max(differences))} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("networks", nargs="*", default=[*bundled()])
    parser.add_argument("--format", action="append", choices=[kind.name for kind in FORMATS])
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--summary", action="store_true")
    asked = parser.parse_args(arguments)
    if asked.table or asked.summary:
        print("\n".join(table() if asked.table else summary()))
        return
    load_tensorflow()
    import keras

    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # that one process compiles many networks
    done = {(line["network"], line["format"]) for line in lines()}
    for name in asked.networks:
        kinds = [one for one in FORMATS if one.name in (asked.format or [one.name]) and (name, one.name) not in done]
        if not kinds:
            continue
        original = lively(of_spec(load(name)))
        for kind in kinds:
            line = json.dumps(measured(name, original, kind))
            print(line, flush=True)
            with RESULTS.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
