"""archbuilder explain"""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from archbuilder.cli.options import json_option, json_text, without_collection
from archbuilder.cli.printing import say, say_kept
from archbuilder.errors import UsageError


class WordType(click.ParamType[str]):
    """A word of the language; the shell completes it."""

    name = "name"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from archbuilder.explaining.words import names

        return [CompletionItem(name) for name in names() if name.startswith(incomplete)]


@click.command()
@click.argument("name", type=WordType(), required=False)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="Draw a unit or a shortcut: .svg, .png, .pdf, .dot.")  # fmt: skip
@json_option
def command(name: str | None, output: Path | None, as_json: bool) -> None:
    """Say what NAME means: a unit, a shortcut, a layer, a learning rate, an augmentation, a key of a spec.

    Its documentation, its settings with their defaults, and an example; of units and shortcuts also their YAML. Without
    NAME, all words are listed.

    \b
    Examples:
      archbuilder explain bottleneck -o bottleneck.svg
      archbuilder explain cosine
      archbuilder explain training.augment
    """
    if name is None and (output or as_json):
        raise UsageError("-o and --json need a NAME, such as bottleneck")
    if output:
        say(_explained(name, output, as_json))
        return
    say_kept((), (), f"explain {name} {as_json}", lambda: _explained(name, None, as_json))


def _explained(name: str | None, output: Path | None, as_json: bool) -> str:
    with without_collection():
        from archbuilder.explaining import picture, words

        if name is None:
            return words.overview()
        found = words.explain(name)
    if output:
        picture.save_picture(found[0], output)
    if as_json:
        return json_text([one.to_json() for one in found])
    return "\n\n".join([*map(str, found), *([str(output)] if output else [])])
