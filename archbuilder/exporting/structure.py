"""A graph as a program that a person would have written: functions for what recurs, loops over what is equal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from archbuilder.exporting.blocks import Block, calls_of, fill_calls, fill_ends, nested, without_nothing
from archbuilder.exporting.functions import functions_of
from archbuilder.exporting.program import STAGE, Function, Layer, Loop, Program
from archbuilder.graph.network import Graph, Node


def program(
    graph: Graph, layers_of: Callable[[Node], Iterable[Layer]], units: Mapping[str, str], loops: bool = True
) -> Program:
    """The program of a graph; `units` has the names of the units of stages, by their section.

    Without `loops`, each stage has a line of its own.
    """
    layers = [layer for node in graph.nodes for layer in layers_of(node)]
    main = Block("", "", nested(layers, units))
    fill_ends(main, graph)
    heights: dict[str, int] = {}
    templates: dict[str, list[Block]] = {}
    for block in main.inner():
        heights[block.template] = max(heights.get(block.template, 0), block.height)
        templates.setdefault(block.template, []).append(block)
    functions: list[Function] = []
    for template in sorted(templates, key=heights.__getitem__):
        blocks = templates[template]
        fill_calls(blocks)
        functions += functions_of(template, blocks)
    if loops:
        fill_calls([main])
    else:
        main.calls = list(calls_of(main))
    whole = Function("", without_nothing(tuple(main.calls), {})[0], main.inputs, main.outputs)
    return Program(_named([*_used(functions, whole), whole]))


def _used(functions: Sequence[Function], main: Function) -> list[Function]:
    """The functions that are called, each behind those that it calls, in the order in which they are met."""
    found: dict[int, Function] = {}

    def visit(function: Function) -> None:
        for call in function.calls:
            inner = call.callee.function if isinstance(call.callee, Loop) else call.callee
            if isinstance(inner, Function) and id(inner) not in found:
                visit(inner)
                found[id(inner)] = inner

    visit(main)
    return list(found.values())


def _named(functions: list[Function]) -> tuple[Function, ...]:
    """Functions of one template by what tells them apart: the first units, those of one stage, or a number."""
    by_template: dict[str, list[Function]] = {}
    for function in functions:
        by_template.setdefault(function.template, []).append(function)
    taken: set[str] = set()
    for template, some in by_template.items():
        usual = max(some, key=lambda one: len(one.instances))
        for function in (usual, *(one for one in some if one is not usual)):
            options = [template] if function is usual else _other_names(template, function)
            number, base = 2, options[-1]
            name = next((one for one in options if one not in taken), base)
            while name in taken:
                name, number = f"{base}{number}", number + 1
            taken.add(name)
            function.name = name
    return tuple(functions)


def _other_names(template: str, function: Function) -> list[str]:
    scopes = [scope.split("/") for scope in function.instances]
    stages = {scope[0] for scope in scopes}
    options = []
    if all(scope[-1] == "unit1" for scope in scopes):
        options.append(f"first_{template}")
    if len(stages) == 1 and STAGE.fullmatch(next(iter(stages))):
        options.append(f"{next(iter(stages))}_{template}")
    return [*options, template]
