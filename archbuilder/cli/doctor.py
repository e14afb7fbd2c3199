"""archbuilder doctor"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import json_option, print_json
from archbuilder.cli.printing import say, terminal_width
from archbuilder.errors import MissingError
from archbuilder.machine.loading import load_tensorflow

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
    from archbuilder.formatting import aligned, wrapped

    width = terminal_width()
    names = aligned([(finding.name, _state(finding)) for finding in findings])
    for name, finding in zip(names, findings, strict=True):
        say(wrapped(f"{name}  ", finding.found or finding.advice, width))


def _state(finding: Finding) -> str:
    return "ok     " if finding.is_there else "missing" if finding.is_needed else "-      "
