"""Several runs of one spec that differ in their seeds alone, or in the images that they hold out, summed up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from archbuilder.aliases import Json
from archbuilder.errors import StoppedError, UsageError
from archbuilder.linting.linting import require_fitting
from archbuilder.linting.recipe import Recipe
from archbuilder.spec import Spec, load_text, require_training
from archbuilder.spec.data import MAX_FOLDS, Fold
from archbuilder.training import loop
from archbuilder.training.processes import require_alone
from archbuilder.training.reporting.progress import Reporter
from archbuilder.training.run import records
from archbuilder.training.run.checkpoint import write_json
from archbuilder.training.run.folder import PLAN, SPEC, Run, new_folder, require_empty
from archbuilder.training.run.several import MAX_SEEDS, SUMMARY, Plan, Sweep, is_sweep, statistics_of
from archbuilder.training.start import Start
from archbuilder.weights.choices import Choices


def train_seeds(
    spec: Spec,
    seeds: int | Sequence[int],
    start: Start = Start(),
    reporter: Reporter | None = None,
) -> Sweep:
    """Trains a spec once for each seed, one run after another, and sums them up.

    `seeds` are the seeds, or how many there are to be from the spec's own on. The rest is as for `loop.train`.
    """
    return _begin(spec, _chosen(require_training(spec).seed, seeds), None, start, reporter or Reporter())


def train_folds(spec: Spec, folds: int, start: Start = Start(), reporter: Reporter | None = None) -> Sweep:
    """Trains a spec so many times, each time with another part of the training images held out, and sums the runs up.

    The parts are of one size, with the same share of each class. The rest is as for `loop.train`.
    """
    if not 2 <= folds <= MAX_FOLDS:
        raise UsageError(f"2 to {MAX_FOLDS:,} folds are needed")
    return _begin(spec, (require_training(spec).seed,), folds, start, reporter or Reporter())


def _begin(spec: Spec, seeds: tuple[int, ...], folds: int | None, start: Start, reporter: Reporter) -> Sweep:
    require_alone()
    require_fitting(Recipe.of(spec))
    folder = start.out or new_folder(spec.name)
    require_empty(folder)
    if start.epochs is not None:
        spec = loop.of_epochs(spec, start.epochs, reporter)
    plan = Plan(
        spec=spec.dump(), seeds=seeds, folds=folds, data=_absolute(start.data), weights=_absolute(start.weights),
        choices=records.WeightChoices.model_validate(asdict(start.choices)),
        freeze=tuple(start.freeze), log=tuple(start.log),
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / PLAN, plan.model_dump())
    return _finish(Sweep(folder), reporter)


def resume(
    folder: Path,
    spec: Spec | None = None,
    *,
    data: Path | None = None,
    epochs: int | None = None,
    edits: Sequence[str] = (),
    reporter: Reporter | None = None,
) -> Run | Sweep:
    """Goes on with a run as `loop.resume` does, or with the folder of several, of which nothing can be changed."""
    if not is_sweep(folder):
        return loop.resume(folder, spec, data=data, epochs=epochs, edits=edits, reporter=reporter)
    if spec is not None:
        raise UsageError(f"there are several runs in {folder}: leave SPEC out")
    if epochs is not None:
        raise UsageError(f"there are several runs in {folder}: name one of them to give it more epochs")
    return resume_seeds(folder, data=data, reporter=reporter)


def resume_seeds(folder: Path, *, data: Path | None = None, reporter: Reporter | None = None) -> Sweep:
    """Goes on with a sweep where it stood: finished runs are kept, the one at work is resumed, the others follow."""
    require_alone()
    return _finish(Sweep.open(folder), reporter or Reporter(), data)


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _chosen(first: int, seeds: int | Sequence[int]) -> tuple[int, ...]:
    chosen = tuple(range(first, first + seeds)) if isinstance(seeds, int) else tuple(seeds)
    if not 0 < len(chosen) <= MAX_SEEDS or len({*chosen}) < len(chosen):
        raise UsageError(f"one to {MAX_SEEDS:,} seeds are needed, each of them once")
    return chosen


def _finish(sweep: Sweep, reporter: Reporter, data: Path | None = None) -> Sweep:
    runs: list[Run] = []
    edits, kind = sweep.plan.edits, "seed" if sweep.plan.folds is None else "fold"
    for number, name in enumerate(edits, 1):
        reporter.note(f"{name.replace('-', ' ')}: run {number} of {len(edits)}")
        try:
            runs.append(_run(sweep, name, data, reporter))
        except StoppedError as error:
            raise type(error)(
                f"{error}\nTo go on with all {kind}s: archbuilder train --resume {sweep.folder}"
            ) from None
        _require_same_start(runs[0], runs[-1])
    summary = summarised(runs)
    write_json(sweep.folder / SUMMARY, summary)
    reporter.summarise(summary)
    return sweep


def _run(sweep: Sweep, name: str, data: Path | None, reporter: Reporter) -> Run:
    plan, folder = sweep.plan, sweep.folder_of(name)
    if (folder / SPEC).is_file():
        run = Run.open(folder)
        return run if run.result is not None else loop.resume(folder, data=data, reporter=reporter)
    spec = load_text(plan.spec, str(sweep.folder / PLAN), [plan.edits[name]])
    choices = Choices(**plan.choices.model_dump())
    start = Start(data or _path(plan.data), folder, None, _path(plan.weights), choices, plan.freeze, plan.log)
    return loop.train(spec, start, reporter=reporter)


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _require_same_start(first: Run, run: Run) -> None:
    for thing, one, other in (
        ("data", *(each.environment["data"]["fingerprint"] for each in (first, run))),
        ("first weights", *((each.environment["weights"] or {}).get("sha256") for each in (first, run))),
    ):
        if one != other:
            raise UsageError(f"the runs in {first.folder} and {run.folder} did not begin with the same {thing}")


def summarised(runs: Sequence[Run]) -> Json:
    """What finished runs of one spec came to: errors in percent or of numbers, and those published."""
    results = [run.result or {} for run in runs]
    spec, data = runs[0].spec, runs[0].environment["data"]
    metric, folds = runs[0].objective.metric, [_fold(run) for run in runs]
    kind = "error" if metric == "accuracy" else metric
    on_folds = (
        {f"fold_{kind}": statistics_of([_epochs(run) for run in runs], f"validation_{metric}")} if any(folds) else {}
    )
    return {
        "network": spec.name, "data": data["name"], "test_images": data["test"],
        "runs": [
            {"seed": run.environment["seed"], **({"fold": fold} if fold else {}), "folder": run.folder.name, **result}
            for run, fold, result in zip(runs, folds, results, strict=True)
        ],
        f"test_{kind}": statistics_of(results, f"test_{metric}"),
        **on_folds,
        "published": [figure.model_dump(exclude_none=True) for figure in spec.network.published],
    }  # fmt: skip


def _fold(run: Run) -> int:
    """The number of the fold that a run held out; 0 where it was none."""
    validation = require_training(run.spec).data.validation
    return validation.number if isinstance(validation, Fold) else 0


def _epochs(run: Run) -> Json:
    """What the epochs of the best and of the final weights came to."""
    lines, result = {line["iteration"]: line for line in run.metrics()}, run.result or {}
    return {which: lines[result[which]["iteration"]] for which in ("best", "final")}
