"""archbuilder train"""

from __future__ import annotations

from pathlib import Path

import click

from archbuilder.cli.options import SpecType, edits_option, weights_options
from archbuilder.errors import UsageError
from archbuilder.machine.loading import load_tensorflow
from archbuilder.weights.choices import Choices


class SeedsType(click.ParamType[int | tuple[int, ...]]):
    """A number of seeds, or a list of them."""

    name = "seeds"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int | tuple[int, ...]:
        try:
            numbers = tuple(int(part) for part in value.split(","))
        except ValueError:
            self.fail(f"'{value}' is neither a number of seeds, such as 5, nor a list of them, such as 0,1,2")
        return numbers if "," in value else numbers[0]


@click.command()
@click.argument("spec", type=SpecType(), required=False)
@click.option("--data", type=click.Path(path_type=Path), metavar="PATH", help="Where the data set lies.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR",
    help="The folder of the run, new or empty.  [default: runs/<name>-<time>]",
)  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Stop after N epochs instead of as the spec says.")
@weights_options
@click.option(
    "--freeze",
    metavar="PARTS",
    help="Keep the weights of these parts, such as stem,stage1, stage2/unit1, or norms: all norms.",
)
@edits_option
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with the run in this folder.")
@click.option(
    "--seeds", type=SeedsType(), metavar="SEEDS",
    help="Train with several seeds, one run after another: 5 (from the spec's seed on), or 0,1,2.",
)  # fmt: skip
@click.option(
    "--folds", type=click.IntRange(2, 1000), metavar="K",
    help="Train K times, each time with another of K parts of the training images held out.",
)  # fmt: skip
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line: start, note, epoch, result, summary."
)
@click.option(
    "--log", metavar="TRACKERS", help="Write for other tools, too: csv, tensorboard, wandb, or several: csv,wandb."
)
@click.option("--quiet", is_flag=True, help="Print only what it comes to.")
def command(
    spec: str | None,
    data: Path | None,
    out: Path | None,
    epochs: int | None,
    weights: Path | None,
    choices: Choices,
    freeze: str | None,
    edits: tuple[str, ...],
    resume: Path | None,
    seeds: int | tuple[int, ...] | None,
    folds: int | None,
    as_json: bool,
    log: str | None,
    quiet: bool,
) -> None:
    """Train the network of SPEC by the spec's own recipe.

    With --epochs, a learning rate that spans the run (linear, cosine, polynomial, one_cycle, steps in fractions) is
    scaled to the new length; the boundaries of steps in iterations or epochs stay where they are.

    Ctrl-C and SIGTERM stop it after a checkpoint, with exit code 130 or 143. --resume then goes on from the last
    checkpoint, and ends with the same weights as a run that was never interrupted (bit for bit on a CPU). It takes
    everything from the run's folder; only the place of the data may be given anew. A SPEC beside --resume is held to
    the one that the run began with, field by field.

    --resume RUN --epochs N, without SPEC, takes a finished run further, until N epochs in all. Where its learning rate
    spanned the run, --set training.learning_rate=... gives one for what is left.

    All GPUs that are visible share each batch. Processes on several machines do, too, when TF_CONFIG or Slurm brings
    them together: see docs/engines.md.

    With --weights, training begins with the weights of a file: see docs/weights.md. Norms in frozen parts keep their
    moving statistics, too.

    With --seeds, the folder holds a run for each seed and a summary: best, mean, deviation and median of the test
    error, beside what was published. --resume of that folder goes on with the runs that are missing. --folds does the
    same with parts of the training images in place of seeds: each image is held out once.

    With --log, each epoch also goes into RUN/metrics.csv, RUN/tensorboard/ or RUN/wandb/, and so it does when the run
    is resumed: see docs/runs.md.

    \b
    Examples:
      archbuilder train quickstart
      archbuilder train resnet20_v1 --data cifar-10-batches-py --epochs 1 --out runs/first
      archbuilder train --resume runs/first
      archbuilder train --resume runs/first --epochs 3 --set 'training.learning_rate={cosine: {initial: 0.01}}'
      archbuilder train he2015/resnet110 --seeds 5
      archbuilder train mine.yaml --folds 5
      archbuilder train quickstart --log csv,tensorboard
      archbuilder train mine.yaml --weights pretrained.weights.h5 --freeze stem,stage1
    """
    require_one(
        spec, resume, kept={"--out": out, "--weights": weights, "--freeze": freeze, "--seeds": seeds,
                           "--folds": folds, "--log": log},
    )  # fmt: skip
    if spec is None and edits and epochs is None:
        raise UsageError("--set beside --resume needs --epochs N: it says the learning rate of more epochs")
    if epochs and any(edit.startswith("training.stop") for edit in edits):
        raise UsageError("--epochs and --set training.stop both say how long the run is: leave one out")
    if seeds is not None and folds is not None:
        raise UsageError("--seeds and --folds both say in what the runs differ: leave one out")
    from archbuilder.linting.linting import require_fitting
    from archbuilder.linting.recipe import Recipe
    from archbuilder.spec import load

    loaded = None if spec is None else load(spec, edits)
    if loaded is not None:
        require_fitting(Recipe.of(loaded))  # before TensorFlow, so that mistakes show at once
    from archbuilder.training.trackers.tracker import chosen

    trackers = chosen(log) if log else ()
    load_tensorflow()
    from archbuilder.training import loop, sweep
    from archbuilder.training.reporting.progress import reporter_for
    from archbuilder.training.start import Start

    reporter = reporter_for(as_json, quiet)
    parts = [part.strip() for part in freeze.split(",")] if freeze else []
    start = Start(data, out, epochs, weights, choices, parts, trackers)
    if resume is not None:
        sweep.resume(resume, loaded, data=data, epochs=epochs, edits=edits, reporter=reporter)
    elif loaded is not None and seeds is not None:
        sweep.train_seeds(loaded, seeds, start, reporter)
    elif loaded is not None and folds is not None:
        sweep.train_folds(loaded, folds, start, reporter)
    elif loaded is not None:
        loop.train(loaded, start, reporter=reporter)


def require_one(spec: str | None, resume: Path | None, kept: dict[str, object]) -> None:
    """Raises UsageError unless there is a spec, or a run to resume and nothing that would change it."""
    if spec is None and resume is None:
        raise UsageError("either SPEC or --resume RUN is needed")
    changes = [option for option, value in kept.items() if value and resume is not None]
    if changes:
        raise UsageError(f"a run goes on as it began: {', '.join(changes)} cannot stand beside --resume")
