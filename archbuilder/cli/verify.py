"""archbuilder verify"""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from archbuilder.cli.options import (
    SpecType,
    edits_option,
    json_option,
    print_json,
    print_notes,
    spec_argument,
    without_collection,
)
from archbuilder.cli.printing import say


@click.command()
@spec_argument
@click.option("--against", type=SpecType(), metavar="SPEC",
              help="The network that it should be.  [default: the nearest of the bundled ones]")  # fmt: skip
@json_option
@edits_option
def command(spec: str, against: str | None, as_json: bool, edits: tuple[str, ...]) -> None:
    """Say whether SPEC is a published network, and if not, in what it deviates and what that costs.

    Exit code 0 if it is that network, 1 if it is not. The keys of --json are documented in docs/verify.md.

    \b
    Examples:
      archbuilder verify my_network.yaml --against he2015/resnet56
      archbuilder verify my_network.yaml
      archbuilder verify resnet20_v1 --against he2015/resnet20 --set shortcut=zero_pad
    """
    with without_collection():
        from archbuilder.comparison.comparison import compare
        from archbuilder.comparison.nearest import nearest_bundled
        from archbuilder.comparison.result import render
        from archbuilder.expansion.expansion import expand
        from archbuilder.graph.words import left_out
        from archbuilder.spec import load

        mine = replace(expand(load(spec, edits)), name=f"{spec} as edited" if edits else spec)
        print_notes(left_out(mine))
        other = replace(expand(load(against)), name=against) if against else None
        found = compare(mine, other) if other else nearest_bundled(mine)
    if as_json:
        print_json(found.to_json())
    else:
        say(render(found))
    sys.exit(0 if found.same else 1)
