"""The parameters of a template: which there are, which it needs, and what they may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archbuilder.bounds import TEMPLATE_PARAMETERS
from archbuilder.errors import Diagnostic, suggest
from archbuilder.spec.document import Data, Place
from archbuilder.spec.expressions import ExpressionError, parse
from archbuilder.spec.library import Definition
from archbuilder.spec.network import is_choice, is_long_form
from archbuilder.spec.problems import form_hint
from archbuilder.spec.roles import Roles, default_of
from archbuilder.spec.values import shown, word


@dataclass(frozen=True)
class Signature:
    """The parameters that a template may, and must, be given, and what they stand for."""

    parameters: frozenset[str]
    required: frozenset[str]
    choices: dict[str, tuple[object, ...]]
    roles: Roles


def raw_signature(declared: dict[str, Data], roles: Roles) -> Signature:
    """The signature of raw parameters."""
    long = {key: value for key, value in declared.items() if is_long_form(value)}
    required = {key for key, value in declared.items() if value == "required"}
    required |= {key for key, value in long.items() if value.get("required") is True}
    choices = {key: tuple(value["choices"]) for key, value in long.items() if isinstance(value.get("choices"), list)}
    return Signature(frozenset(map(str, declared)), frozenset(required), choices, roles)


def signature_of(definition: Definition, roles: Roles) -> Signature:
    parameters = definition.template.parameters
    required = frozenset(key for key, parameter in parameters.items() if parameter.required)
    choices = {key: parameter.choices for key, parameter in parameters.items() if parameter.choices}
    return Signature(frozenset(parameters), required, choices, roles)


def bad_choice(place: Place, key: str, signature: Signature) -> Iterator[Diagnostic]:
    """A value that is none of the choices of its parameter."""
    value = place.document.get(place.path)
    choices = signature.choices.get(key)
    if choices and not is_choice(value, choices) and not (isinstance(value, str) and value.startswith("$")):
        hint = suggest(word(value), map(word, choices), "choices")
        yield Diagnostic("bad-choice", f"'{key}' cannot be {shown(value)}", place.span, hint)


def example(place: Place, signature: Signature) -> str | None:
    """An example of a parameter that is not given at its place."""
    *_, key = place.path
    choices = signature.choices.get(str(key))
    return f"such as {key}: {word(choices[0])}" if choices else form_hint(place)


def cycle(place: Place, declared: dict[str, Data]) -> Iterator[Diagnostic]:
    """Parameters whose defaults need each other."""
    needs = {key: [name for name in _names(value) if name in declared] for key, value in declared.items()}
    if len(needs) > TEMPLATE_PARAMETERS:
        return  # Pydantic tells
    while free := [key for key, names in needs.items() if not any(name in needs for name in names)]:
        needs = {key: names for key, names in needs.items() if key not in free}
    if not needs:
        return
    chain = [next(iter(needs))]
    while chain[-1] not in chain[:-1]:
        chain.append(next(name for name in needs[chain[-1]] if name in needs))
    members = chain[chain.index(chain[-1]) :]
    message = f"the defaults of parameters need each other in a cycle: {' -> '.join(members)}"
    yield Diagnostic("parameter-cycle", message, place.at(members[0]).key_span)


def _names(value: Data) -> tuple[str, ...]:
    """The names in the default of a parameter."""
    default = default_of(value)
    try:
        return parse(default).names if isinstance(default, str) and default.startswith("$") else ()
    except ExpressionError:
        return ()
