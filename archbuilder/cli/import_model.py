"""archbuilder import"""

from __future__ import annotations

import re
from pathlib import Path

import click

from archbuilder.cli.options import json_option, print_json, print_notes
from archbuilder.cli.printing import say, say_as_it_is


class _Size(click.ParamType["tuple[int, int]"]):
    """The height and width of images, such as 224 or 224x320."""

    name = "size"

    def convert(
        self, value: str | tuple[int, int], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"([1-9]\d{0,4})(?:x([1-9]\d{0,4}))?", value, re.ASCII)
        if found is None:
            self.fail(f"'{value}' is no size of images, such as 224 or 224x320")
        return int(found[1]), int(found[2] or found[1])


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="SPEC",
              help="The spec to write.  [default: standard output]")  # fmt: skip
@click.option("--weights-out", type=click.Path(path_type=Path), metavar="WEIGHTS",
              help="Also write the weights of FILE, as .safetensors with the names of the spec's layers.")  # fmt: skip
@click.option("--size", type=_Size(), metavar="SIZE",
              help="The height and width of images, such as 224 or 224x320, where FILE leaves them open.")  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite what is there already.")
@json_option
def command(
    file: Path, output: Path | None, weights_out: Path | None, size: tuple[int, int] | None, force: bool, as_json: bool
) -> None:
    """Write the spec of the network in FILE, a model of Keras (.keras, .json) or of ONNX (.onnx).

    It has stages and units, units of the library where they fit and templates of its own elsewhere, and is the same
    network: every spec is expanded and compared with FILE before it is written. Nothing in FILE is run.

    What FILE does not say, and what is left out, is told on standard error. A layer that the language has no word for
    is an error that names it.

    \b
    Examples:
      archbuilder import resnet50.keras
      archbuilder import resnet50.keras -o mine.yaml --weights-out mine.safetensors
      archbuilder import mobilenet.onnx -o mobilenet.yaml --size 224
    """
    from archbuilder.importing.importing import write

    found = write(file, output, weights_out, size=size, force=force)
    print_notes(found.notes)
    if as_json:
        print_json(found.to_json())
    elif output is None:
        say_as_it_is(found.text)
    else:
        say(f"{output}: {found.told}")
    if weights_out is not None and not as_json and output is not None:
        say(f"{weights_out}: the weights")
