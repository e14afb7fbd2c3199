"""What changes from one recipe to another: one sentence a change, found by walking through both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher

from pydantic import BaseModel

from archbuilder.comparison.deviations.deviation import Deviation
from archbuilder.comparison.wording.phrases import Subject, listed, number
from archbuilder.graph.network import Costs
from archbuilder.spec.base import Kind
from archbuilder.spec.data import Csv, Data, Fold
from archbuilder.spec.optimization import Clip
from archbuilder.spec.training import Stop, Training

Path = tuple[str, ...]
_SUBJECTS: Mapping[Path, Subject] = {
    ("data", "source"): Subject("the data set", plural=False),
    ("data", "validation"): Subject("the validation set", plural=False),
    ("data", "validation", "amount"): Subject("the size of the validation set", plural=False),
    ("data", "test"): Subject("the test set", plural=False),
    ("data", "test", "amount"): Subject("the size of the test set", plural=False),
    ("data", "on_unreadable"): Subject("the answer to images that cannot be read", plural=False),
    ("data", "on_unreadable", "most"): Subject("the share of images that need not be read", plural=False),
    ("data", "source", "labels"): Subject("the columns of labels", plural=True),
    ("data", "source", "image"): Subject("the column of paths", plural=False),
    ("data", "source", "part"): Subject("the column of train, val and test", plural=False),
    ("colours",): Subject("the order of colours", plural=False),
    ("class_weights",): Subject("the weights of classes", plural=True),
    ("freeze",): Subject("the frozen parts", plural=True),
    ("rate_factors",): Subject("the factors of the learning rate", plural=True),
    ("normalise",): Subject("the normalisation", plural=False),
    ("testing",): Subject("the images of the test", plural=True),
    ("accumulate",): Subject("the number of parts of a batch", plural=False),
    ("synchronise_norms",): Subject("the synchronisation of norms", plural=False),
    ("stop",): Subject("the length of the training", plural=False),
    ("loss", "label_smoothing"): Subject("label smoothing", plural=False),
    ("optimizer", "nesterov"): Subject("Nesterov's momentum", plural=False),
    ("weight_decay", "coupled"): Subject("the weight decay", plural=False),
    ("weight_decay", "decoupled"): Subject("the decoupled weight decay", plural=False),
    ("learning_rate", "rate"): Subject("the learning rate", plural=False),
    ("learning_rate", "initial"): Subject("the initial learning rate", plural=False),
    ("learning_rate", "final"): Subject("the final learning rate", plural=False),
    ("weight_decay", "kinds"): Subject("the weights that decay"),
    ("keep", "best"): Subject("the value that chooses the best weights", plural=False),
    ("keep", "last"): Subject("the number of checkpoints that are kept", plural=False),
    ("keep", "every_epochs"): Subject("the number of epochs between checkpoints", plural=False),
    ("xla",): Subject("the use of XLA", plural=False),
}
"""What a setting is called where the words of its keys do not say it."""
_OPTIONAL: Mapping[str, str] = {
    "early_stopping": "early stopping", "weight_decay": "weight decay", "clip": "clipping of gradients",
    "moving_average": "a moving average of the weights", "warmup": "a warm-up", "plateau": "a plateau rule",
}  # fmt: skip
"""What a recipe may have or not."""
_UNSAID: Mapping[Path, str] = {
    ("data", "validation"): "val/ or holdout (amount 0.1)", ("data", "test"): "the one in the data",
    ("data", "source", "labels"): "label, or all that are left", ("data", "source", "part"): "the one called split",
    ("data", "source", "image"): "the one called path, file or image",
}  # fmt: skip
"""What holds where nothing is said."""
_IN_ANY_ORDER = ("kinds", "freeze")
"""Lists that say the same in another order."""
_WHOLE = (Stop, Clip, Fold)
"""Models of which one thing or another is said."""
_APART = (Data, Csv)
"""Models of which each setting may be said or not, whatever the others are."""
STEP = 3
"""The length of the path of a step: its list, its place, its kind."""
_STEPS = {"augment": "images are augmented", "testing": "images of the test are framed"}
"""Lists of what is done to images, one after the other."""


def recipe_changes(before: Training | None, after: Training | None, name: str) -> tuple[Deviation, ...]:
    """The changes that lead from one recipe to another; `name` is that of the spec before."""
    if before is None and after is None:
        return ()
    if before is None or after is None:
        said = ("is not said here, {0} says it", "is said here, {0} does not say it")[before is None]
        return (_change((), f"how it is trained {said.format(name)}"),)
    return tuple(_models((), _keeping_alike(before, after), after, name))


def _keeping_alike(before: Training, after: Training) -> Training:
    """The recipe before, which chooses its best weights as that after does where the loss of each says by what."""
    if before.keep.best != before.measured or after.keep.best != after.measured:
        return before
    return before.model_copy(update={"keep": before.keep.model_copy(update={"best": after.keep.best})})


def _change(path: Path, message: str) -> Deviation:
    return Deviation(".".join(("training", *path)), message, (), Costs())


def _models(path: Path, before: BaseModel, after: BaseModel, name: str) -> Iterator[Deviation]:
    for key in type(after).model_fields:
        if key != "kind":
            yield from _values((*path, key), getattr(before, key), getattr(after, key), name)


def _values(path: Path, before: object, after: object, name: str) -> Iterator[Deviation]:
    if path[-1] in _IN_ANY_ORDER:
        before, after = (sorted(one) if isinstance(one, tuple) else one for one in (before, after))
    if before == after:
        return
    if path[-1] in _STEPS and isinstance(before, tuple) and isinstance(after, tuple):
        yield from _steps(path, before, after, name)
    elif isinstance(before, BaseModel) and isinstance(after, BaseModel) and _say_the_same(before, after):
        yield from _models(path, before, after, name)
    else:
        yield _change(path, _sentence(path, before, after, name))


def _say_the_same(before: BaseModel, after: BaseModel) -> bool:
    """Whether two models have the same settings, if with other values: not one this, the other that."""
    units = [getattr(one, "unit", None) for one in (before, after)]  # in which the other settings of a rate are said
    is_whole = isinstance(before, _WHOLE) or units[0] != units[1]
    same = isinstance(before, _APART) or _said(before) == _said(after)
    return type(before) is type(after) and not is_whole and same


def _said(model: BaseModel) -> list[str]:
    """The settings of a model that are there."""
    return [key for key in type(model).model_fields if getattr(model, key) is not None or key in _OPTIONAL]


def _sentence(path: Path, before: object, after: object, name: str) -> str:
    about = _subject(path)
    if (what := _OPTIONAL.get(path[-1])) and (before is None or after is None):
        if before is None:
            return f"there is {what} ({phrase(after)}), {name} has none"
        return f"there is no {what.removeprefix('a ')}, but {name} has: {phrase(before)}"
    here, there = (_UNSAID.get(path, "none") if one in (None, ()) else phrase(one) for one in (after, before))
    return f"{about.text} {about.are} {here}, {about.of(name)} {there}"


def _subject(path: Path) -> Subject:
    if path in _SUBJECTS:
        return _SUBJECTS[path]
    own = path[-1].replace("_", " ")
    if path[0] in _STEPS and len(path) == STEP:
        return Subject(path[-1], plural=False)
    if len(path) == 1:
        return Subject(f"the {_OPTIONAL.get(path[-1], own).removeprefix('a ')}", plural=False)
    return Subject(f"the {own} of {_subject(path[:-1]).text}", plural=own in ("drops", "points"))


def phrase(value: object) -> str:
    """A value of a recipe in words: `sgd (momentum 0.9)`, `200 epochs`, `0.01 from 32000 on`."""
    match value:
        case None:
            return "none"
        case bool():
            return "on" if value else "off"
        case int():
            return f"{value:,}"
        case float():
            return number(value)
        case dict() if all(isinstance(key, str) for key in value):
            return listed([f"{key} {phrase(one)}" for key, one in value.items()]) if value else "none"
        case dict():
            return listed([f"{phrase(rate)} from {phrase(at)} on" for at, rate in value.items()]) if value else "none"
        case list() | tuple():
            return listed([phrase(one) for one in value]) if value else "none"
        case BaseModel():
            return _model_phrase(value)
        case _:
            return str(value)


def _model_phrase(model: BaseModel) -> str:
    said = {
        key: getattr(model, key)
        for key, field in type(model).model_fields.items()
        if key != "kind"
        and (field.is_required() or getattr(model, key) != field.get_default(call_default_factory=True))
    }
    if not isinstance(model, Kind) and len(said) == 1:
        [(key, value)] = said.items()
        return f"{phrase(value)} {key}" if key in ("epochs", "iterations") else f"{key} {phrase(value)}"
    settings = ", ".join(f"{key.replace('_', ' ')} {phrase(value)}" for key, value in said.items())
    if not isinstance(model, Kind):
        return settings or "as by default"
    return f"{model.kind}{f' ({settings})' if settings else ''}"


def _steps(path: Path, before: Sequence[Kind], after: Sequence[Kind], name: str) -> Iterator[Deviation]:
    """Steps that came, went, or have other settings; of the same ones in another order, the order."""
    kinds = [[step.kind for step in steps] for steps in (before, after)]
    what = _STEPS[path[-1]]
    if kinds[0] != kinds[1] and sorted(kinds[0]) == sorted(kinds[1]):
        yield _change(path, f"{what} by {', '.join(kinds[1])}, those of {name} by {', '.join(kinds[0])}")
        return
    for tag, a, b, c, d in SequenceMatcher(None, kinds[0], kinds[1], autojunk=False).get_opcodes():
        came, went = (listed([phrase(one) for one in steps]) if steps else "" for steps in (after[c:d], before[a:b]))
        match tag:
            case "equal":
                for index, pair in enumerate(zip(before[a:b], after[c:d], strict=True), c):
                    yield from _models((*path, f"{index}", pair[1].kind), *pair, name)
            case "insert":
                yield _change(path, f"{what} by {came}, those of {name} are not")
            case "delete":
                yield _change(path, f"{what.replace(' are ', ' are not ')} by {went}, those of {name} are")
            case _:
                yield _change(path, f"{what} by {came}, those of {name} by {went}")
