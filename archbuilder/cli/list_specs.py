"""archbuilder list"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import json_option, print_json, print_notes, specs_option, without_collection
from archbuilder.cli.printing import report, say, say_as_it_is, terminal_width
from archbuilder.errors import UsageError

if TYPE_CHECKING:
    from archbuilder.explaining.explanation import Explanation


@click.command("list")
@click.argument("pattern", required=False)
@click.option("--units", "words", flag_value="units", help="List the units of the library instead.")
@click.option("--shortcuts", "words", flag_value="shortcuts", help="List its shortcuts.")
@click.option("--ops", "words", flag_value="ops", help="List the layers.")
@json_option
@click.option("--markdown", is_flag=True, help="Print the page docs/networks.md: which to take for what, and sources.")
@specs_option
def command(pattern: str | None, words: str | None, as_json: bool, markdown: bool) -> None:
    """List the bundled specs with depth, parameters and multiply-adds, and other people's, or only those of PATTERN.

    A PATTERN with * or ? is that of a whole name. Any other is part of a name or of what the list says of it. Exit
    code 1 if nothing fits.

    \b
    Examples:
      archbuilder list
      archbuilder list 'he2015/*'
      archbuilder list --units
      archbuilder list --json
      archbuilder list --markdown > docs/networks.md
    """
    if markdown and (pattern or words):
        raise UsageError("--markdown stands alone")
    with without_collection():
        from archbuilder import catalogue, networks_page, shared_specs

        specs = [one for one in catalogue.catalogue() if _fits(pattern, one.name, one.summary)] if not words else []
        found = _words(words, pattern) if words else []
        listed = () if words or markdown else shared_specs.shared_specs()
        theirs = [one for one in listed if _fits(pattern, one.name, one.summary)]
    if not (words or markdown):
        print_notes(shared_specs.notes())
    if not (specs or found or theirs):
        report(f"nothing is called '{pattern}'\n  hint: a part of a name, such as 50, or a pattern, such as 'he2015/*'")
        sys.exit(1)
    if as_json:
        print_json([one.to_json() for group in (specs, theirs, found) for one in group])
    elif markdown:
        say_as_it_is(networks_page.markdown(specs))
    elif found:
        from archbuilder.explaining.explanation import render_words

        say(render_words(found, terminal_width()))
    else:
        width = terminal_width()
        bundled = [catalogue.render(specs, width)] if specs else []
        say("\n\n".join([*bundled, *([shared_specs.render(theirs, width)] if theirs else [])]))


def _words(group: str, pattern: str | None) -> list[Explanation]:
    from archbuilder.explaining.words import words_of

    return [one for one in words_of(group) if _fits(pattern, one.name, one.summary)]


def _fits(pattern: str | None, name: str, summary: str) -> bool:
    if pattern is None:
        return True
    from fnmatch import fnmatchcase

    wanted = pattern.lower()
    if set("*?[") & set(pattern):
        return fnmatchcase(name.lower(), wanted)
    return wanted in name.lower() or wanted in summary.lower()
