"""archbuilder completion"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands, options and the names of specs.

    \b
    Examples:
      eval "$(archbuilder completion bash)"      # in ~/.bashrc
      archbuilder completion fish > ~/.config/fish/completions/archbuilder.fish
    """
    completion = get_completion_class(shell)
    assert completion is not None  # click.Choice has checked it
    click.echo(completion(ctx.find_root().command, {}, "archbuilder", "_ARCHBUILDER_COMPLETE").source())
