"""The rules of `archbuilder lint`; docs/lint.md explains each."""

from __future__ import annotations

from collections.abc import Iterator

from archbuilder.linting.recipe import Found, Recipe, Rule
from archbuilder.spec import learning_rate as rates
from archbuilder.spec.augmentation import Cutout, Mixing, PadCrop
from archbuilder.spec.data import Holdout, OnTest
from archbuilder.spec.document import Path, walk
from archbuilder.spec.optimization import Adam, RmsProp, Sgd
from archbuilder.spec.training import EarlyStopping


def _plateau_overruled(recipe: Recipe) -> Iterator[Found]:
    rate = recipe.rate
    if not isinstance(rate, rates.Plateau) and rate.plateau and rate.plateau.combine == "overruled":
        yield Found(recipe.rate_path("plateau"), f"this plateau never acts: {rate.kind} sets the rate anew each epoch")


def _l2_with_adam(recipe: Recipe) -> Iterator[Found]:
    optimizer = recipe.training.optimizer
    if not isinstance(optimizer, Adam | RmsProp):
        return
    name = "Adam" if isinstance(optimizer, Adam) else "RMSProp"
    if (place := recipe.penalised) is not None:
        yield Found(place, f"l2 in the loss, and {name} as the optimizer")
    if recipe.training.weight_decay and recipe.training.weight_decay.coupled:
        yield Found(("training", "weight_decay", "coupled"), f"coupled weight decay, and {name} as the optimizer")


def _decay_on_norm(recipe: Recipe) -> Iterator[Found]:
    decay = recipe.training.weight_decay
    off = [kind for kind in decay.kinds if kind in ("norm", "bias")] if decay else []
    if off:
        yield Found(("training", "weight_decay", "kinds"), f"weight decay acts on {' and '.join(off)} parameters")


def _best_on_test(recipe: Recipe) -> Iterator[Found]:
    if isinstance(recipe.training.data.validation, OnTest):
        yield Found(
            ("training", "data", "validation"), "the best checkpoint is chosen on the test set, which then judges it"
        )


def _never_reached(recipe: Recipe) -> Iterator[Found]:
    for what, length, unit, path in _lengths(recipe):
        share = recipe.share(length, unit)
        if share is not None and share >= 1:
            at = f"{length:,g} {unit}, but the run ends after {length / share:,.4g}"
            yield Found(path, f"{what} at {at}")


def _lengths(recipe: Recipe) -> Iterator[tuple[str, float, rates.Unit, Path]]:
    """The changes of the rate: what changes it, after how much of the run, and where the spec says so."""
    rate, warmup = recipe.rate, recipe.rate.warmup
    if warmup and warmup.iterations:
        yield "the warm-up ends", warmup.iterations, "iterations", recipe.rate_path("warmup", "iterations")
    if warmup and warmup.epochs:
        yield "the warm-up ends", warmup.epochs, "epochs", recipe.rate_path("warmup", "epochs")
    match rate:
        case rates.Steps():
            for drop in rate.drops:
                yield "the rate changes", drop, rate.unit, recipe.rate_path("drops", drop)
        case rates.Exponential():
            yield "the rate falls for the first time", rate.every, rate.unit, recipe.rate_path("every")
        case rates.Piecewise():
            *between, _ = rate.points  # the last one may be the end
            for point in between:
                yield "the rate has a point", point, rate.unit, recipe.rate_path("points", point)
        case rates.OneCycle():
            yield "the rate has its peak", rate.rise, rate.unit, recipe.rate_path("rise")
        case _:
            pass


def _patience(recipe: Recipe) -> Iterator[Found]:
    for path, rule in _waiting(recipe):
        if recipe.epochs is not None and rule.patience >= recipe.epochs:
            yield Found((*path, "patience"), f"{rule.patience} epochs of patience in a run of {recipe.epochs}")


def _waiting(recipe: Recipe) -> Iterator[tuple[Path, rates.PlateauRule | EarlyStopping]]:
    """The rules that act after epochs without improvement."""
    if (plateau := _acting_plateau(recipe)) is not None:
        yield plateau
    if recipe.training.early_stopping:
        yield ("training", "early_stopping"), recipe.training.early_stopping


def _acting_plateau(recipe: Recipe) -> tuple[Path, rates.PlateauRule] | None:
    rate = recipe.rate
    if isinstance(rate, rates.Plateau):
        return recipe.rate_path(), rate
    acts = rate.plateau is not None and rate.plateau.combine == "multiplied"
    return (recipe.rate_path("plateau"), rate.plateau) if acts and rate.plateau else None


def _stops_before_plateau(recipe: Recipe) -> Iterator[Found]:
    early, plateau = recipe.training.early_stopping, _acting_plateau(recipe)
    if early and plateau and early.watch == plateau[1].watch and early.patience <= plateau[1].patience:
        found = f"training stops after {early.patience} epochs without improvement, the rate falls after "
        yield Found(("training", "early_stopping", "patience"), f"{found}{plateau[1].patience}")


def _padding(recipe: Recipe) -> Iterator[Found]:
    side = min(recipe.graph.input.shape[:2])
    for index, step in enumerate(recipe.training.augment):
        if isinstance(step, PadCrop) and step.pad >= side:
            yield Found(
                ("training", "augment", index, "pad_crop", "pad"), f"padding of {step.pad} around images of {side}"
            )


def _cutout(recipe: Recipe) -> Iterator[Found]:
    height, width, _ = recipe.graph.input.shape
    for index, step in enumerate(recipe.training.augment):
        if isinstance(step, Cutout) and step.size >= max(height, width):
            found = f"a square of {step.size} covers images of {height}x{width}"
            yield Found(("training", "augment", index, "cutout"), found)


def _mixing(recipe: Recipe) -> Iterator[Found]:
    for index, step in enumerate(recipe.training.augment):
        if isinstance(step, Mixing) and recipe.training.batch_size == 1:
            yield Found(("training", "augment", index, step.kind), f"{step.kind} in batches of one image")


def _hold_out(recipe: Recipe) -> Iterator[Found]:
    validation = recipe.training.data.validation or Holdout()
    end = recipe.end
    if recipe.images is None or recipe.learned_from is None or end is None or not isinstance(validation, Holdout):
        return
    place: Path = ("training", "data", "validation", "holdout")
    held_out, classes = recipe.images - recipe.learned_from, end.shape[-1]
    for count, what in ((held_out, "held out"), (recipe.learned_from, "left to learn from")):
        if count < classes:
            yield Found(place, f"{count} images are {what}, fewer than the {classes} classes")


def _batch(recipe: Recipe) -> Iterator[Found]:
    size, images = recipe.training.batch_size, recipe.learned_from
    if images is not None and size > images:
        yield Found(("training", "batch_size"), f"a batch of {size:,}, but {images:,} images to learn from")


def _norm_on_one_image(recipe: Recipe) -> Iterator[Found]:
    training = recipe.training
    if training.batch_size < 2 * training.accumulate and recipe.has_norms:
        key = "batch_size" if training.batch_size == 1 else "accumulate"
        yield Found(("training", key), "batch norm sees one image at a time")


def _nesterov(recipe: Recipe) -> Iterator[Found]:
    optimizer = recipe.training.optimizer
    if isinstance(optimizer, Sgd) and optimizer.nesterov and not optimizer.momentum:
        yield Found(("training", "optimizer", "sgd", "nesterov"), "nesterov, but no momentum")


def _unused_point(recipe: Recipe) -> Iterator[Found]:
    texts = [(path, value) for path, value in walk(recipe.spec.document.data) if isinstance(value, str)]
    used = {value for path, value in texts if path[-1] != "point"}
    for path, name in texts:
        if path[-1] == "point" and not name.startswith("$") and name not in used:
            yield Found(path, f"nothing goes on from the point '{name}'")


RULES = (
    Rule("plateau-overruled", "Either the fixed schedule alone, or `combine: multiplied`, says what happens.",
         _plateau_overruled),
    Rule("l2-with-adam", "It divides the gradient by its size, and the pull to zero with it: weights with large "
         "gradients are hardly pulled. adamw with `weight_decay: {decoupled: ...}` pulls all alike.", _l2_with_adam),
    Rule("decay-on-norm", "Scales, shifts and biases are few and do not overfit; pulled to zero, they only hold the "
         "network back. `kinds: [conv, dense]` leaves them alone.", _decay_on_norm),
    Rule("best-on-test", "The best of many epochs on the test set looks better than it is. Hold out training images, "
         "or read the accuracy of the final weights only.", _best_on_test),
    Rule("never-reached", "The rates were made for a longer run. Boundaries as `unit: fraction` go with its length.",
         _never_reached),
    Rule("patience-too-long", "It can never run out.", _patience),
    Rule("stops-before-plateau", "The rate never falls: its patience has to be the shorter one.",
         _stops_before_plateau),
    Rule("padding-too-large", "Some crops show nothing of the image.", _padding),
    Rule("cutout-too-large", "Some images lose all that they show.", _cutout),
    Rule("mixing-one-image", "An image is mixed with another one of its batch.", _mixing),
    Rule("holdout-size", "Each class needs images to learn from, and to be judged by.", _hold_out),
    Rule("batch-larger-than-data", "An epoch is one iteration of a smaller batch.", _batch),
    Rule("norm-on-one-image", "Statistics of one image say nothing of the others: training and test differ.",
         _norm_on_one_image),
    Rule("unused-point", "A name that nothing uses: `from`, an argument or `outputs` may have been meant to.",
         _unused_point),
    Rule("nesterov-without-momentum", "Nesterov looks ahead along the momentum.", _nesterov),
)  # fmt: skip
