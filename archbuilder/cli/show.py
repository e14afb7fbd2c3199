"""archbuilder show"""

from __future__ import annotations

import click

from archbuilder.cli.options import edits_option, spec_argument
from archbuilder.cli.printing import say_as_it_is


@click.command()
@spec_argument
@click.option(
    "--resolved", is_flag=True, help="Write everything out: nothing inherited, templates and defaults included."
)
@edits_option
def command(spec: str, resolved: bool, edits: tuple[str, ...]) -> None:
    """Print SPEC as it stands in its file, or resolved.

    A resolved spec depends on no other file and loads to the same network.

    \b
    Examples:
      archbuilder show resnet32_v1
      archbuilder show resnet32_v1 --resolved > mine.yaml
      archbuilder show resnet20_v1 --resolved --set shortcut=projection
    """
    from archbuilder.spec import load
    from archbuilder.spec.document import parse
    from archbuilder.spec.files import text_of
    from archbuilder.spec.loading import locate

    if resolved or edits:
        say_as_it_is(load(spec, edits).dump())
    else:
        text = text_of(locate(spec))
        parse(text, spec)  # which refuses what is no YAML, such as characters that a terminal would act on
        say_as_it_is(text)
