"""archbuilder new"""

from __future__ import annotations

from pathlib import Path

import click

from archbuilder.cli.options import SpecType, json_option, print_json, print_notes
from archbuilder.cli.printing import say


@click.command()
@click.argument("spec", type=click.Path(path_type=Path), metavar="SPEC")
@click.option(
    "--data", type=click.Path(path_type=Path), metavar="PATH", required=True,
    help="Your images: a folder of classes, a table (.csv) or an archive (.npz).",
)  # fmt: skip
@click.option(
    "--like", "name", type=SpecType(), metavar="NAME", help="Take this bundled network instead of one that fits."
)
@click.option(
    "--weights", type=click.Path(path_type=Path), metavar="FILE",
    help="Fine-tune: the recipe begins with the weights of a file for the network of --like.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Overwrite SPEC if it is there.")
@json_option
def command(spec: Path, data: Path, name: str | None, weights: Path | None, force: bool, as_json: bool) -> None:
    """Look at your images, and write a SPEC that trains on them.

    It counts classes, images and sizes, and chooses a bundled network, an input size and a recipe that fit them.
    Comments in the spec say why. Change what you like, and train.

    Folders may have train/, val/ and test/, or just a folder for each class. Tables have a column of paths and one of
    labels, or several. What has no test images gives a fifth of its images for that.

    With --weights, images are prepared as the weights of the network expect them, the head begins fresh, early parts
    are frozen and the rate is small.

    \b
    Examples:
      archbuilder new flowers.yaml --data flowers
      archbuilder new flowers.yaml --data flowers.csv --like torchvision/resnet18
      archbuilder new flowers.yaml --data flowers --like keras_applications/resnet50 --weights resnet50.h5
    """
    from archbuilder.drafting.drafting import told, write

    written = write(spec, data, name=name, weights=weights, force=force)
    print_notes(written.notes)
    if as_json:
        print_json(written.to_json())
        return
    height, width, channels = written.spec.network.input
    say(f"{data}: {told(written.found)}")
    say(f"{spec}: {written.base} for {height}x{width}x{channels}")
    say(f"To train: {written.train}")
