"""archbuilder export"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import SpecType, edits_option, json_option, print_json, print_notes, weights_options
from archbuilder.cli.printing import say
from archbuilder.exporting.formats import FORMATS, LayerError, Options, format_of
from archbuilder.formatting import aligned, percent

if TYPE_CHECKING:
    from archbuilder.exporting.exporting import Exported
    from archbuilder.weights.choices import Choices

SHOWN = 10
"""Of more layers, so many are shown."""
_weights = click.option(
    "--weights", metavar="best|final|FILE",
    help="Which weights of a RUN, or a file of weights for a SPEC, of ours or of other people's.  [default: best]",
)  # fmt: skip


@click.command(epilog="\b\nFormats:\n" + "\n".join(f"  {one.name:<14} {one.suffix:<13} {one.what}" for one in FORMATS))
@click.argument("subject", type=SpecType(), metavar="RUN|SPEC")
@click.option("-o", "--output", type=click.Path(), required=True, metavar="FILE",
              help="The file, whose suffix says the format; what ends in / is a folder for TensorFlow.")  # fmt: skip
@click.option("--format", "name", type=click.Choice([one.name for one in FORMATS]),
              help="The format, where the suffix leaves it open.")  # fmt: skip
@partial(weights_options, weights=_weights)
@click.option("--bare", is_flag=True, help="The network alone, without what is done to pixels and answers.")
@click.option("--fold-norms", is_flag=True, help="Fold each norm into the convolution before it (onnx).")
@click.option("--names", metavar="archbuilder|torchvision|timm|FILE", default="archbuilder", show_default=True,
              help="Whose names tensors have, or the file of weights that has them (safetensors).")  # fmt: skip
@click.option("--calibration", type=click.Path(path_type=Path), metavar="DIR",
              help="Images that int8 is calibrated on.  [default: those that the RUN learned from]")  # fmt: skip
@click.option("--no-compare", is_flag=True, help="Do not compare what is written with the original, which needs Keras.")
@click.option("--force", is_flag=True, help="Overwrite what is there.")
@edits_option
@json_option
def command(
    subject: str, output: str, name: str | None, weights: str | None, choices: Choices, bare: bool, fold_norms: bool,
    names: str, calibration: Path | None, no_compare: bool, force: bool, edits: tuple[str, ...], as_json: bool,
) -> None:  # fmt: skip
    """Hand over the network of a RUN, or of a SPEC, to people who do not have archbuilder.

    The file is complete: it takes pixels from 0 to 255 in red, green and blue, normalises them as the training did,
    and gives probabilities, or numbers in their own units. The names of the classes, the spec and the versions are its
    metadata. With --bare, it is the network alone.

    Before it gets its name, it is compared with the original by Keras, on random images and on real ones: by logits,
    since probabilities of nearly 0 and 1 hide differences. What differs by more than 1e-5 of the largest is refused,
    of float16 by more than 1e-2, and int8 where more than half a point of accuracy on the test set is lost.

    \b
    Examples:
      archbuilder export runs/first -o first.onnx
      archbuilder export runs/first -o first/ --weights final
      archbuilder export runs/first -o first.tflite --format litert-int8
      archbuilder export he2015/resnet50 -o resnet50.onnx --weights resnet50.pth --bare
      archbuilder export torchvision/resnet50 -o resnet50.safetensors --names torchvision --no-compare
      archbuilder export he2015/resnet50 --format keras-code -o resnet50.py
    """
    kind = format_of(output, name)
    from archbuilder.exporting.exporting import export, handover_of, told_worth

    handover = handover_of(subject, weights, choices, edits, bare=bare)
    options = Options(fold_norms, names, calibration)
    done = export(handover, Path(output), kind, options, compared=not no_compare, force=force)
    if as_json:
        print_json(done.to_json())
        return
    for file in done.files:
        say(file)
    if done.layers:
        say(_layers(done.layers))
    say(_told(done))
    if done.accuracy:
        say(told_worth(done.accuracy))
    print_notes(done.notes)


def _layers(layers: Sequence[LayerError]) -> str:
    """The layers that lost most, the worst first."""
    worst = sorted(layers, key=lambda one: -one.error)[:SHOWN]
    rows = [("layer", "error"), *((one.layer, percent(one.error)) for one in worst)]
    more = [f"and {len(layers) - SHOWN:,} layers that lost less (--json has all)"] if len(layers) > SHOWN else []
    return "\n".join([*aligned(rows, right={1}), *more])


def _told(done: Exported) -> str:
    found = done.comparison
    if found is None:
        return "not compared with the original"
    real = f" and {found.real} of {found.origin}" if found.real else ""
    return (
        f"compared with the original on {found.random} random images{real}: the largest relative difference of logits "
        f"is {found.difference:.1e}, and two images differ by {found.apart:.2g} at least"
    )
