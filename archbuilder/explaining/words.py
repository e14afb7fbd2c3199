"""What a word of the language means: from the models that check it, and from the library's own files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib.resources import files
from itertools import chain
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from archbuilder.aliases import Json
from archbuilder.comparison.wording.phrases import number
from archbuilder.errors import MissingError, listed, nearest
from archbuilder.explaining.examples import CONV, as_data, as_yaml, example_of, sample_of, settings_of, use_of, whole
from archbuilder.explaining.explanation import Explanation, Setting
from archbuilder.explaining.keys import all_keys, kinds_of, literals_of, models_in
from archbuilder.formatting import printable
from archbuilder.spec import bundled, library
from archbuilder.spec.augmentation import Augmentation
from archbuilder.spec.base import Kind
from archbuilder.spec.data import Holdout, Source, Unreadable, Validation
from archbuilder.spec.framing import TestFraming
from archbuilder.spec.layers import Conditional, From, Merge, Point
from archbuilder.spec.learning_rate import AnySchedule
from archbuilder.spec.library import Plural
from archbuilder.spec.network import Each, Parameter
from archbuilder.spec.normalisation import Normalisation
from archbuilder.spec.op_layers import OPS, Op
from archbuilder.spec.optimization import Loss, Optimizer
from archbuilder.spec.training import NAMES_ELSEWHERE
from archbuilder.spec.values import written

_CHOICES: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("learning rate", AnySchedule, ("training", "learning_rate")),
    ("augmentation", Augmentation, ("training", "augment")),
    ("framing of test images", TestFraming, ("training", "testing")),
    ("loss", Loss, ("training", "loss")),
    ("optimizer", Optimizer, ("training", "optimizer")),
    ("normalisation", Normalisation, ("training", "normalise")),
    ("data set", Source, ("training", "data", "source")),
    ("validation set", Validation, ("training", "data", "validation")),
    ("test set", Holdout, ("training", "data", "test")),
    ("answer to unreadable images", Unreadable, ("training", "data", "on_unreadable")),
)
"""What names one of several things: what it is, and where it stands."""
MERGES: Mapping[str, object] = {
    "add": {"residual": [CONV, "norm"], "shortcut": "projection"},
    "concat": {"narrow": [CONV], "wide": [{"conv": {"filters": 16, "kernel": 5}}]},
    "multiply": {"features": [], "gate": ["global_average_pool", {"dense": {"units": 16}}, "sigmoid"]},
    "gate": {"transform": [CONV], "carry": [CONV], "gate": [CONV, "sigmoid"]},
}
IN_HEADS: Mapping[str, list[str]] = {
    "global_average_pool": [], "global_max_pool": [], "flatten": [], "channel_conv": ["global_average_pool"]
}  # fmt: skip
"""Layers that stand in heads, and what comes before them there."""
WORDS: Mapping[str, tuple[type[BaseModel] | type[Each], Json]] = {
    "if": (Conditional, {"stem": [CONV, {"if": "${channels > 8}", "then": ["norm"]}]}),
    "from": (From, {"head": [{"from": "stage2", "layers": ["global_average_pool"]}, {"dense": {"units": 10}}]}),
    "point": (Point, {"stem": [CONV, {"point": "early"}, "norm"]}),
    "each": (Each, {"stages": [{"units": 2, "filters": {"each": [16, 16]}}]}),
}
Make = Callable[[], Explanation]


def explain(name: str) -> tuple[Explanation, ...]:
    """All that is called so; raises MissingError, with what one may have meant, where nothing is."""
    plain = ".".join(part for part in name.strip().replace("-", "_").split(".") if not part.isdigit())
    known = _known()
    words = [one for one in known if one.lower() == plain.lower()]
    ending = [one for one in known if one.lower().endswith(f".{plain.lower()}")]
    shortest = min((one.count(".") for one in ending), default=0)
    keys = [one for one in ending if one.count(".") == shortest and (plain,) not in all_keys()]
    if meant := [*words, *(keys if len(keys) == 1 else [])]:
        return tuple(make() for one in meant for make in known[one])
    raise MissingError(f"there is nothing called '{printable(name)}'\n  hint: {_hint(name, plain, ending)}")


def _hint(name: str, plain: str, ending: list[str]) -> str:
    if ending:
        return f"there are several: {listed(ending)}"
    if name in bundled():
        return f"it is a spec: `archbuilder show {name}` prints it, `archbuilder build {name}` says what it costs"
    if (elsewhere := NAMES_ELSEWHERE.get(plain.lower())) is not None:
        return f"it is called training.{elsewhere}"
    last = {one.rpartition(".")[2]: one for one in reversed(names())}
    near = list(dict.fromkeys([*nearest(plain, names(), 3), *(last[one] for one in nearest(plain, last, 2))]))
    meant = f"did you mean {listed([repr(one) for one in near])}? " if near else ""
    return f"{meant}`archbuilder explain` lists all words"


def names() -> tuple[str, ...]:
    """Everything that can be explained; keys of a spec come last."""
    return tuple(_known())


@cache
def _known() -> dict[str, list[Make]]:
    found: dict[str, list[Make]] = {}
    keys: Iterator[tuple[str, Make]] = ((".".join(path), partial(_of_key, path)) for path in all_keys())
    for name, make in chain(_layers(), _choices(), keys):
        found.setdefault(name, []).append(make)
    return found


def _layers() -> Iterator[tuple[str, Make]]:
    plurals: tuple[Plural, ...] = ("units", "shortcuts")
    for plural in plurals:
        yield from ((name, partial(_template, plural, name)) for name in library.names(plural))
    for model in OPS:
        yield from ((name, partial(_op, model, name)) for name in kinds_of(model))
    yield from ((name, partial(_merge, name)) for name in MERGES)
    yield from ((name, partial(_word, name)) for name in WORDS)


def _choices() -> Iterator[tuple[str, Make]]:
    seen: set[type[Kind]] = set()
    for what, union, path in _CHOICES:
        for model in _kinds_in(union):
            if model not in seen:
                yield kinds_of(model)[0], partial(_kind, what, model, path)
            seen.add(model)


def _kinds_in(union: Any) -> list[type[Kind]]:
    return [model for model in models_in(union) if issubclass(model, Kind)]


def _summary(model: type) -> str:
    return " ".join((model.__doc__ or "").split())


def _template(plural: Plural, name: str) -> Explanation:
    template = library.definition(plural, name).template
    settings = tuple(
        Setting(key, None if one.required else _inline(written(one.default)), _of_parameter(one))
        for key, one in template.parameters.items()
    )
    text = (files("archbuilder") / f"library/{plural}/{name}.yaml").read_text(encoding="utf-8")
    what = f"a {plural.removesuffix('s')}"
    return Explanation(
        name, what, template.summary, settings, as_yaml(use_of(plural, name)), template.source, text=text, plural=plural
    )


def _of_parameter(parameter: Parameter) -> str:
    choices = [f"one of {', '.join(map(str, parameter.choices))}"] if parameter.choices else []
    return ", ".join([*choices, *(["layers that keep the shape"] if parameter.keeps else [])])


def _op(model: type[Op], name: str) -> Explanation:
    needed = settings_of(model)
    layer: object = {name: needed} if needed else name
    example: Json = {"stem": [CONV, layer]}
    if name in IN_HEADS:
        example = {"head": [*IN_HEADS[name], layer, {"dense": {"units": 10}}, "softmax"]}
    return Explanation(name, "a layer", _summary(model), _settings(model), as_yaml(example))


def _merge(name: str) -> Explanation:
    return Explanation(name, "a merge", _summary(Merge), (), as_yaml({"stem": [CONV, {name: MERGES[name]}]}))


def _word(name: str) -> Explanation:
    model, example = WORDS[name]
    settings = _settings(model) if issubclass(model, BaseModel) else ()
    return Explanation(name, "a word of the language", _summary(model), settings, as_yaml(example))


def _kind(what: str, model: type[Kind], path: tuple[str, ...]) -> Explanation:
    name = kinds_of(model)[0]
    places = [path, *(other for _, union, other in _CHOICES if other != path and model in models_in(union))]
    article = "an" if what[0] in "aeiou" else "a"
    return Explanation(
        name,
        f"{article} {what}, at {', '.join(map('.'.join, places))}",
        _summary(model),
        _settings(model),
        as_yaml(whole(path, sample_of(model))),
    )


def _settings(model: type[BaseModel]) -> tuple[Setting, ...]:
    return tuple(
        Setting(field.alias or key, _default(field), field.description or "")
        for key, field in model.model_fields.items()
        if key != "kind"
    )


def _default(field: FieldInfo) -> str | None:
    return None if field.is_required() else _inline(as_data(field.get_default(call_default_factory=True)))


def _inline(value: object) -> str:
    """A value on one line, as it may be written in YAML."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case float():
            return number(value)
        case dict():
            return "{" + ", ".join(f"{key}: {_inline(one)}" for key, one in value.items()) + "}"
        case list() | tuple():
            return f"[{', '.join(map(_inline, value))}]"
        case _:
            return str(value) or "nothing"


def _of_key(path: tuple[str, ...]) -> Explanation:
    field = all_keys()[path].field
    members = models_in(field.annotation)
    kinds = _kinds_in(field.annotation)
    single = members[0] if len(members) == 1 and not kinds else None
    settings = _settings(single) if single and path[-1] not in ("unit", "shortcut") else ()
    choices = tuple(name for kind in kinds for name in kinds_of(kind)) or literals_of(field.annotation)
    default = "required" if (found := _default(field)) is None else f"by default {found}"
    summary = field.description or ""
    return Explanation(
        ".".join(path),
        f"a key of a spec, {default}",
        summary,
        settings,
        as_yaml(example_of(path, kinds)),
        choices=choices,
    )


def overview() -> str:
    """All words that are explained, by what they are."""
    groups: dict[str, list[str]] = {}
    for name, makes in _known().items():
        if "." not in name:
            for make in makes:
                groups.setdefault(make().what.split(", by default")[0].removesuffix(", required"), []).append(name)
    lines = [f"{what}: {', '.join(found)}" for what, found in groups.items()]
    return "\n".join([*lines, "", "Keys are explained as well, such as training.batch_size or stages.first."])


def words_of(group: str) -> list[Explanation]:
    """The units, the shortcuts or the ops, in their order."""
    wanted = {"units": ("a unit",), "shortcuts": ("a shortcut",), "ops": ("a layer", "a merge")}[group]
    made = (make() for name, makes in _known().items() if "." not in name for make in makes)
    return [one for one in made if one.what in wanted]
