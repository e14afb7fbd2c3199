"""The members of a list of layers: ops, merges, `if`, templates by name, passed layers, and named points."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    PlainValidator,
    Tag,
    TypeAdapter,
    ValidationInfo,
    WithJsonSchema,
    model_serializer,
)  # fmt: skip
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from archbuilder.bounds import NAME
from archbuilder.errors import suggest
from archbuilder.graph import ops
from archbuilder.spec import others
from archbuilder.spec.base import Model, named, tagged, under_name, unknown_key
from archbuilder.spec.expressions import Expression
from archbuilder.spec.op_layers import OP_NAMES, OPS, SHORT, OpLayer
from archbuilder.spec.values import AnyValue, FlagValue, NewPointValue, PointValue, expression, written

MERGES: tuple[str, ...] = get_args(ops.MergeName)
GATE_PATHS = ("transform", "carry", "gate")
WORDS = ("if", "from", "point", "each")
"""What stands for something else than a layer, so that no template may be called so."""
EACH_ELSEWHERE = "'each' gives one value to each unit of a stage, and stands there only"
NONE = "none"
"""No layers at all; as a path of a merge, no such path."""
ExpressionValue = Annotated[
    Expression,
    PlainValidator(lambda value: value),
    PlainSerializer(written),
    WithJsonSchema({"type": "string", "pattern": r"^\$"}),
]


class Merge(Model):
    """Paths from one point that come together again; each is a list of layers, or a shortcut."""

    kind: ops.MergeName
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


class Keyed(Model):
    """A layer that is known by a key such as `if`, so that its kind is never written."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core_schema)
        handler.resolve_ref_schema(reference)["properties"].pop("kind", None)
        return reference


class Conditional(Keyed):
    """Layers that are there if an expression is true, and others if not."""

    kind: Literal["conditional"] = "conditional"
    condition: FlagValue = Field(alias="if", description="An expression that is true or false.")
    then: Layers = Field(description="The layers that are there if it is true.")
    otherwise: Layers = Field((), alias="else", description="The layers that are there if not.")

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
            schema.update({"description": cls.__doc__, "names": "units"})
        return reference

    @model_serializer
    def _under_its_name(self) -> Any:
        arguments = {key: written(value) for key, value in self.arguments.items()}
        return {self.name: arguments} if arguments else self.name


class Passed(Model):
    """Layers that an expression stands for, such as those of a parameter: `$attention`."""

    kind: Literal["passed"] = "passed"
    layers: ExpressionValue

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        if "properties" in schema:
            schema.clear()
            schema.update({"description": cls.__doc__, "type": "string", "pattern": r"^\$"})
        return reference

    @model_serializer
    def _as_written(self) -> str:
        return self.layers.text


class From(Keyed):
    """Layers that go on from a point that has a name."""

    kind: Literal["continued"] = "continued"
    point: PointValue = Field(alias="from", description="A part of the network, or the name of a point.")
    layers: Layers = Field((), description="The layers that follow it.")

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return {"from": written(self.point), **({"layers": self.layers} if self.layers else {})}


class Point(Keyed):
    """A name for what has been computed so far."""

    kind: Literal["point"] = "point"
    name: NewPointValue = Field(alias="point", description="The name.")

    @model_serializer
    def _as_written(self) -> dict[str, Any]:
        return {"point": written(self.name)}


def _example(name: str, value: object) -> str | None:
    """How the settings of a layer are written, after one that stands bare: `dense: {units: 10}`."""
    if not name:
        return "such as norm, or conv: {filters: 16, kernel: 3}"
    if name in MERGES:
        return f"such as {_merge_form(name)}"
    model = next((one for one in OPS if name in get_args(one.model_fields["kind"].annotation)), None)
    required = (
        [key for key, field in model.model_fields.items() if field.is_required() and key != "kind"] if model else []
    )
    if not required or isinstance(value, list | dict):
        return None
    return f"such as {name}: {{{', '.join([f'{required[0]}: {value}', *(f'{key}: ...' for key in required[1:])])}}}"


KEYS = {"if": "conditional", "from": "continued", "point": "point"}
"""The key by which a layer is known that has no name."""
_KEYED = {"if": "if: $flag, with then: [relu]", "from": "from: stage1", "point": "point: half"}
_PATHS = {
    "add": "residual: [conv: {filters: 16, kernel: 3}], shortcut: []",
    "concat": "before: [], new: [conv: {filters: 16, kernel: 3}]",
    "multiply": "features: [], gate: [channel_pool: average, sigmoid]",
    "gate": "transform: [conv: {filters: 16, kernel: 3}], carry: [], gate: [conv: {filters: 16, kernel: 3}, sigmoid]",
}
"""Right forms of the paths of merges."""


def _kind_of(value: dict[Any, Any]) -> str | None:
    return next((kind for key, kind in KEYS.items() if key in value), None)


def _refuse_each(value: object) -> None:
    if isinstance(value, dict) and "each" in value:
        raise PydanticCustomError("bad-each", "{message}", {"message": EACH_ELSEWHERE})


def _layer(value: object, info: ValidationInfo) -> object:
    """Turns what stands in the YAML into the fields of the model that it means."""
    if isinstance(value, str) and value.startswith("$"):
        return {"kind": "passed", "layers": expression(value)}
    if isinstance(value, dict) and (kind := _kind_of(value)):
        if "kind" in value:
            raise unknown_key("kind", [])
        return {"kind": kind, **value}
    _refuse_each(value)
    name, fields = named(_lengthened(value), "layers", _example)
    if name in OP_NAMES:
        return tagged(name, fields)
    if name in MERGES:
        _check_paths(name, fields)
        if name == "gate":
            fields = {path: fields[path] for path in GATE_PATHS}
        return {"kind": name, "paths": fields}
    if name in KEYS:
        message = f"what stands behind '{name}' is missing"
        raise PydanticCustomError("bad-settings", "{message}", {"message": message, "hint": f"such as {_KEYED[name]}"})
    units = (info.context or {}).get("units", ())
    if name not in units:
        hint = _layer_hint(name, [*OP_NAMES, *MERGES, *KEYS, *units, *others.names("units")])
        message = f"there is no layer or unit called '{name}'"
        raise PydanticCustomError("unknown-layer", "{message}", {"message": message, "hint": hint, "at": name})
    return {"kind": "use", "name": name, "arguments": fields}


def _lengthened(value: object) -> object:
    """`pad: {amount: 1}` for `pad: 1`, where a layer has a setting that may stand under its name."""
    match value:
        case dict() if len(value) == 1:
            [(name, content)] = value.items()
            if name in SHORT and content is not None and not isinstance(content, dict):
                return {name: {SHORT[name]: content}}
    return value


_CALLED_ELSEWHERE = {
    "batchnorm": "norm", "batchnormalization": "norm", "bn": "norm", "linear": "dense", "fc": "dense",
    "fullyconnected": "dense", "convolution": "conv", "avgpool": "average_pool", "gap": "global_average_pool",
    "averagepooling": "average_pool", "maxpooling": "max_pool", "globalaveragepooling": "global_average_pool",
    "adaptiveavgpool": "global_average_pool", "lrn": "local_response_norm", "concatenate": "concat", "swish": "silu",
    "droppath": "stochastic_depth", "zeropadding": "pad", "deconv": "conv_transpose",
    "conv2dtranspose": "conv_transpose", "deconvolution": "conv_transpose", "upsampling": "upsample",
    "interpolate": "upsample", "gmp": "global_max_pool", "globalmaxpooling": "global_max_pool",
    "adaptivemaxpool": "global_max_pool", "channelshuffle": "shuffle_channels", "lrelu": "leaky_relu",
    "parametricrelu": "prelu", "layernorm": "norm: {over: layer}", "layernormalization": "norm: {over: layer}",
    "groupnorm": "norm: {over: group}", "groupnormalization": "norm: {over: group}",
    "instancenorm": "norm: {over: instance}", "instancenormalization": "norm: {over: instance}",
    "layerscale": "scale: {learned: channel, factor: 1e-6}", "reflectionpad": "pad: {amount: ..., mode: reflect}",
    "replicationpad": "pad: {amount: ..., mode: edge}",
}  # fmt: skip
"""What other libraries call a layer, without underscores and dimensions."""


def _layer_hint(name: str, known: list[str]) -> str:
    plain = name[:100].lower().replace("_", "").removesuffix("2d")
    spelt = {word.replace("_", ""): word for word in known}
    meant = _CALLED_ELSEWHERE.get(plain) or spelt.get(plain)
    return f"did you mean '{meant}'?" if meant else suggest(name, known, "layers and units")


def _check_paths(name: str, fields: dict[str, Any]) -> None:
    message = None
    if name == "gate" and set(fields) != set(GATE_PATHS):
        message = "a gate has the paths transform, carry and gate"
    elif len(fields) < 2:
        message = f"{name} needs at least two paths"
    elif bad := next((path for path in map(str, fields) if not path.isidentifier()), None):
        message = f"the name of a path consists of letters, digits and underscores, not '{bad}'"
    elif any(len(path) > NAME for path in map(str, fields)):
        message = f"the name of a path has at most {NAME} characters"
    if message:
        raise PydanticCustomError("bad-paths", "{message}", {
            "message": message, "hint": f"such as {_merge_form(name)}", "at": name,
        })  # fmt: skip


def _merge_form(name: str) -> str:
    """A right form of a merge of this name."""
    return f"{name}: {{{_PATHS[name]}}}"


def _branch(value: object, info: ValidationInfo) -> object:
    if isinstance(value, str) and value.startswith("$"):
        return expression(value)
    if isinstance(value, list | tuple) or (isinstance(value, dict) and _kind_of(value) == "continued"):
        return value
    return reference(value, info, "shortcuts")


def reference(value: object, info: ValidationInfo, plural: others.TemplateKind) -> Use:
    """A template of the library or of this spec, by its name, with arguments or without."""
    if isinstance(value, Use):
        return value
    _refuse_each(value)
    known = (info.context or {}).get(plural, ())

    def example(name: str, value: object) -> str | None:
        """What was meant by a number, which says how many units there are."""
        if not name and plural == "units" and isinstance(value, int):
            return f"how many there are stands in `units: {value}`"
        return None if name else suggest("", known, plural)

    name, arguments = named(value, plural, example)
    if name not in known:
        singular = plural.removesuffix("s")
        raise PydanticCustomError(f"unknown-{singular}", "{message}", {
            "message": f"there is no {singular} called '{name}'", "at": name,
            "hint": suggest(name, [*known, *others.names(plural)], plural),
        })  # fmt: skip
    return Use.model_validate({"name": name, "arguments": arguments})


def _branch_kind(value: object) -> str:
    match value:
        case Expression():
            return "expression"
        case Use():
            return "shortcut"
        case dict():
            return "continued"
        case _:
            return "layers"


Layer = Annotated[
    OpLayer | Merge | Conditional | Use | Passed | From | Point, Field(discriminator="kind"), BeforeValidator(_layer)
]
Layers = tuple[Layer, ...]
Branch = Annotated[
    Annotated[Layers, Tag("layers")]
    | Annotated[From, Tag("continued")]
    | Annotated[Use, Tag("shortcut"), WithJsonSchema({"names": "shortcuts"})]
    | Annotated[ExpressionValue, Tag("expression")],
    Discriminator(_branch_kind),
    BeforeValidator(_branch),
]
for _model in (Merge, Conditional, From):
    _model.model_rebuild()
LAYER: TypeAdapter[Layer] = TypeAdapter(Layer)
LAYERS: TypeAdapter[Layers] = TypeAdapter(Layers)
BRANCH: TypeAdapter[Layers | From | Use | Expression] = TypeAdapter(Branch)
