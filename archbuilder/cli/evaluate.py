"""archbuilder evaluate"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import json_option, print_json, print_notes, print_table
from archbuilder.machine.loading import load_tensorflow

if TYPE_CHECKING:
    from archbuilder.training.run.folder import Which

weights_option = click.option(
    "--weights", type=click.Choice(["best", "final"]), default="best", show_default=True, help="Which weights to use."
)


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN...")
@click.option("--data", type=click.Path(path_type=Path), metavar="PATH", help="Where the data set lies.")
@weights_option
@json_option
def command(runs: tuple[Path, ...], data: Path | None, weights: Which, as_json: bool) -> None:
    """Measure the network of a finished or interrupted RUN on the test set, and on its validation images.

    Several runs of the same data, of whatever specs, are measured one by one and as an ensemble: their probabilities
    are averaged. The folder of `train --seeds` or `--folds` stands for all of its runs. With --json, one run gives one
    object; several give `runs`, a list of such objects, and `ensemble`.

    \b
    Examples:
      archbuilder evaluate runs/first
      archbuilder evaluate runs/first --data other.npz --weights final --json
      archbuilder evaluate runs/first runs/second
    """
    load_tensorflow()
    from archbuilder.training.evaluation import evaluate
    from archbuilder.training.reporting.tables import evaluation_table
    from archbuilder.training.sweep import runs_in

    measured = evaluate([one for run in runs for one in runs_in(run)], data, weights)
    if as_json:
        print_json(measured)
        return
    print_notes(note for one in measured.get("runs", [measured]) for note in one["notes"])
    print_table(evaluation_table(measured))
