"""Whether a run that is resumed is what it was: its spec and its data field by field, and the software."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archbuilder.errors import UsageError
from archbuilder.machine.backend import backend
from archbuilder.spec import Spec
from archbuilder.training.environment import versions
from archbuilder.training.reporting.progress import Reporter
from archbuilder.training.run.folder import Run
from archbuilder.training.setup import Setup

Fields = dict[str, Any]
_DATA = ("classes", "train", "validation", "test", "fingerprint")
"""What makes a data set another one; by its name alone it is not."""


def require_same_spec(run: Run, given: Spec | None) -> None:
    """Raises UsageError with every field in which the run's file, or the spec that was given, is not as it began."""
    place, spec = ("spec.yaml", run.spec) if given is None else ("the spec that was given", given)
    _refuse(run, "spec", _fields(run.began_with.resolved), _fields(spec.resolved), place)


def require_same_data(run: Run, setup: Setup) -> None:
    """Raises UsageError with every field in which the data is not what the run began with."""
    before, now = run.environment["data"], setup.facts()["data"]
    if any(before[name] != now[name] for name in _DATA):
        before, now = (_fields({name: data[name] for name in ("name", *_DATA)}) for data in (before, now))
        _refuse(run, "data", before, now, f"the data from {setup.data.origin}")


def require_same_backend(run: Run) -> None:
    """Raises UsageError on another backend: what is random in a network differs between them."""
    before = run.environment.get("backend", "tensorflow")
    if before != backend():
        raise UsageError(f"the run in {run.folder} began on {before}, and goes on there: KERAS_BACKEND={before}")


def compare_versions(run: Run, reporter: Reporter) -> None:
    """Says which software is another one."""
    before, now = run.environment["versions"], versions()
    changes = [
        f"{name} {now.get(name, 'not used')} instead of {version}"
        for name, version in before.items()
        if version != now.get(name)
    ]
    if changes:
        reporter.note(f"what follows may differ in the last bits from an uninterrupted run: {', '.join(changes)}")


def _refuse(run: Run, what: str, before: Fields, now: Fields, place: str) -> None:
    changed = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if changed:
        lines = [f"  {name}: {_shown(before, name)} in the run, {_shown(now, name)} in {place}" for name in changed]
        raise UsageError("\n".join([f"the run in {run.folder} goes on with the {what} that it began with", *lines]))


def _shown(fields: Fields, name: str) -> str:
    return str(fields[name]) if name in fields else "nothing"


def _fields(data: Mapping[str, Any]) -> Fields:
    """Every value of a tree under its path, such as `training.batch_size` or `stages.0.units`."""
    return dict(_leaves(data, ""))


def _leaves(data: Any, path: str) -> Iterator[tuple[str, Any]]:
    items: Any = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list) else ()
    if not items:
        yield path, data
    for key, value in items:
        yield from _leaves(value, f"{path}.{key}" if path else str(key))
