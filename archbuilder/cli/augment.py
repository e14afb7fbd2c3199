"""archbuilder augment"""

from __future__ import annotations

from pathlib import Path

import click

from archbuilder.atomic_files import replace_file
from archbuilder.cli.options import edits_option, print_notes, require_picture, spec_argument
from archbuilder.cli.printing import say
from archbuilder.machine.loading import load_tensorflow


@click.command()
@spec_argument
@click.option("--data", type=click.Path(path_type=Path), metavar="PATH", help="Where the data set lies.")
@click.option("--images", type=click.IntRange(1, 64), default=8, show_default=True, help="How many training images.")
@click.option("--epochs", type=click.IntRange(1, 64), default=8, show_default=True, help="How many epochs.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="The picture: .png, .jpg or .webp.  [default: SPEC.png]")  # fmt: skip
@edits_option
def command(
    spec: str, data: Path | None, images: int, epochs: int, output: Path | None, edits: tuple[str, ...]
) -> None:
    """Draw what the training of SPEC makes of its images: a row for each image, a column for each epoch.

    They are the very images that `train` would learn from, at the same seed. Where labels are mixed, their shares stand
    below.

    \b
    Examples:
      archbuilder augment quickstart
      archbuilder augment related/wide_resnet28_10 --data cifar-10-batches-py -o sheet.png
      archbuilder augment quickstart --set 'training.augment=[mixup]' --set training.seed=1 -o mixed.png
    """
    if output is not None:
        require_picture(output)
    from archbuilder.linting.linting import require_fitting
    from archbuilder.linting.recipe import Recipe
    from archbuilder.spec import load

    loaded = load(spec, edits)
    require_fitting(Recipe.of(loaded))
    load_tensorflow()
    from archbuilder.training.contact_sheet import draw
    from archbuilder.training.setup import prepare

    path, setup = output or Path(f"{Path(loaded.name).name}.png"), prepare(loaded, data)
    print_notes(setup.data.notes)
    replace_file(path, draw(setup, images, epochs).save)
    say(path)
