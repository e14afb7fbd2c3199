"""archbuilder lint"""

from __future__ import annotations

import sys

import click

from archbuilder.cli.options import edits_option, json_option, print_json, spec_argument
from archbuilder.cli.printing import report


@click.command()
@spec_argument
@json_option
@edits_option
def command(spec: str, as_json: bool, edits: tuple[str, ...]) -> None:
    """Warn of contradictions in the recipe of SPEC, each at its line and column.

    Exit code 0 if there are none, 1 if there are some. docs/lint.md explains each rule.

    \b
    Examples:
      archbuilder lint my_network.yaml
      archbuilder lint resnet20_v1 --set training.optimizer=sgd
    """
    from archbuilder.linting.linting import lint
    from archbuilder.spec import load

    warnings = lint(load(spec, edits))
    if as_json:
        print_json([warning.to_json() for warning in warnings])
    else:
        report("\n".join(map(str, warnings)) or f"{spec}: no contradictions", err=False)
    sys.exit(1 if warnings else 0)
