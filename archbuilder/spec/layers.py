"""What may stand in a list of layers: ops, merges, `if`, and templates by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    PlainSerializer,
    PlainValidator,
    Tag,
    ValidationInfo,
    WithJsonSchema,
    model_serializer,
)  # fmt: skip
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from archbuilder.errors import suggest
from archbuilder.expressions import Expression
from archbuilder.graph import ops
from archbuilder.spec.base import Kind, Model, named, tagged, under_name
from archbuilder.spec.values import (
    AnyValue,
    FactorValue,
    FlagValue,
    InitializerValue,
    PaddingValue,
    PadsValue,
    PairValue,
    PositiveValue,
    RateValue,
    ShareValue,
    WeightValue,
    expression,
    written,
)  # fmt: skip


class ConvDefaults(Model):
    """What convolutions use where the layer itself does not say."""

    padding: PaddingValue = Field(
        "same", description="same (as TensorFlow), symmetric (as PyTorch), valid, or amounts."
    )
    bias: FlagValue = Field(False, description="Whether a bias is added.")
    initializer: InitializerValue = Field("he_normal", description="How the kernel is drawn.")
    l2: WeightValue = Field(0.0, description="Adds l2 times the sum of the squared kernel to the loss (as Keras).")
    initial_bias: FactorValue = Field(0.0, description="What the bias starts at; -2 keeps a gate nearly shut.")


class NormDefaults(Model):
    """What batch norms use where the layer itself does not say."""

    momentum: ShareValue = Field(0.9, description="The share of the old moving statistics that is kept.")
    epsilon: WeightValue = Field(1e-5, description="Added to the variance.")
    zero_scale: FlagValue = Field(False, description="Whether the scale (gamma) starts at zero.")


class DenseDefaults(Model):
    """What dense layers use where the layer itself does not say."""

    bias: FlagValue = Field(True, description="Whether a bias is added.")
    initializer: InitializerValue = Field("he_normal", description="How the kernel is drawn.")
    l2: WeightValue = Field(0.0, description="Adds l2 times the sum of the squared kernel to the loss (as Keras).")
    initial_bias: FactorValue = Field(0.0, description="What the bias starts at; -2 keeps a gate nearly shut.")


class Op(Kind):
    """A layer that becomes one op of the graph, field by field."""

    op: ClassVar[Callable[..., ops.Op]]

    def fields(self) -> dict[str, Any]:
        """What the op is made of, expressions unevaluated."""
        return {name: getattr(self, name) for name in type(self).model_fields if name != "kind"}

    @model_serializer
    def _what_it_says(self) -> Any:
        """Only what the layer itself says, so that the defaults of the network still decide the rest."""
        said = {name: written(getattr(self, name)) for name in type(self).model_fields if name in self.model_fields_set}
        said.pop("kind", None)
        return {self.kind: said} if said else self.kind


class Conv(ConvDefaults, Op):
    """A 2D convolution."""

    op: ClassVar = ops.Conv
    kind: Literal["conv"] = "conv"
    filters: PositiveValue = Field(description="Output channels.")
    kernel: PairValue = Field(description="Its size, or [height, width].")
    stride: PairValue = Field((1, 1), description="Its stride, or [height, width].")
    dilation: PairValue = Field((1, 1), description="The spacing of its taps.")
    groups: PositiveValue = Field(1, description="Groups of channels that do not see each other.")


class Norm(NormDefaults, Op):
    """Batch normalisation."""

    op: ClassVar = ops.Norm
    kind: Literal["norm"] = "norm"


class Activation(Op):
    """An activation function, by its own name."""

    op: ClassVar = ops.Activation
    kind: ops.Function

    def fields(self) -> dict[str, Any]:
        return {"function": self.kind}


class MaxPool(Op):
    """The maximum of each window."""

    op: ClassVar = ops.MaxPool
    kind: Literal["max_pool"] = "max_pool"
    size: PairValue = Field(description="The window, or [height, width].")
    stride: PairValue = Field(description="Its stride, or [height, width].")
    padding: PaddingValue = Field("valid", description="same, symmetric, valid, or amounts.")


class AveragePool(Op):
    """The mean of each window."""

    op: ClassVar = ops.AveragePool
    kind: Literal["average_pool"] = "average_pool"
    size: PairValue = Field(description="The window, or [height, width].")
    stride: PairValue = Field(description="Its stride, or [height, width].")
    padding: PaddingValue = Field("valid", description="same, symmetric, valid, or amounts.")


class GlobalAveragePool(Op):
    """The mean over height and width."""

    op: ClassVar = ops.GlobalAveragePool
    kind: Literal["global_average_pool"] = "global_average_pool"


class Flatten(Op):
    """An image as one vector."""

    op: ClassVar = ops.Flatten
    kind: Literal["flatten"] = "flatten"


class Dense(DenseDefaults, Op):
    """A fully connected layer."""

    op: ClassVar = ops.Dense
    kind: Literal["dense"] = "dense"
    units: PositiveValue = Field(description="Output features.")


class Dropout(Op):
    """Drops single values while training."""

    op: ClassVar = ops.Dropout
    kind: Literal["dropout"] = "dropout"
    rate: RateValue = Field(description="The share that is dropped.")


class StochasticDepth(Op):
    """Drops the whole path for an image while training."""

    op: ClassVar = ops.StochasticDepth
    kind: Literal["stochastic_depth"] = "stochastic_depth"
    rate: RateValue = Field(description="The share of images that it is dropped for.")


class Scale(Op):
    """Multiplies by a constant."""

    op: ClassVar = ops.Scale
    kind: Literal["scale"] = "scale"
    factor: FactorValue = Field(description="The constant.")


class Subsample(Op):
    """Keeps every stride-th row and column."""

    op: ClassVar = ops.Subsample
    kind: Literal["subsample"] = "subsample"
    stride: PairValue = Field(description="Its stride, or [height, width].")


class Pad(Op):
    """Puts zeros around the image."""

    op: ClassVar = ops.Pad
    kind: Literal["pad"] = "pad"
    amount: PadsValue = Field(description="An amount, [rows, columns], or [[top, bottom], [left, right]].")


class PadChannels(Op):
    """Appends zero channels."""

    op: ClassVar = ops.PadChannels
    kind: Literal["pad_channels"] = "pad_channels"
    channels: PositiveValue = Field(description="How many channels there are afterwards.")


class LocalResponseNorm(Op):
    """Local response normalisation across channels (AlexNet)."""

    op: ClassVar = ops.LocalResponseNorm
    kind: Literal["local_response_norm"] = "local_response_norm"
    size: PositiveValue = Field(5, description="How many neighbouring channels are summed.")
    alpha: WeightValue = Field(1e-4, description="The weight of the mean square of those channels.")
    beta: WeightValue = Field(0.75, description="The exponent.")
    bias: WeightValue = Field(2.0, description="The constant k.")


OPS = (
    Conv, Norm, Activation, MaxPool, AveragePool, GlobalAveragePool, Flatten, Dense, Dropout, StochasticDepth, Scale,
    Subsample, Pad, PadChannels, LocalResponseNorm,
)  # fmt: skip
OP_NAMES = tuple(name for member in OPS for name in get_args(member.model_fields["kind"].annotation))
MERGES = ("add", "concat", "multiply", "gate")
GATE_PATHS = ("transform", "carry", "gate")


class Merge(Model):
    """Paths from one point that come together again; each is a list of layers, or a shortcut."""

    kind: Literal["add", "concat", "multiply", "gate"]
    paths: dict[str, Branch]

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        if "properties" in schema:
            paths = {**schema["properties"]["paths"], "minProperties": 2, "description": schema["description"]}
            schema.clear()
            schema.update(under_name(MERGES, paths, may_stand_alone=False))
        return reference

    @model_serializer
    def _under_its_name(self) -> dict[str, Any]:
        paths = {path: branch.text if isinstance(branch, Expression) else branch for path, branch in self.paths.items()}
        return {self.kind: paths}


class Conditional(Model):
    """Layers that are there if an expression is true, and others if not."""

    kind: Literal["conditional"] = "conditional"
    condition: FlagValue = Field(alias="if")
    then: Layers = ()

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core_schema)
        handler.resolve_ref_schema(reference)["properties"].pop("kind", None)
        return reference

    otherwise: Layers = Field((), alias="else")

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return {"if": written(self.condition), "then": self.then, "else": self.otherwise}


class Use(Model):
    """A unit template, used by its name."""

    kind: Literal["use"] = "use"
    name: str
    arguments: dict[str, AnyValue] = Field(default_factory=dict)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        if "properties" in schema:
            schema.clear()
            free = {"type": "string", "not": {"enum": [*OP_NAMES, *MERGES, "if"]}}
            mapping = {"type": "object", "propertyNames": free, "additionalProperties": {"type": ["object", "null"]},
                       "minProperties": 1, "maxProperties": 1}  # fmt: skip
            schema.update({"description": cls.__doc__, "anyOf": [free, mapping]})
        return reference

    @model_serializer
    def _under_its_name(self) -> Any:
        arguments = {key: written(value) for key, value in self.arguments.items()}
        return {self.name: arguments} if arguments else self.name


def _layer(value: object, info: ValidationInfo) -> object:
    """Turns what stands in the YAML into the fields of the model that it means."""
    if isinstance(value, dict) and "if" in value:
        return {"kind": "conditional", **value}
    name, fields = named(value, "layers")
    if name in OP_NAMES:
        return tagged(name, fields)
    if name in MERGES:
        _check_paths(name, fields)
        return {"kind": name, "paths": fields}
    units = (info.context or {}).get("units", ())
    if name not in units:
        hint = suggest(name, [*OP_NAMES, *MERGES, "if", *units], "layers and units")
        message = f"there is no layer or unit called '{name}'"
        raise PydanticCustomError("unknown-layer", "{message}", {"message": message, "hint": hint, "at": name})
    return {"kind": "use", "name": name, "arguments": fields}


def _check_paths(name: str, fields: dict[str, Any]) -> None:
    message = None
    if name == "gate" and tuple(fields) != GATE_PATHS:
        message = f"a gate has the paths {', '.join(GATE_PATHS)}, in this order"
    elif len(fields) < 2:
        message = f"{name} needs at least two paths"
    elif bad := next((path for path in fields if not str(path).isidentifier()), None):
        message = f"the name of a path consists of letters, digits and underscores, not '{bad}'"
    if message:
        raise PydanticCustomError("bad-paths", "{message}", {"message": message, "at": name})


def _branch(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and value.startswith("$"):
        return expression(value)
    return value if isinstance(value, list | tuple) else reference(value, info, "shortcuts")


def reference(value: object, info: ValidationInfo, plural: str) -> Use:
    """A template of the library or of this spec, by its name, with arguments or without."""
    if isinstance(value, Use):
        return value
    name, arguments = named(value, plural)
    known = (info.context or {}).get(plural, ())
    if name not in known:
        singular = plural.removesuffix("s")
        raise PydanticCustomError(f"unknown-{singular}", "{message}", {
            "message": f"there is no {singular} called '{name}'", "hint": suggest(name, known, plural), "at": name,
        })  # fmt: skip
    return Use.model_validate({"name": name, "arguments": arguments})


def _branch_kind(value: object) -> str:
    return "expression" if isinstance(value, Expression) else "shortcut" if isinstance(value, Use) else "layers"


Layer = Annotated[
    Conv | Norm | Activation | MaxPool | AveragePool | GlobalAveragePool | Flatten | Dense | Dropout | StochasticDepth
    | Scale | Subsample | Pad | PadChannels | LocalResponseNorm | Merge | Conditional | Use,
    Field(discriminator="kind"),
    BeforeValidator(_layer),
]  # fmt: skip
Layers = tuple[Layer, ...]
ExpressionValue = Annotated[
    Expression,
    PlainValidator(lambda value: value),
    PlainSerializer(written),
    WithJsonSchema({"type": "string", "pattern": r"^\$"}),
]
Branch = Annotated[
    Annotated[Layers, Tag("layers")] | Annotated[Use, Tag("shortcut")] | Annotated[ExpressionValue, Tag("expression")],
    Discriminator(_branch_kind),
    BeforeValidator(_branch),
]
for _model in (Merge, Conditional):
    _model.model_rebuild()
