"""Plots the metrics of a run: training and validation accuracy, loss and learning rate against epochs.

python benchmarks/curve.py runs/NAME -o curve.png
"""

from __future__ import annotations

from pathlib import Path

import click
from matplotlib.figure import Figure

from archbuilder.training.run.folder import Run


@click.command(help=__doc__)
@click.argument("run", type=click.Path(path_type=Path, exists=True))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True)
def main(run: Path, output: Path) -> None:
    metrics = Run.open(run).metrics()
    epochs = [line["epoch"] for line in metrics]
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    accuracy, loss, rate = figure.subplots(1, 3)
    for axes, name, scale in ((accuracy, "accuracy", 100), (loss, "loss", 1)):
        axes.plot(epochs, [scale * line[name] for line in metrics], label="training, augmented")
        axes.plot(epochs, [scale * line[f"validation_{name}"] for line in metrics], label="validation")
        axes.legend(frameon=False)
    accuracy.set_ylabel("accuracy, %")
    loss.set_ylabel("cross-entropy")
    rate.plot(epochs, [line["learning_rate"] for line in metrics], color="0.4")
    rate.set_ylabel("learning rate at the end of the epoch")
    for axes in (accuracy, loss, rate):
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.3)
    figure.savefig(output, dpi=110)
    click.echo(output)


if __name__ == "__main__":
    main()
