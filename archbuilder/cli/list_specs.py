"""archbuilder list"""

from __future__ import annotations

import sys
from typing import Never

import click

from archbuilder.cli.options import json_option, json_text, print_json, print_notes, specs_option, without_collection
from archbuilder.cli.printing import report, say, say_as_it_is, say_kept, terminal_width
from archbuilder.errors import UsageError


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
    if words:
        _list_words(words, pattern, as_json)
        return
    with without_collection():
        from archbuilder import catalogue, networks_page, shared_specs

        specs = [one for one in catalogue.catalogue() if _fits(pattern, one.name, one.summary)]
        listed = () if markdown else shared_specs.shared_specs()
        theirs = [one for one in listed if _fits(pattern, one.name, one.summary)]
    if not markdown:
        print_notes(shared_specs.notes())
    if not (specs or theirs):
        _end_with_nothing(pattern)
    if as_json:
        print_json([one.to_json() for group in (specs, theirs) for one in group])
    elif markdown:
        say_as_it_is(networks_page.markdown(specs))
    else:
        width = terminal_width()
        bundled = [catalogue.render(specs, width)] if specs else []
        say("\n\n".join([*bundled, *([shared_specs.render(theirs, width)] if theirs else [])]))


def _list_words(group: str, pattern: str | None, as_json: bool) -> None:
    width = terminal_width()

    def made() -> str:
        with without_collection():
            from archbuilder.explaining.explanation import render_words
            from archbuilder.explaining.words import words_of

            found = [one for one in words_of(group) if _fits(pattern, one.name, one.summary)]
        if not found:
            _end_with_nothing(pattern)
        return json_text([one.to_json() for one in found]) if as_json else render_words(found, width)

    say_kept((), (), f"list {group} {pattern} {as_json} {width}", made)


def _end_with_nothing(pattern: str | None) -> Never:
    report(f"nothing is called '{pattern}'\n  hint: a part of a name, such as 50, or a pattern, such as 'he2015/*'")
    sys.exit(1)


def _fits(pattern: str | None, name: str, summary: str) -> bool:
    if pattern is None:
        return True
    from fnmatch import fnmatchcase

    wanted = pattern.lower()
    if set("*?[") & set(pattern):
        return fnmatchcase(name.lower(), wanted)
    return wanted in name.lower() or wanted in summary.lower()
