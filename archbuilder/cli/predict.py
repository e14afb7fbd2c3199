"""archbuilder predict"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.cli.evaluate import run_argument, weights_option
from archbuilder.cli.options import json_option, load_tensorflow, print_json

if TYPE_CHECKING:
    from archbuilder.training.run import Which


@click.command()
@run_argument
@click.argument("images", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="IMAGE...")
@click.option("--top", type=click.IntRange(1), default=3, show_default=True, help="How many classes to print.")
@weights_option
@json_option
def command(run: Path, images: tuple[Path, ...], top: int, weights: Which, as_json: bool) -> None:
    """Say what the network of a RUN takes images to be: the likeliest classes with their probabilities.

    Images may be of any size and kind that Pillow reads; `testing` in the spec says how they are framed.

    \b
    Examples:
      archbuilder predict runs/first cat.png
      archbuilder predict runs/first *.jpg --top 1 --json
    """
    load_tensorflow()
    from archbuilder.training.evaluation import predict
    from archbuilder.training.progress import percent
    from archbuilder.training.run import Run

    predictions = predict(Run.open(run), images, top, weights)
    if as_json:
        print_json([asdict(prediction) for prediction in predictions])
        return
    for prediction in predictions:
        shares = ", ".join(f"{one.name} {percent(one.probability)}" for one in prediction.classes)
        click.echo(f"{prediction.image}: {shares}")
