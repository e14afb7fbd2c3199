"""archbuilder compare"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import SpecType, json_option, json_text, require_one_form, without_collection
from archbuilder.cli.printing import say, say_kept
from archbuilder.errors import UsageError

if TYPE_CHECKING:
    from archbuilder.side_by_side.networks import SideBySide
    from archbuilder.training.run.curves import Curves


@click.command()
@click.argument("subjects", type=SpecType(), nargs=-1, required=True, metavar="A B...")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Write a page: .html; or draw the curves of runs: .png, .svg, .pdf.")  # fmt: skip
@click.option("--batch-size", type=click.IntRange(1), metavar="N",
              help="The batch size of the memory of training.  [default: the first recipe's]")  # fmt: skip
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV: a line for each network or run.")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print Markdown.")
def command(
    subjects: tuple[str, ...],
    output: Path | None,
    batch_size: int | None,
    as_json: bool,
    as_csv: bool,
    as_markdown: bool,
) -> None:
    """Show networks or runs beside each other.

    Of specs: depth, parameters, multiply-adds, memory of training, receptive field and published errors, and their
    stages. Of runs (folders of one run, of several seeds or folds): what they came to, and with -o the curves of their
    errors, those of the validation or test set solid, those of training dashed. The keys of --json are in
    docs/compare.md.

    \b
    Examples:
      archbuilder compare related/vgg19 he2015/plain34 he2015/resnet34 he2015/resnet152
      archbuilder compare resnet20_v1 mine.yaml --markdown
      archbuilder compare resnet20_v1 resnet20_v2 -o page.html
      archbuilder compare runs/plain56 runs/resnet56 -o curves.svg
    """
    require_one_form(as_json, as_csv, as_markdown)

    def made() -> str:
        with without_collection():
            from archbuilder.side_by_side.sides import compared

            found = compared(subjects, batch_size)
            if output:
                _save(subjects, found, output, batch_size)
        if as_json:
            return json_text(found.to_json())
        return found.csv() if as_csv else found.markdown() if as_markdown else str(found)

    if output:
        say(made())
        say(output, err=as_json or as_csv or as_markdown)
        return
    say_kept(subjects, (), f"compare {batch_size} {as_json} {as_csv} {as_markdown}", made)


def _save(subjects: tuple[str, ...], found: SideBySide | Curves, path: Path, batch_size: int | None) -> None:
    from archbuilder.side_by_side.networks import SideBySide

    if path.suffix == ".html":
        from archbuilder.page.report import Options, page

        page(subjects, options=Options(batch_size=batch_size)).save(path)
    elif isinstance(found, SideBySide):
        raise UsageError("-o writes a page (.html); a network is drawn by `archbuilder draw`")
    else:
        found.save(path)
