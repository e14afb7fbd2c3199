"""Arguments and options that several commands share, and how they print."""

from __future__ import annotations

import gc
import os
import re
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


_SEARCHED = f"{__name__}.searched"
"""Where a context has the folders of `--specs`, for completion, which comes after the command line was read."""


class SpecType(click.ParamType[str]):
    """A bundled spec by its name, or a YAML file by its path; the shell completes both."""

    name = "spec"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from archbuilder.spec import bundled, others

        with others.searching(ctx.meta.get(_SEARCHED, ())):
            known = (*bundled(), *others.names("specs"))
        names = [CompletionItem(name) for name in known if name.startswith(incomplete)]
        return [*names, CompletionItem(incomplete, type="file")]


def _search(ctx: click.Context, param: click.Parameter, folders: tuple[Path, ...]) -> None:
    """Puts folders before those of the search path, for as long as the command runs."""
    if not folders:
        return
    from archbuilder.spec.others import searching  # which loads the models of specs, and what is kept needs none

    for folder in folders:
        if os.pathsep in str(folder):
            raise UsageError(f"the name of a folder that is searched has no '{os.pathsep}': {folder}")
    ctx.meta[_SEARCHED] = folders
    ctx.find_root().with_resource(searching(folders))


specs_option = click.option(
    "--specs", "_searched", multiple=True, metavar="DIR", callback=_search, expose_value=False, is_eager=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Also know the specs of a folder; may be given several times.",
)  # fmt: skip


def reads_specs(command: click.Command) -> bool:
    """Whether a command takes the names of specs."""
    return any(isinstance(param.type, SpecType) for param in command.params)


spec_argument = click.argument("spec", type=SpecType())
edits_option = click.option(
    "--set", "edits", multiple=True, metavar="KEY=VALUE",
    help="Change the spec, such as --set stages.0.units=9; may be given several times.",
)  # fmt: skip
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")
_weights_of_file = click.option(
    "--weights", type=click.Path(path_type=Path), metavar="FILE",
    help="Take weights from a file, of ours or of other people's: Keras, PyTorch, safetensors or .npz.",
)  # fmt: skip
_choices_options = (
    click.option("--weights-part", metavar="PREFIX", help="Which network of a file with several, such as model_ema."),
    click.option("--assume-order", is_flag=True, help="Where names leave several ways, take layers in their order."),
    click.option("--adapt-stem", is_flag=True, help="Make a first convolution of another number of channels fit."),
)  # fmt: skip


def weights_options(command: Callable[..., Any], weights: Decorator = _weights_of_file) -> Callable[..., Any]:
    """`--weights`, and what decides where the file leaves something open, as `weights` and `choices`."""

    @wraps(command)
    def chosen(weights_part: str | None, assume_order: bool, adapt_stem: bool, **others: Any) -> Any:
        if others["weights"] is None and (weights_part or assume_order or adapt_stem):
            raise UsageError("--weights-part, --assume-order and --adapt-stem say how to take --weights FILE")
        return command(choices=Choices(assume_order, adapt_stem, weights_part), **others)

    decorated: Callable[..., Any] = chosen
    for option in reversed((weights, *_choices_options)):
        decorated = option(decorated)
    return decorated


class Quantity(click.ParamType[float]):
    """A positive number, such as 312e12."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = 0.0
        if not 0 < number < 1e30:
            self.fail(f"'{value}' is not a positive number, such as 312e12")
        return number


class Bytes(click.ParamType[int]):
    """An amount of memory, such as 16GiB or 512MB."""

    name = "amount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?([KMGT])(i?)B?", str(value), re.IGNORECASE | re.ASCII)
        if found is None:
            self.fail(f"'{value}' is not an amount of memory, such as 16GiB")
        number, unit, binary = found.groups()
        power = " KMGT".index(unit.upper())
        return int(float(number) * (1024 if binary or not str(value).upper().endswith("B") else 1000) ** power)


_asked_options = (
    click.option("--batch-size", type=click.IntRange(1, 2**31), metavar="N",
                 help="The batch size of the estimates.  [default: that of the spec]"),
    click.option("--precision", type=click.Choice(["float32", "mixed_bfloat16", "mixed_float16"]),
                 help="The precision of the estimates.  [default: that of the spec]"),
    click.option("--memory", type=Bytes(), metavar="AMOUNT", help="Print the largest batch that fits, such as 16GiB."),
    click.option("--peak", type=Quantity(), metavar="FLOPS", help="The flops that a machine does in a second, 312e12."),
    click.option("--bandwidth", type=Quantity(), metavar="BYTES", help="The bytes that it moves in a second, 2e12."),
)  # fmt: skip


def asked_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """What is asked of a network, as `asked`; None where nothing is."""

    @wraps(command)
    def with_asked(**given: Any) -> Any:
        names = ("batch_size", "precision", "memory", "peak", "bandwidth")
        own = {name: given.pop(name) for name in names}
        if (own["peak"] is None) != (own["bandwidth"] is None):
            raise UsageError("--peak and --bandwidth go together: --peak 312e12 --bandwidth 2e12")
        if all(value is None for value in own.values()):
            return command(asked=None, **given)
        from archbuilder.costs.asked import Asked

        return command(asked=Asked(**own), **given)

    for option in reversed(_asked_options):
        with_asked = option(with_asked)
    return with_asked


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


def require_one_form(*forms: bool) -> None:
    if sum(forms) > 1:
        raise UsageError("--json, --csv and --markdown are three forms of one table: one of them is enough")


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
