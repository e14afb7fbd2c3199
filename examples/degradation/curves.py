"""Gathers the four runs into one file of all epochs and one picture, after He et al. 2015, figures 1 and 6.

Prints how they ended.

python examples/degradation/curves.py runs/plain20 runs/plain56 runs/resnet20 runs/resnet56 -o examples/degradation
"""

from __future__ import annotations

import csv
from pathlib import Path

import click
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from archbuilder.training.run.folder import Run

COLUMNS = ("epoch", "learning_rate", "training_error", "validation_error")
COLOURS = {"20": "tab:orange", "56": "tab:blue"}
Row = dict[str, float]


def rows(run: Run) -> list[Row]:
    """Errors in percent, an epoch a row; of training, as the network saw the augmented images."""
    return [
        {
            "epoch": line["epoch"], "learning_rate": round(line["learning_rate"], 6),
            "training_error": round(100 * (1 - line["accuracy"]), 2),
            "validation_error": round(100 * (1 - line["validation_accuracy"]), 2),
        }
        for line in run.metrics()
    ]  # fmt: skip


def write_table(runs: dict[str, list[Row]], file: Path) -> None:
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.DictWriter(opened, ("network", *COLUMNS), lineterminator="\n")
        writer.writeheader()
        writer.writerows({"network": name, **row} for name, lines in runs.items() for row in lines)


def in_the_end(run: Run) -> str:
    """A line of the table in the README."""
    assert run.result is not None, f"{run.folder} is not finished"
    name, last, test = short_name(run), rows(run)[-1], 100 * (1 - run.result["final"]["test_accuracy"])
    return f"| {name} | {last['training_error']:.2f} % | {last['validation_error']:.2f} % | {test:.2f} % |"


def short_name(run: Run) -> str:
    return run.spec.name.rpartition("/")[2]


def draw(axes: Axes, title: str, runs: dict[str, list[Row]]) -> None:
    for name, lines in runs.items():
        epochs, colour = [line["epoch"] for line in lines], COLOURS[name[-2:]]
        axes.plot(epochs, [line["validation_error"] for line in lines], color=colour, lw=2, label=f"{name}, validation")
        axes.plot(
            epochs, [line["training_error"] for line in lines], "--", color=colour, lw=1, label=f"{name}, training"
        )
    axes.set(title=title, xlabel="epoch", ylabel="error, %")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


@click.command(help=__doc__)
@click.argument("folders", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True), metavar="RUN...")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), default=".", show_default=True)
def main(folders: tuple[Path, ...], output: Path) -> None:
    opened = [Run.open(folder) for folder in folders]
    click.echo("| | training error | validation error | test error |\n| --- | ---: | ---: | ---: |")
    for run in opened:
        click.echo(in_the_end(run))
    runs = {short_name(run): rows(run) for run in opened}
    write_table(runs, output / "degradation.csv")
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    draw(left, "plain", {name: lines for name, lines in runs.items() if name.startswith("plain")})
    draw(right, "residual", {name: lines for name, lines in runs.items() if name.startswith("resnet")})
    figure.savefig(output / "degradation.png", dpi=110)


if __name__ == "__main__":
    main()
