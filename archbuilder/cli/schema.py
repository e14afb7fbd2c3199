"""archbuilder schema"""

from __future__ import annotations

import click

from archbuilder.cli.options import print_json, specs_option


@click.command()
@specs_option
def command() -> None:
    """Print the JSON schema of specs, with the names of other people's that there are here.

    An editor that knows YAML schemas then completes keys and shows what they mean.

    \b
    Example:
      archbuilder schema > archbuilder.schema.json
      # first line of a spec: # yaml-language-server: $schema=archbuilder.schema.json
    """
    from archbuilder.spec.schema import json_schema

    print_json(json_schema())
