"""archbuilder doctor"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import json_option, load_tensorflow, print_json
from archbuilder.errors import MissingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archbuilder.doctor import Finding


@click.command()
@json_option
def command(as_json: bool) -> None:
    """Say what this machine offers: software, devices, precision, memory, drawing, data sets.

    The exit code is 0 where networks can be built and trained, and 4 where something is missing for that.

    \b
    Examples:
      archbuilder doctor
      archbuilder doctor --json
    """
    with suppress(Exception):  # whether it can be loaded is what is asked
        load_tensorflow()
    from archbuilder.doctor import examine

    findings = list(examine())
    if as_json:
        print_json([asdict(finding) | {"is_there": finding.is_there} for finding in findings])
    else:
        _print(findings)
    if any(finding.is_needed and not finding.is_there for finding in findings):
        sys.exit(MissingError.exit_code)


def _print(findings: Sequence[Finding]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, show_header=False, pad_edge=False)
    for finding in findings:
        state = "ok" if finding.is_there else "missing" if finding.is_needed else "-"
        table.add_row(finding.name, state, finding.found or finding.advice)
    Console(markup=False, highlight=False).print(table)
