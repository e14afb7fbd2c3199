"""archbuilder build"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal, assert_never

import click

from archbuilder.cli.options import (
    SpecType,
    asked_options,
    edits_option,
    json_option,
    json_text,
    print_notes,
    require_one_form,
    weights_options,
    without_collection,
)
from archbuilder.cli.printing import report, say, say_kept
from archbuilder.errors import UsageError
from archbuilder.machine.loading import load_tensorflow

if TYPE_CHECKING:
    from archbuilder.aliases import Level
    from archbuilder.costs.asked import Asked
    from archbuilder.graph.network import Graph
    from archbuilder.spec import Spec
    from archbuilder.weights.choices import Choices
    from archbuilder.weights.transfer import Transfer

Form = Literal["csv", "markdown", "json"]


@click.command()
@click.argument("specs", type=SpecType(), nargs=-1, required=True, metavar="SPEC...")
@click.option(
    "--summary", is_flag=True, help="Print what the network costs; the default unless -o or --check is given."
)
@click.option("--level", type=click.Choice(["stage", "unit", "layer"]), default="unit", show_default=True,
              help="How fine the summary is.")  # fmt: skip
@click.option("--numbers", is_flag=True, help="Print receptive fields, ways, memory of training in place of its costs.")
@asked_options
@click.option("--columns", metavar="NAMES", help="The columns of the table of several specs, such as spec,depth,macs.")
@click.option("--sort", metavar="COLUMN", help="Sort the table; --sort=-COLUMN begins with the largest.")
@click.option("--csv", "form", flag_value="csv", help="Print the table as CSV.")
@click.option("--markdown", "form", flag_value="markdown", help="Print the table as Markdown.")
@json_option
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="MODEL.keras", help="Save the Keras model.")
@weights_options
@click.option("--check", is_flag=True, help="Compile with Keras and compare every layer's shape and parameters.")
@edits_option
def command(
    specs: tuple[str, ...],
    summary: bool,
    level: Level,
    numbers: bool,
    asked: Asked | None,
    columns: str | None,
    sort: str | None,
    form: Form | None,
    as_json: bool,
    output: Path | None,
    weights: Path | None,
    choices: Choices,
    check: bool,
    edits: tuple[str, ...],
) -> None:
    """Compile SPEC to a Keras model, or print what it costs; several are one table.

    Summary and numbers do not load TensorFlow. The keys of --json are in docs/summary.md and docs/numbers.md. With
    --weights, each tensor of the file has to find its place, or nothing is written: see docs/weights.md.

    \b
    Examples:
      archbuilder build resnet56_v2 --summary
      archbuilder build resnet20_v1 --level layer
      archbuilder build he2015/resnet152 --numbers
      archbuilder build torchvision/resnet50 --memory 16GiB
      archbuilder build he2015/resnet50 torchvision/resnet50 --sort=-macs --markdown
      archbuilder build my_network.yaml --check -o my_network.keras
      archbuilder build torchvision/resnet18 --weights resnet18-f37072fd.pth -o resnet18.keras
      archbuilder build gray.yaml --weights resnet18-f37072fd.pth --adapt-stem
    """
    if output and output.suffix != ".keras":
        raise UsageError(f"a model is saved to a file that ends in .keras, not to {output}")
    makes = bool(output or check or weights)
    if len(specs) > 1 or columns or sort or form:
        if makes or summary or numbers:
            raise UsageError("a table of specs stands alone, or with --json and --set")
        require_one_form(as_json, bool(form))
        form = "json" if as_json else form
        of = f"table {asked} {columns} {sort} {form}"
        say_kept(specs, edits, of, lambda: _table(specs, edits, asked, columns, sort, form))
        return
    numbers = numbers or asked is not None
    if numbers and (summary or makes):
        raise UsageError("--numbers stands alone, or with --json and --set")

    def printed(spec: Spec, graph: Graph) -> str:
        return _numbers(spec, graph, asked, as_json) if numbers else _summary(graph, level, as_json)

    [name] = specs
    if not makes:
        kind = "numbers" if numbers else level
        say_kept(specs, edits, f"{kind} {asked} {as_json}", lambda: printed(*_expanded(name, edits)))
        return
    spec, graph = _expanded(name, edits)
    found = _read_weights(weights, choices, graph, as_json)
    if summary or as_json:
        say(printed(spec, graph))
    if check or output:
        _compile(graph, found, output, check, as_json)


def _expanded(name: str, edits: tuple[str, ...]) -> tuple[Spec, Graph]:
    with without_collection():
        from archbuilder.expansion.expansion import expand
        from archbuilder.graph.words import left_out
        from archbuilder.spec import load

        spec = load(name, edits)
        graph = expand(spec)
    print_notes(left_out(graph))
    return spec, graph


def _summary(graph: Graph, level: Level, as_json: bool) -> str:
    from archbuilder.costs.summary import summarise
    from archbuilder.costs.text import render

    costs = summarise(graph)
    return json_text(costs.to_json()) if as_json else render(costs, level)


def _numbers(spec: Spec, graph: Graph, asked: Asked | None, as_json: bool) -> str:
    from archbuilder.costs.asked import NOTHING
    from archbuilder.costs.numbers import numbers, render

    found = numbers(graph, spec.training, asked or NOTHING)
    return json_text(found.to_json()) if as_json else render(found)


def _table(
    specs: tuple[str, ...], edits: tuple[str, ...], asked: Asked | None, columns: str | None, sort: str | None,
    form: Form | None,
) -> str:  # fmt: skip
    from archbuilder.costs.asked import NOTHING
    from archbuilder.costs.table import Subject, chosen, table

    chosen(columns, sort)
    expanded = (_expanded(name, edits) for name in specs)
    made = table([Subject.of(graph, spec.training, asked or NOTHING) for spec, graph in expanded], columns, sort)
    match form:
        case None:
            return made.text()
        case "csv":
            return made.csv()
        case "markdown":
            return made.markdown()
        case "json":
            return json_text(made.to_json())
        case _:
            assert_never(form)


def _read_weights(path: Path | None, choices: Choices, graph: Graph, as_json: bool) -> Transfer | None:
    if path is None:
        return None
    from archbuilder.weights.transfer import transfer

    found = transfer(path, graph, choices)
    for note in found.notes:
        say(note, err=as_json)
    return found


def _compile(graph: Graph, weights: Transfer | None, output: Path | None, check: bool, as_json: bool) -> None:
    load_tensorflow()
    from archbuilder.exporting.keras_file import notes, save_model
    from archbuilder.keras_model.build import build_model
    from archbuilder.keras_model.check import differences

    model = build_model(graph)
    if weights is not None:
        weights.apply(model)
    found = differences(graph, model) if check else []
    for difference in found:
        report(f"error: {difference}")
    if found:
        sys.exit(1)
    if check:
        say(f"{graph.name}: all {len(graph.nodes)} layers agree with Keras in shape and parameters", err=as_json)
    if output:
        save_model(model, output)
        say(output, err=as_json)
        print_notes(notes(graph))
