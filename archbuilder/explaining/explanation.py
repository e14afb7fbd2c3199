"""What a word of the language means: from the models that check it, and from the library's own files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from itertools import chain
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from archbuilder.aliases import Json
from archbuilder.comparison.wording.phrases import number
from archbuilder.errors import MissingError, UsageError, listed, nearest
from archbuilder.expansion.expansion import expand
from archbuilder.formatting import aligned, printable, wrapped
from archbuilder.graph.network import Graph
from archbuilder.spec import bundled, library, load_text
from archbuilder.spec.augmentation import Augmentation
from archbuilder.spec.base import Kind
from archbuilder.spec.data import Data, Source, Validation
from archbuilder.spec.document import dump
from archbuilder.spec.framing import TestFraming
from archbuilder.spec.layers import Conditional, From, Merge, Point
from archbuilder.spec.learning_rate import AnySchedule, WarmUp
from archbuilder.spec.library import Plural
from archbuilder.spec.network import Each, Network, Parameter, Stage
from archbuilder.spec.normalisation import Normalisation
from archbuilder.spec.op_layers import OPS, Op
from archbuilder.spec.optimization import Loss, Optimizer, WeightDecay
from archbuilder.spec.training import NAMES_ELSEWHERE, Training
from archbuilder.spec.values import written

SAMPLES: Mapping[str, object] = {
    "filters": 16, "kernel": 3, "size": 2, "stride": 2, "units": 10, "rate": 0.1, "factor": 2, "amount": 1,
    "method": "max", "channels": 32, "stop": 8, "groups": 4, "growth": 12, "initial": 0.1,
    "drops": {80: 0.01, 120: 0.001}, "peak": 0.2, "points": {0: 0.1, 64000: 0}, "mean": [0.5, 0.5, 0.5],
    "deviation": [0.2, 0.2, 0.2], "name": "imagenet2012", "combine": "multiplied", "training_error": 0.8,
    "archbuilder": 1, "input": [32, 32, 3], "stages": [{"units": 3, "filters": 16}], "unit": "basic",
    "shortcut": "projection", "weight_decay": {"coupled": 0.0001}, "clip": {"norm": 1.0},
    "early_stopping": {"patience": 10}, "moving_average": {"decay": 0.999}, "warmup": {"epochs": 5},
    "coupled": 0.0001, "decoupled": 0.0001, "norm": 1.0, "value": 0.5, "epochs": 100, "iterations": 64000,
    "fraction": 0.1, "path": "my_images", "until": {"training_error": 0.8}, "error": 8.75, "top5_error": 6.71,
    "dataset": "CIFAR-10", "how": "10-crop", "source": "cifar10", "optimizer": "sgd",
    "learning_rate": {"constant": {"rate": 0.1}}, "shorter_side": 256, "outputs": ["stage2", "head"],
    "summary": "What it is.", "published": [{"error": 8.75, "dataset": "CIFAR-10"}], "training": {"batch_size": 256},
    "data": {"source": "cifar10"}, "first": {"shortcut": "projection_always"}, "last": {"unit": "bottleneck"},
    "stem": [{"conv": {"filters": 16, "kernel": 3}}, "norm", "relu"],
    "head": ["global_average_pool", {"dense": {"units": 10}}, "softmax"], "after": [{"dropout": {"rate": 0.1}}],
    "augment": [{"pad_crop": {"pad": 4}}, {"flip": "horizontal"}],
    "testing": [{"resize": {"shorter_side": 256}}, "centre_crop"], "plateau": {"combine": "multiplied"},
}  # fmt: skip
"""A value of a setting that has no default, or whose default says nothing."""
_SAMPLES_AT: Mapping[str, object] = {"training.stop": {"epochs": 100}, "stages.units": 3, "published.deviation": 0.16}
"""Samples for keys that are called as others are."""
_CHOICES: tuple[tuple[str, Any, tuple[str, ...]], ...] = (
    ("learning rate", AnySchedule, ("training", "learning_rate")),
    ("augmentation", Augmentation, ("training", "augment")),
    ("framing of test images", TestFraming, ("training", "testing")),
    ("loss", Loss, ("training", "loss")),
    ("optimizer", Optimizer, ("training", "optimizer")),
    ("normalisation", Normalisation, ("training", "normalise")),
    ("data set", Source, ("training", "data", "source")),
    ("validation set", Validation, ("training", "data", "validation")),
)
"""What names one of several things: what it is, and where it stands."""
_MERGED = (Network, Training, Data, Stage)
"""Models of which a spec may say some keys alone, over those of the spec that it extends."""
_LENGTH: Json = {"epochs": 5}
_BESIDE: Mapping[tuple[type[BaseModel], str], Json] = {
    (WarmUp, "initial"): _LENGTH, (WarmUp, "shape"): _LENGTH, (WarmUp, "until"): {"shape": "constant"},
    (WeightDecay, "kinds"): {"coupled": 1e-4},
}  # fmt: skip
"""What must stand beside a key, besides what is required anyway."""
_LISTS = frozenset({"augment", "testing"})
_CONV = {"conv": {"filters": 16, "kernel": 3}}
_MERGES: Mapping[str, object] = {
    "add": {"residual": [_CONV, "norm"], "shortcut": "projection"},
    "concat": {"narrow": [_CONV], "wide": [{"conv": {"filters": 16, "kernel": 5}}]},
    "multiply": {"features": [], "gate": ["global_average_pool", {"dense": {"units": 16}}, "sigmoid"]},
    "gate": {"transform": [_CONV], "carry": [_CONV], "gate": [_CONV, "sigmoid"]},
}
_IN_HEADS: Mapping[str, list[str]] = {
    "global_average_pool": [], "global_max_pool": [], "flatten": [], "channel_conv": ["global_average_pool"]
}  # fmt: skip
"""Layers that stand in heads, and what comes before them there."""
_WORDS: Mapping[str, tuple[type[BaseModel] | type[Each], Json]] = {
    "if": (Conditional, {"stem": [_CONV, {"if": "${channels > 8}", "then": ["norm"]}]}),
    "from": (From, {"head": [{"from": "stage2", "layers": ["global_average_pool"]}, {"dense": {"units": 10}}]}),
    "point": (Point, {"stem": [_CONV, {"point": "early"}, "norm"]}),
    "each": (Each, {"stages": [{"units": 2, "filters": {"each": [16, 16]}}]}),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting or a parameter."""

    name: str
    default: str | None
    """As it is written in YAML; None where it must be given."""
    description: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a word means, where it stands, what it takes, and an example."""

    name: str
    what: str
    """What it is, such as `a unit` or `a learning rate, at training.learning_rate`."""
    summary: str
    settings: tuple[Setting, ...]
    example: str
    """YAML that can stand in a spec."""
    source: str = ""
    choices: tuple[str, ...] = ()
    """What may stand there."""
    text: str = ""
    """The file of a unit or a shortcut."""
    plural: Plural | None = None

    def to_json(self) -> Json:
        return {
            "name": self.name, "what": self.what, "summary": self.summary, "source": self.source,
            "settings": [{"name": one.name, "default": one.default, "description": one.description,
                          "required": one.default is None} for one in self.settings],
            "choices": list(self.choices), "example": self.example, "yaml": self.text,
        }  # fmt: skip

    def __str__(self) -> str:
        return render(self)


Make = Callable[[], Explanation]


def _yaml(data: Mapping[str, Any]) -> str:
    """Keys below each other, also where all values are short."""
    lines = [dump({key: value}).strip() for key, value in data.items()]
    return "".join(f"{line[1:-1] if line.startswith('{') else line}\n" for line in lines)


def explain(name: str) -> tuple[Explanation, ...]:
    """All that is called so; raises MissingError, with what one may have meant, where nothing is."""
    plain = ".".join(part for part in name.strip().replace("-", "_").split(".") if not part.isdigit())
    known = _known()
    spelt = {one.lower(): one for one in known}
    if (found := spelt.get(plain.lower())) is not None:
        return tuple(make() for make in known[found])
    ending = [one for one in known if one.lower().endswith(f".{plain.lower()}")]
    shortest = min((one.count(".") for one in ending), default=0)
    if len(meant := [one for one in ending if one.count(".") == shortest]) == 1:
        return tuple(make() for make in known[meant[0]])
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
    keys: Iterator[tuple[str, Make]] = ((".".join(path), partial(_key, path)) for path in _keys())
    for name, make in chain(_layers(), _choices(), keys):
        found.setdefault(name, []).append(make)
    return found


def _layers() -> Iterator[tuple[str, Make]]:
    plurals: tuple[Plural, ...] = ("units", "shortcuts")
    for plural in plurals:
        yield from ((name, partial(_template, plural, name)) for name in library.names(plural))
    for model in OPS:
        yield from ((name, partial(_op, model, name)) for name in _kinds(model))
    yield from ((name, partial(_merge, name)) for name in _MERGES)
    yield from ((name, partial(_word, name)) for name in _WORDS)


def _choices() -> Iterator[tuple[str, Make]]:
    seen: set[type[Kind]] = set()
    for what, union, path in _CHOICES:
        for model in get_args(union):
            if model not in seen:
                yield _kinds(model)[0], partial(_kind, what, model, path)
            seen.add(model)


def _kinds(model: type[BaseModel]) -> tuple[str, ...]:
    return get_args(model.model_fields["kind"].annotation)


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
        name, what, template.summary, settings, _yaml(_use(plural, name)), template.source, text=text, plural=plural
    )


def _of_parameter(parameter: Parameter) -> str:
    choices = [f"one of {', '.join(map(str, parameter.choices))}"] if parameter.choices else []
    return ", ".join([*choices, *(["layers that keep the shape"] if parameter.keeps else [])])


def _use(plural: Plural, name: str) -> Json:
    """A network's units, stage by stage, with the template among them."""
    if plural == "shortcuts":
        stages = {"stages": [{"units": 2, "filters": 16}]} if name == "identity" else {}  # where no shape changes
        return {"unit": "basic", "shortcut": name, **stages}
    needed = {
        key: SAMPLES[key] for key, one in library.definition(plural, name).template.parameters.items() if one.required
    }
    if not needed:
        return {"unit": "basic", "stages": [{"units": 2, "filters": 16, "after": [name]}]}
    return {"unit": name, "stages": [{"units": 2, **needed}]}


def _needed(plural: Plural, name: str) -> dict[str, object]:
    """The parameters of a template that must be given."""
    parameters = library.definition(plural, name).template.parameters
    return {key: SAMPLES[key] for key, one in parameters.items() if one.required}


def _op(model: type[Op], name: str) -> Explanation:
    needed = {key: SAMPLES[key] for key, field in model.model_fields.items() if field.is_required() and key != "kind"}
    layer: object = {name: needed} if needed else name
    example: Json = {"stem": [_CONV, layer]}
    if name in _IN_HEADS:
        example = {"head": [*_IN_HEADS[name], layer, {"dense": {"units": 10}}, "softmax"]}
    return Explanation(name, "a layer", _summary(model), _settings(model), _yaml(example))


def _merge(name: str) -> Explanation:
    return Explanation(name, "a merge", _summary(Merge), (), _yaml({"stem": [_CONV, {name: _MERGES[name]}]}))


def _word(name: str) -> Explanation:
    model, example = _WORDS[name]
    settings = _settings(model) if issubclass(model, BaseModel) else ()
    return Explanation(name, "a word of the language", _summary(model), settings, _yaml(example))


def _kind(what: str, model: type[Kind], path: tuple[str, ...]) -> Explanation:
    name = _kinds(model)[0]
    also = ", training.testing" if path[-1] == "augment" and model in get_args(TestFraming) else ""
    article = "an" if what[0] in "aeiou" else "a"
    return Explanation(
        name,
        f"{article} {what}, at {'.'.join(path)}{also}",
        _summary(model),
        _settings(model),
        _yaml(_whole(path, _member(model))),
    )


def _member(model: type[Kind]) -> object:
    """A member of a union as it stands in YAML, with what it needs."""
    name = _kinds(model)[0]
    needed = {key: SAMPLES[key] for key, field in model.model_fields.items() if field.is_required() and key != "kind"}
    if name in ("random_crop", "centre_crop", "ten_crop"):
        return [{"resize": {"shorter_side": 256}}, name]
    return {name: needed} if needed else name


def _nested(path: tuple[str, ...], value: object) -> dict[str, Any]:
    for key in reversed(path):
        if key in _LISTS and not isinstance(value, list):
            value = _framed(value)
        value = [value] if key == "published" and isinstance(value, dict) else value
        value = [{"units": 3, "filters": 16, **value}] if key == "stages" and isinstance(value, dict) else value
        value = {key: value}
    assert isinstance(value, dict)
    return value


def _settings(model: type[BaseModel]) -> tuple[Setting, ...]:
    return tuple(
        Setting(field.alias or key, _default(field), field.description or "")
        for key, field in model.model_fields.items()
        if key != "kind"
    )


def _default(field: FieldInfo) -> str | None:
    return None if field.is_required() else _inline(_plain(field.get_default(call_default_factory=True)))


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return _plain(value.model_dump(exclude_none=True))
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else written(value)


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


@dataclass(frozen=True, slots=True)
class _Key:
    """A field, and the model that it is one of."""

    field: FieldInfo
    owner: type[BaseModel]


@cache
def _keys() -> dict[tuple[str, ...], _Key]:
    """All keys of a spec by their paths; places in lists are left out."""
    return dict(_below((), Network))


def _below(path: tuple[str, ...], model: type[BaseModel]) -> Iterator[tuple[tuple[str, ...], _Key]]:
    for key, field in model.model_fields.items():
        if key == "kind":
            continue
        yield (*path, key), _Key(field, model)
        if key not in ("templates", "unit", "shortcut", "stem", "head", "after", "layers"):
            for member in _members(field.annotation):
                inner = (*path, key, *(_kinds(member) if issubclass(member, Kind) else ()))
                yield from _below(inner, member)


def _members(annotation: Any) -> list[type[BaseModel]]:
    """The models that a field may hold."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return list(dict.fromkeys(one for part in get_args(annotation) for one in _members(part)))


def _key(path: tuple[str, ...]) -> Explanation:
    field = _keys()[path].field
    members = _members(field.annotation)
    kinds = [member for member in members if issubclass(member, Kind)]
    single = members[0] if len(members) == 1 and not kinds else None
    settings = _settings(single) if single and path[-1] not in ("unit", "shortcut") else ()
    choices = tuple(name for kind in kinds for name in _kinds(kind)) or _literals(field.annotation)
    default = "required" if (found := _default(field)) is None else f"by default {found}"
    summary = field.description or ""
    return Explanation(
        ".".join(path),
        f"a key of a spec, {default}",
        summary,
        settings,
        _yaml(_example(path, field, kinds)),
        choices=choices,
    )


def _literals(annotation: Any) -> tuple[str, ...]:
    """The texts that a field may hold."""
    return tuple(one for one in get_args(annotation) if isinstance(one, str))


def _example(path: tuple[str, ...], field: FieldInfo, kinds: list[type[Kind]]) -> dict[str, Any]:
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    if (sample := _SAMPLES_AT.get(".".join(path))) is not None:
        return _whole(path, sample)
    if default not in (None, (), ""):
        return _whole(path, _plain(default))
    return _whole(path, _member(kinds[0]) if kinds and path[-1] not in SAMPLES else SAMPLES[path[-1]])


def _whole(path: tuple[str, ...], value: object) -> dict[str, Any]:
    """A value below its keys, with all that must stand beside it."""
    is_adamw = "adamw" in path or value == "adamw"
    for end in range(len(path), 0, -1):
        key, known = path[end - 1], _keys().get(path[:end])
        beside: dict[str, Any] = {}
        if known and not issubclass(known.owner, _MERGED):
            fields = known.owner.model_fields.items()
            beside = {one: SAMPLES[one] for one, field in fields if field.is_required() and one not in ("kind", key)}
            beside |= _BESIDE.get((known.owner, key), {})
        if is_adamw and key == "optimizer":
            beside = {"weight_decay": {"decoupled": 0.05}}
        value = {**beside, key: _nested((key,), value)[key]}
    assert isinstance(value, dict)
    return value


def _framed(step: object) -> list[object]:
    """A step of a list; a resized image is cropped."""
    is_resized = isinstance(step, dict) and "shorter_side" in (step.get("resize") or {})
    return [step, "centre_crop"] if is_resized else [step]


def picture(found: Explanation) -> Graph:
    """A small network of a unit or a shortcut, to be drawn; raises UsageError for anything else."""
    if found.plural is None:
        raise UsageError(f"only units and shortcuts have a picture, and {found.name} is {found.what.partition(',')[0]}")
    stages: list[dict[str, object]] = [{"units": 1, "filters": 64}]
    use = _use(found.plural, found.name)
    if found.plural == "shortcuts" and found.name != "identity":
        stages = [{"units": 1, "filters": 128, "stride": 2}]
    elif found.plural == "units":
        needed = _needed(found.plural, found.name)
        stages = [{"units": 1, **({"filters": 64} if "filters" in needed else needed)}]
        stages = stages if needed else [{"units": 1, "filters": 64, "after": [found.name]}]
    spec = {"archbuilder": 1, "name": found.name, "input": [32, 32, 64], **use, "stages": stages}
    return expand(load_text(dump(spec), found.name))


def render(found: Explanation) -> str:
    """What it is, its settings, an example, and of a template its file."""
    lines = [f"{found.name}: {found.what}", "", found.summary]
    if found.source:
        lines.append(f"source: {found.source}")
    if found.choices:
        lines += ["", f"one of: {', '.join(found.choices)}"]
    if found.settings:
        rows = [
            (f"  {one.name}", "required" if one.default is None else one.default, one.description)
            for one in found.settings
        ]
        lines += ["", "parameters:" if found.text else "settings:", *aligned(rows)]
    lines += ["", "example:", *(f"  {line}" for line in found.example.rstrip().split("\n"))]
    if found.text:
        lines += ["", "its file:", *(f"  {line}".rstrip() for line in found.text.rstrip().split("\n"))]
    return "\n".join(lines)


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


def render_words(found: Sequence[Explanation], width: int | None) -> str:
    """A line for each word, its summary folded to the width of the terminal."""
    longest = max(len(one.name) for one in found)
    return "\n".join(wrapped(f"{one.name.ljust(longest)}  ", one.summary, width) for one in found)


def save_picture(found: Explanation, path: Path) -> None:
    """Draws a unit or a shortcut layer by layer."""
    from archbuilder.diagram.dot import diagram
    from archbuilder.diagram.files import save

    save(diagram(picture(found), "layer"), path)
