"""The errors of Pydantic as diagnostics with their place in the YAML."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from archbuilder.errors import Diagnostic, suggest
from archbuilder.spec.document import Data, Place
from archbuilder.spec.values import shown

_EXPECTED = {
    "int_type": "an integer is expected", "float_type": "a number is expected",
    "bool_type": "true or false is expected", "string_type": "text is expected",
    "dict_type": "a mapping is expected", "model_type": "a mapping is expected",
    "model_attributes_type": "a mapping is expected", "tuple_type": "a list is expected",
    "list_type": "a list is expected", "finite_number": "a finite number is expected",
    "union_tag_invalid": "this is not known here",
}  # fmt: skip
_BOUNDS = {
    "greater_than": ("gt", "it must be greater than"), "greater_than_equal": ("ge", "it must be at least"),
    "less_than": ("lt", "it must be less than"), "less_than_equal": ("le", "it must be at most"),
}  # fmt: skip

_BRACKETS = {"dict_type": "{", "model_type": "{", "model_attributes_type": "{", "tuple_type": "[", "list_type": "["}
"""What the right form begins with where a mapping or a list is something else."""
_LENGTHS = {
    "too_long": "at most {max_length} of them are expected",
    "too_short": "at least {min_length} of them are expected",
    "string_too_long": "a text of at most {max_length} characters is expected",
    "string_too_short": "a text of at least {min_length} character is expected",
}


_FORMS = {
    "stop": "{epochs: 200}", "data": "{source: cifar10}", "augment": "[{flip: horizontal}, {pad_crop: {pad: 4}}]",
    "testing": "[{resize: {shorter_side: 256}}, centre_crop]", "stem": "[{conv: {filters: 16, kernel: 3}}, norm, relu]",
    "head": "[global_average_pool, {dense: {units: 10}}, softmax]", "stages": "[{units: 3, filters: 16}]",
    "defaults": "{conv: {bias: false}}", "training": "{data: {source: cifar10}, stop: {epochs: 200}, ...}",
    "templates": "{units: {mine: {layers: [relu]}}}", "outputs": "[head]", "after": "[max_pool: {size: 2, stride: 2}]",
    "conv": "{bias: false}", "norm": "{epsilon: 0.001}", "layers": "[norm, relu]", "parameters": "{filters: required}",
    "keep": "{last: 2}", "weight_decay": "{coupled: 1e-4}", "freeze": "[stem, stage1, norms]",
    "rate_factors": "{head: 10, stem: 0.1}", "weights": "{preprocessing: caffe}", "preprocessing": "caffe",
    "archbuilder": "1", "name": "mine", "input": "[32, 32, 3]", "optimizer": "{sgd: {momentum: 0.9}}",
    "learning_rate": "{constant: {rate: 0.1}}", "error": "6.5", "dataset": "CIFAR-10", "unit": "basic", "units": "10",
    "filters": "16", "kernel": "3", "size": "2", "stride": "2", "method": "max", "rate": "0.1", "factor": "2",
    "amount": "1", "channels": "64", "slice_channels.stop": "$channels", "groups": "2", "then": "[relu]",
    "source": "cifar10", "tfds.name": "cifar10", "initial": "0.1", "drops": "{100: 0.01, 150: 0.001}",
    "points": "{0: 0.1, 100: 0.001}", "peak": "0.1", "mean": "[0.5, 0.5, 0.5]", "deviation": "[0.25, 0.25, 0.25]",
    "training_error": "0.8",
}  # fmt: skip
"""A right form of what stands under a key; where a key means several things, by the key around it, too."""


def diagnostics(error: ValidationError, root: Place) -> list[Diagnostic]:
    """One diagnostic for each problem; `root` is the place of the data that was validated."""
    found = [_diagnostic(problem, root) for problem in error.errors(include_url=False)]
    return list({(one.code, one.span, one.message): one for one in found}.values())


def _diagnostic(problem: ErrorDetails, root: Place) -> Diagnostic:
    kind, context = problem["type"], problem.get("ctx", {})
    place = locate(root, problem["loc"])
    if kind == "missing":
        missing = _missing(place, str(problem["loc"][-1]))
        return Diagnostic("missing-key", f"'{missing.dotted}' is missing", place.key_span, form_hint(missing))
    hint = context.get("hint")
    if "at" in context and isinstance(place.document.get(place.path), dict):
        place = place.at(context["at"])
        return Diagnostic(kind, context["message"], place.key_span, hint)
    if kind in ("unknown-key", "bad-name"):
        return Diagnostic(kind, context["message"], place.key_span, hint)
    code = kind if "-" in kind else "bad-value"
    hint = hint or _literal_hint(problem) or (form_hint(place, _BRACKETS[kind]) if kind in _BRACKETS else None)
    return Diagnostic(code, message_of(problem), place.span, hint)


def _missing(place: Place, key: str) -> Place:
    """The place of a key that is not there; the name of a layer may stand bare where its settings are to stand."""
    bare = place.document.get(place.path)
    return place.at(bare, key) if isinstance(bare, str) else place.at(key)


def form_hint(place: Place, begins: str = "") -> str | None:
    """An example of what may stand at a place, if there is one that begins so."""
    around, key = ("", "", *place.path)[-2:]
    form = _FORMS.get(f"{around}.{key}") or _FORMS.get(str(key), "")
    return f"such as {key}: {form}" if form and form.startswith(begins) else None


def message_of(problem: ErrorDetails) -> str:
    kind, context = problem["type"], problem.get("ctx", {})
    if "message" in context:
        return str(context["message"])
    value = shown(problem["input"])
    if kind in _EXPECTED:
        return f"{_EXPECTED[kind]}, not {value}"
    if kind in _BOUNDS:
        bound, phrase = _BOUNDS[kind]
        return f"{phrase} {context[bound]}, not {value}"
    if kind == "literal_error":
        return f"{context['expected']} is expected, not {value}"
    if kind in _LENGTHS:
        return _LENGTHS[kind].format(**context)
    if kind == "string_pattern_mismatch":
        return f"letters from a to z, digits and _ . + / - are expected, a letter or digit first, not {value}"
    return f"this cannot stand here: {value}"


def _literal_hint(problem: ErrorDetails) -> str | None:
    if problem["type"] != "literal_error" or not isinstance(problem["input"], str):
        return None
    known = problem.get("ctx", {})["expected"].replace(" or ", ", ").replace("'", "").split(", ")
    hint = suggest(problem["input"], known, "known")
    return hint if hint.startswith("did") else None


def locate(root: Place, location: tuple[int | str, ...]) -> Place:
    """Follows Pydantic's location along the data; parts that are not there (such as union tags) are skipped."""
    place = root
    for part in location:
        data = place.document.get(place.path)
        if _has(data, part):
            place = place.at(part)
        elif (only := _only_value(data)) and _has(only[1], part):
            place = place.at(only[0], part)
        elif (number := _as_key(data, part)) is not None:
            place = place.at(number)
    return place


def _has(data: Data, part: int | str) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and 0 <= part < len(data)


def _only_value(data: Data) -> tuple[str, Data] | None:
    """The one entry of a mapping such as `{conv: {...}}`, whose name Pydantic's location may leave out."""
    return next(iter(data.items())) if isinstance(data, dict) and len(data) == 1 else None


def _as_key(data: Data, part: int | str) -> int | None:
    """A numeric key, which Pydantic may report as text."""
    if isinstance(data, dict) and isinstance(part, str):
        return next((key for key in data if str(key) == part), None)
    return None
