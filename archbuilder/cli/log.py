"""archbuilder log"""

from __future__ import annotations

from pathlib import Path

import click

from archbuilder.cli.printing import say


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--to", required=True, metavar="TRACKERS", help="csv, tensorboard, wandb, or several: csv,wandb.")
def command(run: Path, to: str) -> None:
    """Give the numbers of a RUN to other tools: all its epochs, and what it came to.

    csv writes RUN/metrics.csv, tensorboard RUN/tensorboard/, wandb RUN/wandb/ (offline without an account); what an
    earlier call left there is replaced. The folder of `train --seeds` stands for all of its runs. `train --log` does
    the same while a network is trained.

    \b
    Examples:
      archbuilder log runs/first --to csv
      archbuilder log runs/first --to tensorboard && tensorboard --logdir runs
    """
    from archbuilder.training.run.listing import opened
    from archbuilder.training.trackers.tracker import chosen, replay

    names = chosen(to)
    for one in opened(run):
        replay(one, names)
        say(one.folder)
