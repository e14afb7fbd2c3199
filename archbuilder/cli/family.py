"""archbuilder family"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import edits_option, json_option, json_text, spec_argument, without_collection
from archbuilder.cli.printing import say, say_kept
from archbuilder.errors import UsageError
from archbuilder.machine.loading import load_tensorflow

if TYPE_CHECKING:
    from archbuilder.side_by_side.ablation import Family


class UnitsType(click.ParamType[tuple[int | tuple[int, ...], ...]]):
    """Numbers of units, each for all stages, or one for each stage."""

    name = "units"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int | tuple[int, ...], ...]:
        try:
            numbers = [tuple(int(count) for count in part.split("-")) for part in value.split(",")]
        except ValueError:
            self.fail(f"'{value}' is no list of numbers of units, such as 3,5,7, or 3-4-6-3,3-4-23-3 stage by stage")
        return tuple(one[0] if len(one) == 1 else one for one in numbers)


@click.command()
@spec_argument
@click.option("--units", type=UnitsType(), metavar="N,...", help="Units of every stage, such as 3,5,7,9.")
@click.option("--shortcut", metavar="NAME,...", help="Shortcuts, such as none,zero_pad,projection.")
@click.option("--train", "trains", is_flag=True, help="Train each network, and draw their curves.")
@click.option("--seeds", type=click.IntRange(1, 1000), metavar="N", help="With so many seeds each.  [default: 1]")
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="For N epochs instead of as the spec says.")
@click.option("--data", type=click.Path(path_type=Path), metavar="PATH", help="Where the data set lies.")
@click.option("-o", "--output", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="The folder of specs, table, runs and picture.")  # fmt: skip
@json_option
@edits_option
def command(
    spec: str,
    units: tuple[int | tuple[int, ...], ...] | None,
    shortcut: str | None,
    trains: bool,
    seeds: int | None,
    epochs: int | None,
    data: Path | None,
    output: Path | None,
    as_json: bool,
    edits: tuple[str, ...],
) -> None:
    """Make an ablation from SPEC: the same network with other numbers of units and other shortcuts.

    Each number of units is combined with each shortcut. The folder gets a spec for each network and a table; with
    --train also a run (or one for each seed) and the curves in one picture. The same command again goes on where it was
    stopped.

    \b
    Examples:
      archbuilder family he2015/resnet20 --units 3,5,7,9 --shortcut none,zero_pad
      archbuilder family he2015/resnet50 --units 3-4-6-3,3-4-23-3,3-8-36-3 -o imagenet
      archbuilder family resnet20_fast --units 3,5 --shortcut none,projection --train --seeds 3 -o ablation
    """
    if not trains and (seeds or epochs or data):
        raise UsageError("--seeds, --epochs and --data are for --train")
    if trains and output is None:
        raise UsageError("--train needs a folder for its runs: -o DIR")
    names = tuple(name.strip() for name in shortcut.split(",")) if shortcut else ()

    def made() -> Family:
        with without_collection():
            from archbuilder.side_by_side import ablation
            from archbuilder.spec import load

            return ablation.family(load(spec, edits), units or (), names)

    def text(found: Family) -> str:
        return json_text(found.to_json()) if as_json else str(found)

    if output is None:
        say_kept([spec], edits, f"family {units} {names} {as_json}", lambda: text(made()))
        return
    found = made()
    from archbuilder.side_by_side import ablation

    training = ablation.Training(seeds or 1, epochs, data) if trains else None
    ablation.save(found, output, training)
    if training:
        load_tensorflow()
        from archbuilder.training.reporting.progress import reporter_for

        found = ablation.train(found, output, training, reporter_for(as_json=False, quiet=as_json))
    say(text(found))
    if not as_json:
        say(f"\n{output}")
