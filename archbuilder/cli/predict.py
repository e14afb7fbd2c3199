"""archbuilder predict"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.atomic_files import replace_file
from archbuilder.cli.evaluate import weights_option
from archbuilder.cli.options import json_option, print_json, print_notes
from archbuilder.cli.printing import say
from archbuilder.errors import MissingError
from archbuilder.machine.loading import load_tensorflow

if TYPE_CHECKING:
    from archbuilder.training.prediction import Prediction
    from archbuilder.training.run.folder import Which


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="PATH...")
@click.option("--top", type=click.IntRange(1), help="How many classes to print.  [default: 3; of several labels, all]")
@weights_option
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), metavar="FILE", help="Write a row for each image.")
@json_option
def command(
    run: Path, paths: tuple[Path, ...], top: int | None, weights: Which, csv_path: Path | None, as_json: bool
) -> None:
    """Say what the network of a RUN takes images to be: the likeliest classes with their probabilities.

    A PATH is an image, or a folder: then all images in it, and in folders below, are looked at.

    Of several labels, each has a probability of its own; numbers that were learned are printed in their own units.

    Images may be of any size, in PNG, JPEG, BMP, GIF, WebP, TIFF or PPM; `testing` in the spec says how they are
    framed. 16 bits a channel are divided by 257, and white shows through where images are transparent. Those that
    cannot be read are named at the end, with exit code 4; with --json, their `problem` says why.

    \b
    Examples:
      archbuilder predict runs/first cat.png
      archbuilder predict runs/first *.jpg --top 1 --json
      archbuilder predict runs/first photos/ --csv photos.csv
    """
    load_tensorflow()
    from archbuilder.data.reading import notes_of_depth
    from archbuilder.formatting import percent
    from archbuilder.markup import csv_text
    from archbuilder.training.prediction import csv_rows, images_in, predict
    from archbuilder.training.run.folder import Run

    found = images_in(paths)
    predictions = _shown(predict(Run.open(run), found.images, top, weights), len(found.images))
    if csv_path is not None:
        text = csv_text(csv_rows(predictions))
        replace_file(csv_path, lambda path: path.write_text(f"{text}\n", "utf-8"))
    if as_json:
        print_json([prediction.to_json() for prediction in predictions])
    else:
        for prediction in predictions:
            shares = [f"{one.name} {percent(one.probability)}" for one in prediction.classes]
            numbers = [f"{one.name} {one.number:.6g}" for one in prediction.numbers]
            if told := ", ".join([*shares, *numbers]):
                say(f"{prediction.image}: {told}")
    deep = sum((prediction.bits or 0) > 8 for prediction in predictions)
    print_notes([*found.notes, *notes_of_depth(deep, len(predictions))])
    problems = [prediction.problem for prediction in predictions if prediction.problem]
    if problems:
        raise MissingError("\n".join(problems))


def _shown(predictions: Iterator[Prediction], count: int) -> list[Prediction]:
    """The list of all predictions; a terminal shows the progress meanwhile."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    hidden = not console.is_terminal
    return list(track(predictions, "classifying", count, console=console, transient=True, disable=hidden))
