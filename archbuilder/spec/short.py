"""The base of a training section's parts: members that may be written short, and errors in plain words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, model_serializer
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import InitErrorDetails, PydanticCustomError

from archbuilder.spec.base import Kind, members_of, one_of

Factor = Annotated[float, Field(strict=True, ge=0, lt=1)]
Weight = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


def problem(message: str, at: str | None = None) -> PydanticCustomError:
    """An error at the value, or at the key `at` of the mapping that it is."""
    return PydanticCustomError("bad-training", "{message}", {"message": message} | ({"at": at} if at else {}))


def misplaced(message: str, *place: str | int) -> ValidationError:
    """An error at a place inside the value."""
    return ValidationError.from_exception_data("", [InitErrorDetails(type=problem(message), loc=place, input=None)])


class Short(Kind):
    """A member of a union with one field, which may stand right under its name: `{holdout: 5000}`."""

    @classmethod
    def _settings_schema(cls, schema: JsonSchemaValue) -> JsonSchemaValue:
        settings = super()._settings_schema(schema)
        [only] = settings["properties"].values()
        return {"description": schema.get("description", ""), "anyOf": [settings, only]}

    @model_serializer(mode="wrap")
    def _under_its_name(self, handler: Callable[[Any], dict[str, Any]]) -> Any:
        [value] = [value for key, value in handler(self).items() if key != "kind"]
        return {self.kind: value}


def one_of_short(union: Any, plural: str) -> Any:
    """`one_of`, where the members that are `Short` may be written short."""
    members = members_of(union)
    kinds = [member.model_fields["kind"].default for member in members]
    fields = {
        member.model_fields["kind"].default: next(name for name in member.model_fields if name != "kind")
        for member in members
        if issubclass(member, Short)
    }

    def lengthen(value: object) -> object:
        if isinstance(value, Short):
            value = value.model_dump()
        if isinstance(value, dict) and len(value) == 1:
            [(name, content)] = value.items()
            if name in fields and not isinstance(content, dict):
                return {name: {fields[name]: content}}
            if name not in kinds:
                return {name: {}}  # for the message that there is no such thing, whatever its settings
        return value

    return Annotated[one_of(union, plural, [*fields]), BeforeValidator(lengthen)]


def checks(union: Any) -> tuple[Any, ...]:
    """What `one_of` adds to a union; standing apart, it leaves the union itself to the type checker."""
    return tuple(union.__metadata__)
