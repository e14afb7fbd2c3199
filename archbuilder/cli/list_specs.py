"""archbuilder list"""

from __future__ import annotations

import click

from archbuilder.cli.options import json_option, print_json, without_collection
from archbuilder.cli.printing import say, say_as_it_is, terminal_width


@click.command("list")
@json_option
@click.option("--markdown", is_flag=True, help="Print the page docs/networks.md: which to take for what, and sources.")
def command(as_json: bool, markdown: bool) -> None:
    """List the bundled specs with depth, parameters and multiply-adds.

    \b
    Examples:
      archbuilder list
      archbuilder list --json
      archbuilder list --markdown > docs/networks.md
    """
    with without_collection():
        from archbuilder import catalogue, networks_page

        entries = catalogue.catalogue()
    if as_json:
        print_json([entry.to_json() for entry in entries])
    elif markdown:
        say_as_it_is(networks_page.markdown(entries))
    else:
        say(catalogue.render(entries, terminal_width()))
