"""archbuilder list"""

from __future__ import annotations

import click

from archbuilder.cli.options import json_option, print_json


@click.command("list")
@json_option
def command(as_json: bool) -> None:
    """List the bundled specs with depth, parameters and multiply-adds.

    \b
    Examples:
      archbuilder list
      archbuilder list --json
    """
    from archbuilder.catalogue import catalogue, render

    entries = catalogue()
    if as_json:
        print_json([entry.to_json() for entry in entries])
    else:
        render(entries)
