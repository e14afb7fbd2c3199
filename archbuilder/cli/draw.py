"""archbuilder draw"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import edits_option, print_notes, spec_argument
from archbuilder.cli.printing import say

if TYPE_CHECKING:
    from archbuilder.aliases import Level


@click.command()
@spec_argument
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE",
              help="The file; its extension svg, png, pdf or dot says the format.  [default: SPEC.svg]")  # fmt: skip
@click.option("--level", type=click.Choice(["stage", "unit", "layer"]), default="stage", show_default=True,
              help="Stages with equal units folded, every unit, or every layer.")  # fmt: skip
@edits_option
def command(spec: str, output: Path | None, level: Level, edits: tuple[str, ...]) -> None:
    """Draw the network of SPEC.

    Shortcuts are solid where they are the identity, dashed where they project, and dotted where they change the
    shape without weights.

    \b
    Examples:
      archbuilder draw resnet20_v1
      archbuilder draw resnet56_v2 -o resnet56.pdf --level unit
      archbuilder draw my_network.yaml -o wider.svg --set stages.2.filters=128
    """
    from archbuilder.diagram.dot import diagram
    from archbuilder.diagram.files import save
    from archbuilder.expansion.expansion import expand
    from archbuilder.graph.words import left_out
    from archbuilder.spec import load

    graph = expand(load(spec, edits))
    print_notes(left_out(graph))
    path = output or Path(f"{Path(graph.name).name}.svg")
    save(diagram(graph, level), path)
    say(path)
