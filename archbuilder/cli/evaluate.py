"""archbuilder evaluate"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.atomic_files import replace_file
from archbuilder.cli.options import json_option, print_json, print_notes, print_table, require_picture
from archbuilder.cli.printing import say
from archbuilder.machine.loading import load_tensorflow

if TYPE_CHECKING:
    from archbuilder.training.run.folder import Which

weights_option = click.option(
    "--weights", type=click.Choice(["best", "final"]), default="best", show_default=True, help="Which weights to use."
)


@click.command()
@click.argument("runs", type=click.Path(path_type=Path), nargs=-1, required=True, metavar="RUN...")
@click.option("--data", type=click.Path(path_type=Path), metavar="PATH",
              help="Where the data set lies, or other data of its classes.")  # fmt: skip
@weights_option
@click.option("--csv", "csv_path", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the table of classes, with the confusion matrix, as CSV.")  # fmt: skip
@click.option("--mistakes", "sheet", type=click.Path(path_type=Path), metavar="FILE",
              help="Draw the most confident mistakes: a .png, .jpg or .webp.")  # fmt: skip
@json_option
def command(
    runs: tuple[Path, ...], data: Path | None, weights: Which, csv_path: Path | None, sheet: Path | None, as_json: bool
) -> None:
    """Measure the network of a finished or interrupted RUN on the test set, and on its validation images.

    Loss and accuracy (also of the likeliest five, where there are more than five classes); precision, recall and F1 of
    each class; which classes are taken for which; the expected calibration error (15 bins); and the mistakes that the
    network was most sure of. Of several labels, mean average precision and F1; of numbers, MAE, RMSE and R².

    Several runs of the same data, of whatever specs, are measured one by one and as an ensemble: their probabilities
    are averaged. FILEs are then of the ensemble. The folder of `train --seeds` or `--folds` stands for all of its runs.
    With --json, one run gives one object; several give `runs`, a list of such objects, and `ensemble`.

    \b
    Examples:
      archbuilder evaluate runs/first
      archbuilder evaluate runs/first --mistakes mistakes.png --csv classes.csv
      archbuilder evaluate runs/first --data other.npz --weights final --json
      archbuilder evaluate runs/first runs/second
    """
    if sheet is not None:
        require_picture(sheet)
    load_tensorflow()
    from archbuilder.markup import csv_text
    from archbuilder.training import mistakes_sheet
    from archbuilder.training.evaluation import measure
    from archbuilder.training.reporting import scores_text
    from archbuilder.training.reporting.tables import evaluation_table
    from archbuilder.training.run.several import runs_in
    from archbuilder.training.scores import mistakes

    measured = measure([one for run in runs for one in runs_in(run)], data, weights)
    if csv_path is not None:
        text = csv_text(scores_text.rows(measured.test))
        replace_file(csv_path, lambda path: path.write_text(f"{text}\n", "utf-8"))
    if sheet is not None:
        replace_file(sheet, mistakes_sheet.draw(mistakes(measured.answers), measured.images).save)
    facts = measured.facts
    if as_json:
        print_json(facts)
        return
    print_notes(note for one in facts.get("runs", [facts]) for note in one["notes"])
    print_table(evaluation_table(facts))
    if "runs" in facts:
        return
    for table in scores_text.tables(measured.test):
        print_table(table)
    for line in scores_text.lines(measured.test):
        say(line)
