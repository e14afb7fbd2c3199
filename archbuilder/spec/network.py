"""The models of a spec: the network, its stages and its templates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    TypeAdapter,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from archbuilder.bounds import NAME, SIDE, TEMPLATE_PARAMETERS, UNITS
from archbuilder.spec.base import Model, Positive, Text
from archbuilder.spec.expressions import Expression
from archbuilder.spec.layers import MERGES, WORDS, Branch, Layers, Use, reference
from archbuilder.spec.op_layers import OP_NAMES, ConvDefaults, DenseDefaults, NormDefaults
from archbuilder.spec.preprocessing import Weights
from archbuilder.spec.training import Training
from archbuilder.spec.values import AnyValue, shown, sizes_in, written

UnitReference = Annotated[
    Use, BeforeValidator(lambda value, info: reference(value, info, "units")), WithJsonSchema({"names": "units"})
]


def _checked_only(value: object, handler: ValidatorFunctionWrapHandler) -> object:
    """An argument is kept as it is written: what it stands for is told where its template uses it."""
    checked = handler(value)
    return checked if isinstance(checked, Expression) else value


ShortcutValue = Annotated[Branch, WrapValidator(_checked_only), PlainSerializer(written)]
Side = Annotated[int, Field(strict=True, ge=1, le=SIDE)]


def _choice(value: object) -> object:
    if isinstance(value, str | int):  # true and false as well
        return value
    message = f"text, an integer, true or false is expected, not {shown(value)}"
    raise PydanticCustomError("bad-value", "{message}", {"message": message})


def is_choice(value: object, choices: Sequence[object]) -> bool:
    """Whether a value is among the choices of a parameter; 1 is not true."""
    return any(type(value) is type(one) and value == one for one in choices)


Choice = Annotated[Any, PlainValidator(_choice), WithJsonSchema({"type": ["string", "integer", "boolean"]})]


class Parameter(Model):
    """A parameter of a template: its default, or that it must be given, and what it may be."""

    default: AnyValue = Field(None, description="What it is where it is not given.")
    choices: tuple[Choice, ...] = Field((), description="All that it may be.")
    keeps: Literal["shape"] | None = Field(None, description="shape: layers that it stands for keep the shape.")
    required: bool = Field(False, description="Whether it must be given.")


LONG_FORM = frozenset(Parameter.model_fields)
"""The keys by which a parameter says more than its default."""


def is_long_form(value: object) -> bool:
    return isinstance(value, dict) and value.keys() <= LONG_FORM


def _parameter(value: object) -> object:
    if value == "required":
        return {"required": True}
    return value if is_long_form(value) or isinstance(value, Parameter) else {"default": value}


def _written(parameter: Parameter) -> Any:
    default = written(parameter.default)
    if not parameter.choices and not parameter.keeps:
        return "required" if parameter.required else {"default": default} if is_long_form(default) else default
    given = {"required": True} if parameter.required else {"default": default}
    choices = {"choices": list(parameter.choices)} if parameter.choices else {}
    return {**given, **choices, **({"keeps": parameter.keeps} if parameter.keeps else {})}


def _checked_name(name: str, thing: str, reserved: frozenset[str], *parts: str) -> str:
    """Letters, digits and underscores, also in each of several parts, and not a word of the language."""
    if name in reserved or not all(map(str.isidentifier, parts or (name,))) or len(name) > NAME:
        raise PydanticCustomError("bad-name", "{message}", {"message": f"'{name}' cannot be the name of {thing}"})
    return name


def _parameter_name(name: str) -> str:
    return _checked_name(name, "a parameter", frozenset({"channels", "units", "unit", "first", "last", "after"}))


def _template_name(name: str) -> str:
    """Such as `fused`, or `acme/fused` where it is of other people."""
    return _checked_name(name, "a template", frozenset({*OP_NAMES, *MERGES, *WORDS}), *name.split("/"))


ParameterName = Annotated[str, Field(strict=True), AfterValidator(_parameter_name)]
TemplateName = Annotated[str, Field(strict=True), AfterValidator(_template_name)]


ParameterField = Annotated[
    Parameter,
    BeforeValidator(_parameter),
    PlainSerializer(_written),
    WithJsonSchema({"description": "required, its default, or {default, choices, keeps}."}),
]


class Template(Model):
    """A residual unit, or any group of layers, with parameters."""

    summary: Text = Field("", description="What it is, in a sentence.")
    source: Text = Field("", description="Where it was published.")
    parameters: dict[ParameterName, ParameterField] = Field(
        {}, max_length=TEMPLATE_PARAMETERS, description="Its parameters, with their defaults."
    )
    layers: Layers = Field(
        description="The layers; $name stands for a parameter, $channels for the channels at that point of the path."
    )


class ShortcutTemplate(Template):
    """A shortcut: when it is more than the identity, and of which layers it then is."""

    when: Literal["always", "shape_changes", "never"] = Field(
        "always", description="When the layers are there; otherwise the shortcut is the identity."
    )
    layers: Layers | Literal["none"] = Field(  # type: ignore[assignment]  # wider on purpose
        description="The layers, to $channels and by $stride; none: there is no shortcut, and the merge falls away."
    )


class Templates(Model):
    """Templates that a spec brings along; they come before those of the library."""

    units: dict[TemplateName, Template] = Field({}, description="Units by their names.")
    shortcuts: dict[TemplateName, ShortcutTemplate] = Field({}, description="Shortcuts by their names.")


class Defaults(Model):
    """What papers leave unsaid, said once for the whole network."""

    conv: ConvDefaults = Field(default_factory=ConvDefaults, description="For every convolution.")
    norm: NormDefaults = Field(default_factory=NormDefaults, description="For every norm.")
    dense: DenseDefaults = Field(default_factory=DenseDefaults, description="For every dense layer.")


@dataclass(frozen=True, slots=True)
class Each:
    """One value for each unit of a stage."""

    values: tuple[Any, ...]


def _stage_value(value: object) -> object:
    """An argument of a stage: one value, or `{each: [...]}`."""
    if not is_each(value):
        return _ARGUMENT.validate_python(value)
    assert isinstance(value, dict)
    if not isinstance(values := value["each"], list):
        message = f"a list is expected, one value for each unit, not {shown(values)}"
        raise PydanticCustomError("bad-each", "{message}", {"message": message})
    return Each(tuple(_ARGUMENT.validate_python(one) for one in values))


def is_each(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {"each"}


_ARGUMENT: TypeAdapter[Any] = TypeAdapter(AnyValue)
StageValue = Annotated[
    Any,
    PlainValidator(_stage_value),
    PlainSerializer(lambda value: _argument_data(value)),
    WithJsonSchema({}),
]


class UnitChanges(Model):
    """What is different in the first or the last unit of a stage; further keys are parameters of the unit."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, AnyValue]

    unit: UnitReference | None = Field(None, description="Another unit.")
    shortcut: ShortcutValue | None = Field(None, description="Another shortcut, by its name or as layers.")

    @model_serializer(mode="wrap")
    def _what_it_says(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        said = {key: value for key, value in handler(self).items() if key not in self.arguments}
        given = {key: value for key, value in said.items() if value is not None and (key != "after" or value)}
        return {**given, **{key: _argument_data(value) for key, value in self.arguments.items()}}

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(self.__pydantic_extra__ or {})


def _argument_data(value: Any) -> Any:
    return {"each": [written(one) for one in value.values]} if isinstance(value, Each) else written(value)


class Stage(UnitChanges):
    """Units of one resolution; further keys are parameters of the unit, `stride` of its first one."""

    __pydantic_extra__: dict[str, StageValue]

    units: Annotated[int, Field(strict=True, ge=1, le=UNITS)] = Field(description="How many units there are.")
    first: UnitChanges | None = Field(None, description="What is different in the first unit.")
    last: UnitChanges | None = Field(None, description="What is different in the last unit.")
    after: Layers = Field((), description="Layers behind the last unit.")


Percentage = Annotated[float, Field(strict=True, ge=0, le=100)]


class Figure(Model):
    """An error that was published for a network."""

    error: Percentage = Field(description="The share of test images whose likeliest class is wrong, in percent.")
    top5_error: Percentage | None = Field(None, description="That of images whose class is not among the first five.")
    deviation: Percentage | None = Field(None, description="The standard deviation of the error over several runs.")
    dataset: Text = Field(description="The data set, such as CIFAR-10.")
    how: Text | None = Field(None, description="How it was measured, such as 10-crop or mean of 5 runs.")
    source: Text | None = Field(None, description="Where it was published, if not at the source of the network.")

    @property
    def value(self) -> str:
        """`6.61 ± 0.16`"""
        return f"{self.error:.2f}" + (f" ± {self.deviation:.2f}" if self.deviation is not None else "")

    @property
    def values(self) -> str:
        """`23.87 / 7.14`: the error, and behind a stroke the top-5 error where one was published."""
        return self.value + (f" / {self.top5_error:.2f}" if self.top5_error is not None else "")

    @property
    def conditions(self) -> str:
        """`CIFAR-10, mean of 5 runs`"""
        return ", ".join(part for part in (self.dataset, self.how, self.source) if part)


class Network(Model):
    """A spec: what a network is, and how it is trained."""

    archbuilder: Literal[1] = Field(description="The version of the language.")
    name: Annotated[Text, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+/-]*$")] = Field(
        description="The name of the network."
    )
    summary: Text = Field("", description="What it is, in a sentence.")
    source: Text = Field("", description="Where it was published.")
    published: tuple[Figure, ...] = Field(
        (), description="What errors were published for it; a spec that extends it does not inherit them."
    )
    input: tuple[Side, Side, Positive] = Field(description="Height, width and channels of an image.")
    defaults: Defaults = Field(default_factory=Defaults, description="What layers use where they do not say.")
    templates: Templates = Field(default_factory=Templates, description="Units and shortcuts of this spec's own.")
    stem: Layers = Field((), description="The layers before the first stage.")
    unit: UnitReference | None = Field(None, description="The unit of every stage that does not name its own.")
    shortcut: ShortcutValue | None = Field(
        None, description="The shortcut of every unit that takes one, by its name or as layers."
    )
    stages: tuple[Stage, ...] = Field((), description="The stages, each of units of one resolution.")
    head: Layers = Field((), description="The layers after the last stage.")
    outputs: tuple[Text, ...] = Field(
        (), description="Parts (stem, a stage, head) or points whose results are outputs; none: the end."
    )
    weights: Weights | None = Field(None, description="What the weights that other people have for it expect.")
    training: Training | None = Field(None, description="How it is trained.")

    @classmethod
    def hint_for_key(cls, key: str) -> str | None:
        """Where a key of the recipe belongs that stands here."""
        if key in Training.model_fields:
            return f"it lives under `training`: training.{key}"
        return Training.hint_for_key(key)

    @field_validator("input", mode="before")
    @classmethod
    def _three_sizes(cls, value: object) -> object:
        if not isinstance(value, list | tuple) or len(value) != 3:
            message = f"[height, width, channels] is expected, not {shown(value)}"
            sizes = [*value] if isinstance(value, list | tuple) else sizes_in(value)
            height, width, channels = {2: [*sizes, 3], 3: sizes}.get(len(sizes), [32, 32, 3])
            hint = f"such as [{height}, {width}, {channels}]"
            raise PydanticCustomError("bad-value", "{message}", {"message": message, "hint": hint})
        return value
