"""archbuilder runs"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import json_option, print_json, print_notes
from archbuilder.cli.printing import say
from archbuilder.formatting import aligned, percent, printable

if TYPE_CHECKING:
    from archbuilder.training.run.listing import Line

HEADS = ("run", "network", "data", "began", "state", "epochs", "best", "last", "test")


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="runs", metavar="[DIR]")
@json_option
def command(folder: Path, as_json: bool) -> None:
    """List the runs in and below DIR (runs, unless it is given), the oldest first.

    `best` and `last` are of the validation images: the accuracy, or the mean absolute error of numbers. `test` is what
    the best weights came to, once a run is finished. A run is running, stopped (killed or interrupted: `train --resume`
    goes on with it), finished, or diverged.

    \b
    Examples:
      archbuilder runs
      archbuilder runs experiments --json
    """
    from archbuilder.training.run import listing

    lines = listing.runs(folder)
    if as_json:
        print_json([line.to_json() for line in lines])
        return
    readable = [line for line in lines if line.problem is None]
    if readable:
        rows = [HEADS, *map(_row, readable)]
        say("\n".join(aligned(rows, right={5, 6, 7, 8})))
    elif not lines:
        say(f"there are no runs in {printable(str(folder))}")
    print_notes(line.problem for line in lines if line.problem is not None)


def _row(line: Line) -> tuple[str, ...]:
    """The cells of a run; the time without seconds."""
    values = (line.best, line.last, line.test)
    shown = (
        "-" if value is None else percent(value) if line.metric == "accuracy" else f"{value:.4g}" for value in values
    )
    names = map(printable, (line.folder, line.network, line.data, line.began[:16]))
    return (*names, line.state or "", str(line.epochs), *shown)
