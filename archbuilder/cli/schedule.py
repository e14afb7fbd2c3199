"""archbuilder schedule"""

from __future__ import annotations

from pathlib import Path

import click

from archbuilder.cli.options import edits_option, json_option, print_json, spec_argument
from archbuilder.cli.printing import say


@click.command()
@spec_argument
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="For N epochs instead of as the spec says.")
@click.option("--images", type=click.IntRange(1), metavar="N", help="How many training images there are.")
@click.option("--data", type=click.Path(path_type=Path), metavar="PATH", help="Where they lie, to be counted.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Draw the curve: .png, .svg, .pdf."
)
@json_option
@edits_option
def command(
    spec: str,
    epochs: int | None,
    images: int | None,
    data: Path | None,
    output: Path | None,
    as_json: bool,
    edits: tuple[str, ...],
) -> None:
    """Print the learning rate of SPEC: where it changes, in iterations, epochs and the share of the run, and the curve.

    The sizes of digits, CIFAR-10 and CIFAR-100 are known; for other data, --images or --data says how many images there
    are for training, before some are held out.

    \b
    Examples:
      archbuilder schedule he2015/resnet20
      archbuilder schedule he2015/resnet50 --images 1281167
      archbuilder schedule mine.yaml --epochs 30 -o curve.svg
    """
    from archbuilder.learning_rate import plot
    from archbuilder.learning_rate.timetable import print_timetable, timetable
    from archbuilder.spec import load

    loaded = load(spec, edits)
    left = None
    if data is not None and loaded.training is not None:
        from archbuilder.data.count import learned_from

        left = learned_from(loaded.training.data, data)
    found = timetable(loaded, images, epochs, left=left)
    if as_json:
        print_json(found.to_json())
    else:
        print_timetable(found)
        say(f"\n{plot.render(found)}")
        for note in found.notes:
            say(f"note: {note}")
    if output:
        plot.save(found, output)
