"""Arguments and options that several commands share, and how they print."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from archbuilder.cli.printing import say
from archbuilder.errors import UsageError
from archbuilder.weights.choices import Choices

if TYPE_CHECKING:
    from rich.table import Table

PICTURES = (".png", ".jpg", ".webp")
Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class SpecType(click.ParamType[str]):
    """A bundled spec by its name, or a YAML file by its path; the shell completes both."""

    name = "spec"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from archbuilder.spec import bundled

        names = [CompletionItem(name) for name in bundled() if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


spec_argument = click.argument("spec", type=SpecType())
edits_option = click.option(
    "--set", "edits", multiple=True, metavar="KEY=VALUE",
    help="Change the spec, such as --set stages.0.units=9; may be given several times.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
_weights_options = (
    click.option(
        "--weights", type=click.Path(path_type=Path), metavar="FILE",
        help="Take weights from a file, of ours or of other people's: Keras, PyTorch, safetensors or .npz.",
    ),
    click.option("--weights-part", metavar="PREFIX", help="Which network of a file with several, such as model_ema."),
    click.option("--assume-order", is_flag=True, help="Where names leave several ways, take layers in their order."),
    click.option("--adapt-stem", is_flag=True, help="Make a first convolution of another number of channels fit."),
)  # fmt: skip


def weights_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--weights`, and what decides where the file leaves something open, as `weights` and `choices`."""

    @wraps(command)
    def with_choices(weights_part: str | None, assume_order: bool, adapt_stem: bool, **others: Any) -> Any:
        if others["weights"] is None and (weights_part or assume_order or adapt_stem):
            raise UsageError("--weights-part, --assume-order and --adapt-stem say how to take --weights FILE")
        return command(choices=Choices(assume_order, adapt_stem, weights_part), **others)

    for option in reversed(_weights_options):
        with_choices = option(with_choices)
    return with_choices


@contextmanager
def without_collection() -> Iterator[None]:
    """Keeps the garbage collector away while modules, models and a graph are made, all of which are there to stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def json_text(data: object) -> str:
    import json

    return json.dumps(data, indent=2)


def require_picture(path: Path) -> None:
    """Raises UsageError where no picture of pixels has such a name."""
    if path.suffix.lower() not in PICTURES:
        raise UsageError(f"a picture is named .png, .jpg or .webp, not '{path.name}'")


def print_json(data: object) -> None:
    say(json_text(data))


def print_notes(notes: Iterable[str]) -> None:
    """What a person should know and no result says, on standard error."""
    for note in dict.fromkeys(notes):
        say(f"note: {note}", err=True)


def print_table(table: Table) -> None:
    """Prints a table; in a file or a pipe it is 200 columns wide, so that nothing is folded at 80."""
    from rich.console import Console

    Console(width=None if Console().is_terminal else 200, highlight=False).print(table)
