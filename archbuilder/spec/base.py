"""What all models of a spec share: frozen, strict about types, and unions whose members stand under their own name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_serializer
from pydantic_core import PydanticCustomError

from archbuilder.errors import suggest

Integer = StrictInt
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
"""An integer or a real number, not a string that looks like one."""
Flag = StrictBool
Text = StrictStr
Positive = Annotated[StrictInt, Field(gt=0, le=2**31)]
Fraction = Annotated[float, Field(strict=True, ge=0, le=1)]


class Model(BaseModel):
    """A frozen part of a spec that refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Kind(Model):
    """A member of a `one_of` union; its field `kind` (a Literal) is the name it stands under in YAML."""

    kind: str

    @model_serializer(mode="wrap")
    def _under_its_name(self, handler: Callable[[Any], dict[str, Any]]) -> Any:
        content = {key: value for key, value in handler(self).items() if key != "kind"}
        return {self.kind: content} if content else self.kind


def one_of(union: Any, plural: str) -> Any:
    """A union of `Kind`s, read from `name`, or from `name: {fields}`.

    The discriminator that Pydantic inserts into the location of an error is the very key that stands in the YAML.
    """
    kinds = [kind for member in union.__args__ for kind in member.model_fields["kind"].annotation.__args__]

    def flatten(value: object) -> object:
        name, fields = named(value, plural)
        if name not in kinds:
            raise PydanticCustomError("unknown-kind", "there is no {name}", {
                "name": f"'{name}' among the {plural}", "hint": suggest(name, kinds, plural), "at": name,
            })  # fmt: skip
        return {"kind": name, **fields}

    return Annotated[union, Field(discriminator="kind"), BeforeValidator(flatten)]


def named(value: object, plural: str) -> tuple[str, dict[str, Any]]:
    """Splits `name` or `{name: {fields}}` into name and fields."""
    match value:
        case str():
            return value, {}
        case dict() if len(value) == 1:
            [(name, fields)] = value.items()
            if fields is None or isinstance(fields, dict):
                return str(name), dict(fields or {})
        case Kind():
            return named(value.model_dump(), plural)
        case _:
            pass
    raise PydanticCustomError("not-a-name", "one of the {plural} is expected: a name, or one name with its settings", {
        "plural": plural,
    })  # fmt: skip
