"""The command line: parse, call, print, exit code. Each command is imported only when it is asked for."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
from importlib import import_module
from io import StringIO, TextIOWrapper
from types import FrameType
from typing import Any, Never

import click

from archbuilder.errors import ArchbuilderError, StoppedError, TerminatedError

COMMANDS = {
    "new": "Look at your images, and write a spec that trains on them.",
    "build": "Compile a network, or print what it costs.",
    "draw": "Draw a network as SVG, PNG, PDF or DOT.",
    "report": "Write all there is to see of a network or a run as one page.",
    "verify": "Say whether a network is a published one, and why not.",
    "explain": "Say what a word of the language means, with an example.",
    "compare": "Show networks or runs beside each other.",
    "family": "Make an ablation: other numbers of units, other shortcuts.",
    "diff": "Say what changes from one network and recipe to another.",
    "train": "Train a network by its own recipe.",
    "schedule": "Print and plot the learning rate of a recipe.",
    "augment": "Draw what training makes of its images.",
    "evaluate": "Measure a trained network on its test set.",
    "predict": "Classify images with a trained network.",
    "export": "Hand a network over: ONNX, Keras, TensorFlow and others.",
    "import": "Write the spec of a Keras or ONNX model.",
    "runs": "List the runs of a folder, and what became of them.",
    "log": "Give the numbers of a run to other tools.",
    "list": "List the bundled specs.",
    "show": "Print a spec.",
    "validate": "Check specs, showing every mistake at its place.",
    "lint": "Warn of recipes that contradict themselves.",
    "schema": "Print the JSON schema of specs, for editors.",
    "doctor": "Say what this machine offers, and what is missing.",
    "completion": "Print the script for shell completion.",
}

_MODULES = {"list": "list_specs", "import": "import_model"}
"""The modules of commands whose names are words of Python."""


class _Commands(click.Group):
    """Commands in the order of a first visit, their modules loaded on demand."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"archbuilder.cli.{_MODULES.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        from archbuilder.cli.options import reads_specs, specs_option

        if reads_specs(command) and not any(param.name == "_searched" for param in command.params):
            specs_option(command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Runs a command; one that a signal interrupts cleans up and says that it was stopped."""
        signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise StoppedError("stopped") from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from archbuilder.errors import suggest
            from archbuilder.formatting import printable

            message = f"there is no command '{printable(args[0])}'\n  hint: {suggest(args[0], COMMANDS, 'commands')}"
            raise click.UsageError(message, ctx) from None


def _terminate(number: int, frame: FrameType | None) -> Never:
    raise TerminatedError("terminated")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="archbuilder", prog_name="archbuilder")
def cli() -> None:
    """Residual networks from declarative YAML specs.

    \b
    Examples:
      archbuilder new flowers.yaml --data flowers
      archbuilder build resnet56_v2 --summary
      archbuilder draw resnet20_v1 -o resnet20.svg
      archbuilder train quickstart
    """


def main() -> None:
    """Runs the command line; what archbuilder reports on purpose is one message and an exit code, never a traceback."""
    atexit.register(gc.freeze)  # what ends with the process need not be looked through once more, which takes a tenth
    _fill_standard_streams()
    _replace_what_cannot_be_encoded()
    try:
        from archbuilder.cli.printing import report

        sys.exit(cli(prog_name="archbuilder", standalone_mode=False))
    except click.ClickException as error:
        _show(error)
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):  # maybe while the first modules were loaded
        click.echo("stopped", err=True)
        sys.exit(StoppedError.exit_code)
    except ArchbuilderError as error:
        report(_message(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # Whoever read our output has gone; nothing more can be said to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except OSError as error:
        report(f"error: {error.filename or 'input or output'}: {error.strerror or error}")
        sys.exit(1)


def _fill_standard_streams() -> None:
    """Opens the standard streams that the shell has closed, since the next opened file would take their place.

    Opening takes the lowest number that is free.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)


def _replace_what_cannot_be_encoded() -> None:
    """Lets what the locale has no character for become `?`."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")


def _show(error: click.ClickException) -> None:
    """Shows what is wrong with the words of a command line; these may hold anything."""
    from archbuilder.cli.printing import report

    words = StringIO()
    error.show(words)
    report(words.getvalue().rstrip("\n").expandtabs(2))  # tabs stand before choices


def _message(error: ArchbuilderError) -> str:
    """Diagnostics bring their own form, and to be stopped is no error; every other message begins with `error:`."""
    from archbuilder.errors import SpecError

    if isinstance(error, SpecError):
        from archbuilder.expansion.expansion import with_others

        return str(with_others(error))
    return str(error) if isinstance(error, StoppedError) else f"error: {error}"
