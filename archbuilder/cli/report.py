"""archbuilder report"""

from __future__ import annotations

from pathlib import Path

import click

from archbuilder.cli.options import SpecType, edits_option, without_collection
from archbuilder.cli.printing import say


@click.command()
@click.argument("subjects", type=SpecType(), nargs=-1, required=True, metavar="SPEC|RUN...")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="The page, which ends in .html.  [default: the name of the first, .html]")  # fmt: skip
@click.option("--images", type=click.IntRange(1, 2**31), metavar="N",
              help="How many training images there are, for the learning rate; some SPECs do not say it.")  # fmt: skip
@click.option("--data", type=click.Path(path_type=Path), metavar="PATH",
              help="Where the data of a RUN lies, for the images of mistakes.  [default: where it was]")  # fmt: skip
@click.option("--no-pictures", is_flag=True, help="Leave out the images of mistakes.")
@edits_option
def command(
    subjects: tuple[str, ...], output: Path | None, images: int | None, data: Path | None, no_pictures: bool,
    edits: tuple[str, ...],
) -> None:  # fmt: skip
    """Write all there is to see of a network or a run as one HTML page, which needs no other file and no network.

    Of a SPEC: the network with the shapes and costs of each unit, a table of costs, receptive fields, ways, memory of
    training, the recipe and its learning rate. Of a RUN also its curves, what it gets wrong, and how to repeat it.
    Several are compared: side by side, with what changes from the first to the others, and the curves of runs.

    \b
    Examples:
      archbuilder report he2015/resnet152
      archbuilder report my_network.yaml -o wider.html --set stages.2.filters=128
      archbuilder report runs/first -o first.html --data photos
      archbuilder report he2015/plain34 he2015/resnet34 -o shortcuts.html
    """
    with without_collection():
        from archbuilder.page.report import Options, page

        made = page(subjects, edits, Options(images, data, not no_pictures))
        say(made.save(output or Path(f"{_stem(subjects[0])}.html")))


def _stem(subject: str) -> str:
    """What a page is called where nobody says it."""
    path = Path(subject)
    return (path.stem if path.suffix in (".yaml", ".yml", ".keras") else path.name) or "report"
