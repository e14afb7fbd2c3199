"""Legs: a finished run goes on for more epochs, with the learning rate that it had or one of the leg's own."""

from __future__ import annotations

from collections.abc import Sequence

from archbuilder.errors import MissingError, UsageError
from archbuilder.formatting import counted
from archbuilder.learning_rate.schedules import spans_the_run
from archbuilder.spec import Spec, edit, require_training
from archbuilder.training.run import records
from archbuilder.training.run.checkpoint import Checkpoint
from archbuilder.training.run.folder import Run

RATE = "training.learning_rate"


def next_leg(run: Run, epochs: int, edits: Sequence[str]) -> records.Leg | None:
    """The leg that takes a run to so many epochs in all, or none where the run has them or is on its way there.

    Raises UsageError where the run is on its way to another end, has more epochs already, or has no rate to go on with.
    """
    for one in edits:
        if not one.startswith((f"{RATE}=", f"{RATE}.")):
            raise UsageError(f"a run goes on as it began, but for length and learning rate: leave out --set {one}")
    result, legs = run.result, run.legs
    if result is None:
        if legs and (legs[-1].epochs, legs[-1].set) == (epochs, [*edits]):
            return None
        raise UsageError(
            f"the run in {run.folder} is not finished: archbuilder train --resume {run.folder}, and then with --epochs"
        )
    made = result["final"]["epoch"]
    if epochs < made:
        raise UsageError(f"the run in {run.folder} has made {counted(made, 'epoch')}; --epochs says how many in all")
    if epochs == made:
        return None
    _require_rate(run, spec_of(run, legs), edits)
    return records.Leg(
        begins=result["final"]["iteration"], epochs=epochs, set=[*edits],
        before=records.Result.model_validate(result),
    )  # fmt: skip


def spec_of(run: Run, legs: Sequence[records.Leg]) -> Spec:
    """What the last leg is trained by: the spec that the run began with, its own length, and the rate set last."""
    if not legs:
        return run.spec
    return edit(run.spec, [*(one for leg in legs for one in leg.set), f"training.stop={{epochs: {legs[-1].epochs}}}"])


def rate_begins(legs: Sequence[records.Leg]) -> int:
    """The iterations that had been made when the rate of the last leg began."""
    return max((leg.begins for leg in legs if leg.set), default=0)


def require_leg(run: Run, checkpoint: Checkpoint | None, begins: int) -> None:
    """Raises MissingError where no whole checkpoint of a leg is left, not even that of its beginning."""
    if checkpoint is None or checkpoint.iteration < begins:
        raise MissingError(
            f"there is no whole checkpoint in {run.folder} of iteration {begins:,} or later to go on from: train anew"
        )


def _require_rate(run: Run, spec: Spec, edits: Sequence[str]) -> None:
    rate = require_training(spec).learning_rate
    if edits or not (spans_the_run(rate) or (rate.warmup and rate.warmup.fraction)):
        return
    raise UsageError(
        f"the learning rate ({rate.kind}) of the run in {run.folder} spanned the run and is at its end: more epochs "
        f"need one of their own, such as --set '{RATE}={{constant: {{rate: 0.001}}}}'"
    )
