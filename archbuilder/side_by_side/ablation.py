"""The ablation of a paper from one spec: the same network with other numbers of units and other shortcuts."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.aliases import Json
from archbuilder.atomic_files import as_archbuilder_error, replace_file
from archbuilder.bounded_files import BadFileError, bounded_bytes
from archbuilder.errors import UsageError, suggest
from archbuilder.expansion.expansion import expand
from archbuilder.formatting import counted
from archbuilder.graph.network import Graph
from archbuilder.outline.canonical import canonical
from archbuilder.side_by_side.networks import Entry, SideBySide, side_by_side
from archbuilder.spec import Spec, edit

if TYPE_CHECKING:
    from archbuilder.training.reporting.progress import Reporter
    from archbuilder.training.run.curves import Curves

MOST_MEMBERS = 100
PLAN, SPECS, RUNS = "family.json", "specs", "runs"
TABLE, CSV, CURVES = "table.md", "table.csv", "curves.svg"
Units = int | tuple[int, ...]
"""The units of every stage, or of each one."""


@dataclass(frozen=True)
class Member:
    """A network of a family, and what tells it from the others, such as `n3-zero_pad`."""

    name: str
    spec: Spec


@dataclass(frozen=True)
class Training:
    """How the members of a family are trained, beside what their recipe says."""

    seeds: int = 1
    epochs: int | None = None
    data: Path | None = None

    def to_json(self) -> Json:
        return {"seeds": self.seeds, "epochs": self.epochs, "data": str(self.data.resolve()) if self.data else None}


@dataclass(frozen=True, repr=False)
class Family:
    """Networks that differ in their units and shortcuts; printed, a table of them and of their runs."""

    members: tuple[Member, ...]
    networks: SideBySide
    runs: Curves | None = None

    def __repr__(self) -> str:
        return f"<Family of {counted(len(self.members), 'network')}>"

    def _repr_html_(self) -> str:
        """What a notebook shows of it."""
        return "".join(part._repr_html_() for part in (self.networks, self.runs) if part is not None)

    def to_json(self) -> Json:
        return {**self.networks.to_json(), "runs": self.runs.to_json()["runs"] if self.runs else []}

    def __str__(self) -> str:
        return "\n\n".join(str(part) for part in (self.networks, self.runs) if part is not None)

    def csv(self) -> str:
        """A line for each network; where they have been trained, a line for each of their runs instead."""
        return (self.runs or self.networks).csv()

    def markdown(self) -> str:
        return "\n".join(part.markdown() for part in (self.networks, self.runs) if part is not None)


def family(spec: Spec, units: Sequence[Units] = (), shortcuts: Sequence[str] = ()) -> Family:
    """The family of a spec: each of the numbers of units with each of the shortcuts.

    Raises UsageError where nothing varies or a shortcut is not known, SpecError where a network cannot be built.
    """
    _require(spec, units, shortcuts)
    chosen: list[Units | None] = [*units] or [None]
    kinds: list[str | None] = [*shortcuts] or [None]
    members = [_member(spec, one, shortcut) for one, shortcut in product(chosen, kinds)]
    graphs = [replace(expand(one.spec), name=one.name) for one in members]
    itself = canonical(expand(spec))
    known = [_with_published(*pair, itself) for pair in zip(members, graphs, strict=True)]
    networks = [(graph, one.spec.network) for graph, one in zip(graphs, known, strict=True)]
    return Family(tuple(known), side_by_side([Entry(graph, one.training, one.published) for graph, one in networks]))


def _with_published(member: Member, graph: Graph, itself: Hashable) -> Member:
    """What was published for the spec is known of that network alone."""
    if canonical(graph) == itself or not member.spec.network.published:
        return member
    return replace(member, spec=edit(member.spec, ["published=[]"]))


def _require(spec: Spec, units: Sequence[Units], shortcuts: Sequence[str]) -> None:
    if not (units or shortcuts):
        raise UsageError("a family differs in --units, such as 3,5,7, or in --shortcut, such as none,zero_pad")
    if (count := max(len(units), 1) * max(len(shortcuts), 1)) > MOST_MEMBERS:
        raise UsageError(f"a family has at most {MOST_MEMBERS} networks, not {count:,}")
    if len({*units}) < len(units) or len({*shortcuts}) < len(shortcuts):
        raise UsageError("each number of units and each shortcut stands once")
    stages = len(spec.network.stages)
    for one in units:
        if isinstance(one, tuple) and len(one) != stages:
            raise UsageError(f"{_units(one)} is for {counted(len(one), 'stage')}, and {spec.name} has {stages}")
    if units and not stages:
        raise UsageError(f"{spec.name} has no stages whose units could vary")
    known = spec.names("shortcuts")
    for shortcut in shortcuts:
        if shortcut not in known:
            raise UsageError(f"there is no shortcut '{shortcut}'\n  hint: {suggest(shortcut, known, 'shortcuts')}")


def _member(spec: Spec, units: Units | None, shortcut: str | None) -> Member:
    parts, edits = [], []
    if units is not None:
        each = units if isinstance(units, tuple) else (units,) * len(spec.network.stages)
        parts.append(f"n{_units(units)}")
        edits += [f"stages.{index}.units={count}" for index, count in enumerate(each)]
    if shortcut is not None:
        parts.append(shortcut)
        edits.append(f"shortcut={shortcut}")
    name = "-".join(parts)
    return Member(name, edit(spec, [*edits, f"name={spec.name[:60]}-{name[:39]}"]))


def _units(units: Units) -> str:
    return "-".join(map(str, units)) if isinstance(units, tuple) else str(units)


def save(found: Family, folder: Path, training: Training | None = None) -> None:
    """Writes the specs and the table; refuses a folder of another family, or one that holds something else."""
    plan = {member.name: member.spec.dump() for member in found.members}
    settings = training.to_json() if training else None
    _require_own(folder, {"specs": plan, "training": settings})
    with as_archbuilder_error(folder):
        (folder / SPECS).mkdir(parents=True, exist_ok=True)
    _write_json(folder / PLAN, {"specs": plan, "training": settings})
    for name, text in plan.items():
        _write(folder / SPECS / f"{name}.yaml", text)
    _save_tables(found, folder)


def _require_own(folder: Path, plan: Json) -> None:
    """A family may be trained after it was made, and its training may go on."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        before = _read_json(folder / PLAN)
    except (BadFileError, ValueError):
        raise UsageError(f"{folder} holds something else than a family: name another folder") from None
    is_trained_now = before.get("training") is None
    if before.get("specs") != plan["specs"] or not (is_trained_now or before.get("training") == plan["training"]):
        raise UsageError(f"{folder} holds another family, or one of another training: name another folder")


def _read_json(path: Path) -> Json:
    import json

    found = json.loads(bounded_bytes(path, 2**26, follow_links=False))
    if not isinstance(found, dict):
        raise ValueError
    return found


def _write_json(path: Path, data: Json) -> None:
    import json

    _write(path, json.dumps(data, indent=1) + "\n")


def _write(path: Path, text: str) -> None:
    replace_file(path, lambda beside: beside.write_text(text, "utf-8"))


def _save_tables(found: Family, folder: Path) -> None:
    _write(folder / TABLE, found.markdown())
    _write(folder / CSV, found.csv())


def train(found: Family, folder: Path, training: Training, reporter: Reporter) -> Family:
    """Trains each member into a folder that holds the family, and draws their curves; runs that are there go on."""
    from archbuilder.learning_rate.plot import new_figure
    from archbuilder.linting.linting import require_fitting
    from archbuilder.linting.recipe import Recipe
    from archbuilder.training.run.curves import curves

    new_figure(folder / CURVES, 1, 1)  # which would say now, and not after hours, that there is no matplotlib
    for member in found.members:
        require_fitting(Recipe.of(member.spec))
    for number, member in enumerate(found.members, 1):
        reporter.note(f"{member.name}: network {number} of {len(found.members)}")
        _train(member.spec, folder / RUNS / member.name, training, reporter)
    runs = curves([folder / RUNS / member.name for member in found.members], [member.name for member in found.members])
    whole = replace(found, runs=runs)
    _save_tables(whole, folder)
    runs.save(folder / CURVES)
    return whole


def _train(spec: Spec, folder: Path, training: Training, reporter: Reporter) -> None:
    from archbuilder.training import loop, sweep
    from archbuilder.training.run.folder import SPEC, Run
    from archbuilder.training.run.several import is_sweep
    from archbuilder.training.start import Start

    start = Start(training.data, folder, training.epochs)
    if is_sweep(folder):
        sweep.resume_seeds(folder, data=training.data, reporter=reporter)
    elif (folder / SPEC).is_file():
        if Run.open(folder).result is None:
            loop.resume(folder, data=training.data, reporter=reporter)
    elif training.seeds > 1:
        sweep.train_seeds(spec, training.seeds, start, reporter)
    else:
        loop.train(spec, start, reporter=reporter)
