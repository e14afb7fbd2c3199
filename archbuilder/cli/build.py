"""archbuilder build"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archbuilder.cli.options import (
    edits_option,
    json_option,
    json_text,
    print_notes,
    spec_argument,
    weights_options,
    without_collection,
)
from archbuilder.cli.printing import report, say
from archbuilder.errors import UsageError
from archbuilder.machine.loading import load_tensorflow

if TYPE_CHECKING:
    from archbuilder.aliases import Level
    from archbuilder.graph.network import Graph
    from archbuilder.weights.choices import Choices
    from archbuilder.weights.transfer import Transfer


@click.command()
@spec_argument
@click.option(
    "--summary", is_flag=True, help="Print what the network costs; the default unless -o or --check is given."
)
@click.option("--level", type=click.Choice(["stage", "unit", "layer"]), default="unit", show_default=True,
              help="How fine the summary is.")  # fmt: skip
@click.option(
    "--numbers", is_flag=True, help="Print receptive fields and the ways through the network in place of its costs."
)
@json_option
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="MODEL.keras", help="Save the Keras model.")
@weights_options
@click.option("--check", is_flag=True, help="Compile with Keras and compare every layer's shape and parameters.")
@edits_option
def command(
    spec: str,
    summary: bool,
    level: Level,
    numbers: bool,
    as_json: bool,
    output: Path | None,
    weights: Path | None,
    choices: Choices,
    check: bool,
    edits: tuple[str, ...],
) -> None:
    """Compile SPEC to a Keras model, or print what it costs.

    Summary and numbers do not load TensorFlow. The keys of --json are in docs/summary.md and docs/numbers.md. With
    --weights, each tensor of the file has to find its place, or nothing is written: see docs/weights.md.

    \b
    Examples:
      archbuilder build resnet56_v2 --summary
      archbuilder build resnet20_v1 --level layer
      archbuilder build he2015/resnet152 --numbers
      archbuilder build my_network.yaml --check -o my_network.keras
      archbuilder build torchvision/resnet18 --weights resnet18-f37072fd.pth -o resnet18.keras
      archbuilder build gray.yaml --weights resnet18-f37072fd.pth --adapt-stem
    """
    if output and output.suffix != ".keras":
        raise UsageError(f"a model is saved to a file that ends in .keras, not to {output}")
    if numbers and (summary or output or check or weights):
        raise UsageError("--numbers stands alone, or with --json and --set")

    def printed(graph: Graph) -> str:
        return _numbers(graph, as_json) if numbers else _summary(graph, level, as_json)

    is_bundled = not spec.endswith((".yaml", ".yml"))
    if is_bundled and not (output or check or weights or edits):
        from archbuilder.disk_cache import kept_text

        kind = "numbers" if numbers else level
        say(kept_text(f"{spec} {kind} {as_json}", lambda: printed(_expanded(spec, ()))))
        return
    graph = _expanded(spec, edits)
    found = _read_weights(weights, choices, graph, as_json)
    if summary or as_json or not (output or check or found):
        say(printed(graph))
    if check or output:
        _compile(graph, found, output, check, as_json)


def _expanded(spec: str, edits: tuple[str, ...]) -> Graph:
    with without_collection():
        from archbuilder.expansion.expansion import expand
        from archbuilder.graph.words import left_out
        from archbuilder.spec import load

        graph = expand(load(spec, edits))
    print_notes(left_out(graph))
    return graph


def _summary(graph: Graph, level: Level, as_json: bool) -> str:
    from archbuilder.costs.summary import summarise
    from archbuilder.costs.text import render

    costs = summarise(graph)
    return json_text(costs.to_json()) if as_json else render(costs, level)


def _numbers(graph: Graph, as_json: bool) -> str:
    from archbuilder.costs.numbers import numbers, render

    found = numbers(graph)
    return json_text(found.to_json()) if as_json else render(found)


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
    from archbuilder.exporting.keras_file import save_model
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
