"""The base of all models of a spec: frozen, strict about types; members of unions stand under their own name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Self, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    model_serializer,
    model_validator,
)  # fmt: skip
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, InitErrorDetails, PydanticCustomError

from archbuilder.errors import suggest

Integer = StrictInt
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""An integer or a real number, not a string that looks like one."""
Flag = StrictBool
Text = StrictStr
Positive = Annotated[StrictInt, Field(gt=0, le=2**31)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1)]


class Model(BaseModel):
    """A frozen part of a spec that refuses keys it does not know, and says which ones it knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="wrap")
    @classmethod
    def _name_the_known_keys(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return handler(data)
        except ValidationError as error:
            problems = error.errors(include_url=False)
            if not any(_is_unknown_key(problem) for problem in problems):
                raise
            raise ValidationError.from_exception_data(cls.__name__, [cls._retold(one) for one in problems]) from None

    @classmethod
    def _retold(cls, problem: ErrorDetails) -> InitErrorDetails:
        kind: str | PydanticCustomError = problem["type"]
        if _is_unknown_key(problem):
            key = str(problem["loc"][0])
            kind = unknown_key(key, cls.known_keys(), cls.hint_for_key(key))
        elif "-" in problem["type"]:  # ours; Pydantic's own have underscores
            kind = PydanticCustomError(
                problem["type"], "{message}", {"message": problem["msg"], **problem.get("ctx", {})}
            )
        return InitErrorDetails(type=kind, loc=problem["loc"], input=problem["input"], ctx=problem.get("ctx", {}))

    @classmethod
    def hint_for_key(cls, key: str) -> str | None:
        """What to do about a key that it does not know, if there is more to say than which ones it knows."""
        return None

    @classmethod
    def known_keys(cls) -> list[str]:
        return [field.alias or name for name, field in cls.model_fields.items() if name != "kind"]


def _is_unknown_key(problem: ErrorDetails) -> bool:
    return problem["type"] == "extra_forbidden" and len(problem["loc"]) == 1


def unknown_key(key: str, known: list[str], hint: str | None = None) -> PydanticCustomError:
    context = {"message": f"there is no key '{key}' here", "hint": hint or suggest(key, known, "keys")}
    return PydanticCustomError("unknown-key", "{message}", context)


class Kind(Model):
    """A member of a `one_of` union; its field `kind` (a Literal) is the name it stands under in YAML."""

    kind: str

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """The schema as it stands in YAML: under its name, or the name alone where nothing must be said."""
        reference = handler(core_schema)
        schema = handler.resolve_ref_schema(reference)
        if "properties" in schema:  # else it has been rewritten already
            settings = cls._settings_schema(dict(schema))
            schema.clear()
            names = cls.model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
            schema.update(under_name(names, settings, may_stand_alone=not settings.get("required")))
        return reference

    @classmethod
    def _settings_schema(cls, schema: JsonSchemaValue) -> JsonSchemaValue:
        """The schema of what stands under the name."""
        properties = {key: value for key, value in schema["properties"].items() if key != "kind"}
        required = [key for key in schema.get("required", []) if key != "kind"]
        rest = {key: value for key, value in schema.items() if key != "required"}
        return {**rest, "properties": properties, **({"required": required} if required else {})}

    @model_serializer(mode="wrap")
    def _under_its_name(self, handler: Callable[[Any], dict[str, Any]]) -> Any:
        content = {key: value for key, value in handler(self).items() if key != "kind"}
        return {self.kind: content} if content else self.kind


def under_name(names: tuple[str, ...], settings: JsonSchemaValue, may_stand_alone: bool) -> JsonSchemaValue:
    """The JSON schema of `name: {settings}`, for one of some names, or also of the name alone."""
    mapping = {"type": "object", "properties": dict.fromkeys(names, settings), "minProperties": 1, "maxProperties": 1,
               "additionalProperties": False}  # fmt: skip
    about = {"description": settings["description"]} if "description" in settings else {}
    return {**about, "anyOf": [{"enum": list(names)}, mapping] if may_stand_alone else [mapping]}


def one_of(union: Any, plural: str, short: Sequence[str] = ()) -> Any:
    """A union of `Kind`s, or a single one, read from `name`, or from `name: {fields}`.

    A value may stand right under the `short` names.

    The discriminator that Pydantic inserts into the location of an error is the very key that stands in the YAML.
    """
    members = members_of(union)
    kinds = [kind for member in members for kind in get_args(member.model_fields["kind"].annotation)]

    def example(name: str, value: object) -> str | None:
        if name in kinds and not isinstance(value, dict):
            [member] = [one for one in members if name in get_args(one.model_fields["kind"].annotation)]
            content = str(value) if not isinstance(value, list | None) and len(_required(member)) == 1 else "..."
            settings = ", ".join(f"{key}: {content}" for key in _required(member))
            return f"such as {name}: {{{settings}}}" if settings else None
        if isinstance(value, list | dict | None):
            return None
        meant = [one for one in members if not name or name == one.model_fields["kind"].default]
        lone = ((one, keys[0]) for one in meant if len(keys := _required(one)) == 1)
        if short and not name and not isinstance(value, bool | str):
            return f"such as {{{short[0]}: {value}}}"
        if (found := next(lone, None)) is None:
            return None if name else f"such as {kinds[0]}; {suggest('', kinds, plural)}"
        return f"such as {{{found[0].model_fields['kind'].default}: {{{found[1]}: {value}}}}}"

    def flatten(value: object) -> object:
        name, fields = named(value, plural, example)
        if name not in kinds:
            raise PydanticCustomError("unknown-kind", "{message}", {
                "message": f"there is no '{name}' among the {plural}", "hint": suggest(name, kinds, plural), "at": name,
            })  # fmt: skip
        return tagged(name, fields)

    if len(members) == 1:
        return Annotated[union, BeforeValidator(flatten)]
    return Annotated[union, Field(discriminator="kind"), BeforeValidator(flatten)]


def members_of(union: Any) -> tuple[type[Kind], ...]:
    """The members of a union of `Kind`s; a single one stands for itself."""
    return get_args(union) or (union,)


def _required(kind: type[Kind]) -> list[str]:
    return [key for key, field in kind.model_fields.items() if field.is_required() and key != "kind"]


def tagged(name: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a `Kind` with its name among them."""
    if "kind" in fields:
        raise unknown_key("kind", [])
    return {**fields, "kind": name}


Example = Callable[[str, object], str | None]
"""An example of the right form after a name and what stands under it; the name is empty where there is none."""


def named(value: object, plural: str, example: Example = lambda name, value: None) -> tuple[str, dict[str, Any]]:
    """Splits `name` or `{name: {fields}}` into name and fields."""
    match value:
        case str():
            return value, {}
        case dict() if len(value) == 1:
            [(name, fields)] = value.items()
            if fields is None or isinstance(fields, dict):
                return str(name), dict(fields or {})
            message = f"the settings of '{name}' are a mapping of keys to values"
            hint = {"hint": told} if (told := example(str(name), fields)) else {}
            raise PydanticCustomError("bad-settings", "{message}", {"message": message, **hint})
        case Kind():
            return named(value.model_dump(), plural)
        case _:
            pass
    message = f"one of the {plural} is expected: a name, or one name with its settings"
    hint = {"hint": told} if (told := example("", value)) else {}
    raise PydanticCustomError("not-a-name", "{message}", {"message": message, **hint})
