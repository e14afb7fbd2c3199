"""archbuilder evaluate"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import json_option, load_tensorflow, print_json

if TYPE_CHECKING:
    from archbuilder.training.run import Which

run_argument = click.argument("run", type=click.Path(path_type=Path))
weights_option = click.option(
    "--weights", type=click.Choice(["best", "final"]), default="best", show_default=True, help="Which weights to use."
)


@click.command()
@run_argument
@click.option("--data", type=click.Path(path_type=Path), metavar="PATH", help="Where the data set lies.")
@weights_option
@json_option
def command(run: Path, data: Path | None, weights: Which, as_json: bool) -> None:
    """Measure the network of a finished or interrupted RUN on the test set, and on its validation images.

    \b
    Examples:
      archbuilder evaluate runs/first
      archbuilder evaluate runs/first --data other.npz --weights final --json
    """
    load_tensorflow()
    from archbuilder.training.evaluation import evaluate
    from archbuilder.training.progress import evaluation_lines
    from archbuilder.training.run import Run

    measured = evaluate(Run.open(run), data, weights)
    if as_json:
        print_json(measured)
    else:
        click.echo("\n".join(evaluation_lines(measured)))
