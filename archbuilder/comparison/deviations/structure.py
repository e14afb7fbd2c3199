"""The large parts: the image, stages and their numbers of units, stem, head, and outputs."""

from __future__ import annotations

from dataclasses import replace

from archbuilder.comparison.deviations.alignment import runs
from archbuilder.comparison.deviations.deviation import Undoing
from archbuilder.comparison.deviations.following import line, with_rates
from archbuilder.comparison.wording.phrases import kind, listed, per_stage
from archbuilder.graph.ops import show
from archbuilder.outline.parts import Block, Outline, Stage, Strided, Unit, skeleton

MOST_LAYERS = 5
"""The most layers that are named one by one."""


def compare_input(state: Undoing, fitted: Outline | None) -> None:
    """Takes another size of images; `fitted` is my network at their size, where it fits that."""
    mine, theirs = state.mine.input, state.theirs.input
    if mine != theirs:
        message = f"the image is {show(mine)}, that of {state.name} {show(theirs)}"
        state.take("input", message, fitted or replace(state.mine, input=theirs))


def compare_stage_count(state: Undoing) -> None:
    mine, theirs = state.mine.stages, state.theirs.stages
    if len(mine) != len(theirs):
        message = f"{_stages(len(mine))}, {state.name} has {len(theirs)}"
        added = tuple(_dressed_stage(state, stage) for stage in theirs[len(mine) :])
        stages = mine[: len(theirs)] + added
        state.take("stages", message, replace(state.mine, stages=stages))


def _stages(count: int) -> str:
    return f"there {'is' if count == 1 else 'are'} {count or 'no'} stage{'' if count == 1 else 's'}"


def _dressed_stage(state: Undoing, stage: Stage) -> Stage:
    like = state.mine.stages[-1].units[-1] if state.mine.stages else None
    return Stage(tuple(_dressed_unit(state, unit, like) for unit in stage.units), state.dressed(stage.after, like))


def _dressed_unit(state: Undoing, unit: Unit, like: Unit | None) -> Unit:
    shortcut = unit.shortcut and replace(unit.shortcut, layers=state.dressed(unit.shortcut.layers, like))
    return Unit(state.dressed(unit.main, like), shortcut)


def compare_unit_counts(state: Undoing) -> None:
    mine, theirs = (tuple(len(stage.units) for stage in one.stages) for one in (state.mine, state.theirs))
    if mine != theirs:
        message = f"stages have {per_stage(mine)} units, those of {state.name} {per_stage(theirs)}"
        where = tuple(f"stage{i}" for i, (a, b) in enumerate(zip(mine, theirs, strict=True), 1) if a != b)
        pairs = zip(state.mine.stages, state.theirs.stages, strict=True)
        stages = tuple(replace(a, units=_resized(a.units, b.units)) for a, b in pairs)
        state.take("units", message, _with_rates(state, replace(state.mine, stages=stages)), where)


def _with_rates(state: Undoing, undone: Outline) -> Outline:
    """My network with as many units as theirs, the rates of its stochastic depth by the same rule as before."""
    mine, theirs = line(state.mine), line(state.theirs)
    return with_rates(undone, state.theirs) if mine and theirs and mine.is_rule_of(theirs) else undone


def _resized(mine: tuple[Unit, ...], theirs: tuple[Unit, ...]) -> tuple[Unit, ...]:
    """My units, as many as theirs: some between the first and the last are repeated or left out."""
    count = len(theirs)
    if len(mine) >= count:
        return mine if len(mine) == count else (*mine[: max(count - 1, 1)], *mine[len(mine) - (count > 1) :])
    if len(mine) == 1:
        return (*mine, *(_repeated(mine[0], unit) for unit in theirs[1:]))
    between = mine[1] if len(mine) > 2 else mine[-1]
    return (*mine[:-1], *[between] * (count - len(mine)), mine[-1])


def _repeated(mine: Unit, theirs: Unit) -> Unit:
    """My only unit of a stage as one behind it would be: without its stride, and with their shortcut if it has one."""
    unstrided = tuple(replace(item, stride=(1, 1)) if isinstance(item, Strided) else item for item in mine.main)
    layers = theirs.shortcut.layers if theirs.shortcut else ()
    return Unit(unstrided, mine.shortcut and replace(mine.shortcut, layers=layers))


def compare_stem_and_head(state: Undoing) -> None:
    """Layers of the stem and the head, and behind the units of each stage, that one network has and the other not."""
    for part in ("stem", *(f"stage{index}" for index in range(1, len(state.theirs.stages) + 1)), "head"):
        if skeleton(_block(state.mine, part)) != skeleton(_block(state.theirs, part)):
            _undo_runs(state, part)


def _block(network: Outline, part: str) -> Block:
    """The stem, the head, or what stands behind the units of a stage."""
    if part in ("stem", "head"):
        return network.stem if part == "stem" else network.head
    return network.stages[int(part.removeprefix("stage")) - 1].after


def _with_block(network: Outline, part: str, block: Block) -> Outline:
    if part in ("stem", "head"):
        return replace(network, stem=block) if part == "stem" else replace(network, head=block)
    stages = list(network.stages)
    index = int(part.removeprefix("stage")) - 1
    stages[index] = replace(stages[index], after=block)
    return replace(network, stages=tuple(stages))


def _undo_runs(state: Undoing, part: str) -> None:
    """Undoes the runs of layers that differ, one after the other."""
    theirs, shift = _block(state.theirs, part), 0
    for a, b, c, d in runs(_block(state.mine, part), theirs):
        mine = _block(state.mine, part)
        message = _run(part, (mine, a + shift, b + shift), (theirs, c, d), state.name)
        block = (*mine[: a + shift], *state.dressed(theirs[c:d]), *mine[b + shift :])
        state.take(part, message, _with_block(state.mine, part, block), (part,))
        shift += (d - c) - (b - a)


Run = tuple[Block, int, int]
"""Some layers of a block."""


def _run(part: str, mine: Run, theirs: Run, name: str) -> str:
    label = f"the {part}" if part in ("stem", "head") else f"the transition behind stage {part.removeprefix('stage')}"
    ours, other = ([kind(item) for item in block[start:end]] for block, start, end in (mine, theirs))
    if not other:
        return f"{label} has {_listed(ours)} {_position(mine)}, that of {name} does not"
    if not ours:
        missing = _listed([f"no {one}" for one in other])
        return f"{label} has {missing} {_position(theirs)}, that of {name} has {'one' if len(other) == 1 else 'them'}"
    return f"{label} has {_listed(ours)} {_position(theirs)}, that of {name} {_listed(other)}"


def _listed(layers: list[str]) -> str:
    """Layers in words, only the first of many."""
    return (
        listed(layers) if len(layers) <= MOST_LAYERS else f"{', '.join(layers[:2])} and {len(layers) - 2} more layers"
    )


def _position(run: Run) -> str:
    block, _, end = run
    return f"before the {kind(block[end])}" if end < len(block) else "at the end"


def compare_outputs(state: Undoing) -> None:
    mine, theirs = state.mine.outputs, state.theirs.outputs
    if mine != theirs:
        message = f"the outputs are {listed(mine)}, those of {state.name} {listed(theirs)}"
        state.take("outputs", message, replace(state.mine, outputs=theirs))
