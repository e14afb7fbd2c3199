"""archbuilder validate"""

from __future__ import annotations

import sys

import click

from archbuilder.cli.options import SpecType, json_option, print_json
from archbuilder.cli.printing import report


@click.command()
@click.argument("specs", nargs=-1, required=True, type=SpecType(), metavar="SPEC...")
@json_option
def command(specs: tuple[str, ...], as_json: bool) -> None:
    """Check each SPEC and show all of its mistakes, each at its line and column.

    Exit code 0 if all are right, 3 if one has a mistake, 4 if one is not there.

    \b
    Examples:
      archbuilder validate my_network.yaml
      archbuilder validate specs/*.yaml --json
    """
    from archbuilder.validation import validate

    results = [validate(spec) for spec in specs]
    if as_json:
        print_json([result.to_json() for result in results])
    for result in results if not as_json else ():
        report(result, err=result.exit_code != 0)
    sys.exit(max(result.exit_code for result in results))
