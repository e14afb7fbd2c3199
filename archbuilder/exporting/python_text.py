"""Python as text: literals that can be nothing else, identifiers that clash with nothing, lines as ruff leaves them."""

from __future__ import annotations

import builtins
import keyword
import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from archbuilder.exporting.program import Code, Value
from archbuilder.formatting import printable

WIDTH = 88
"""The most characters of a line; ruff's own."""
_INDENT = "    "
Part: TypeAlias = "str | Brackets | Choice | Each"
Text: TypeAlias = "tuple[Part, ...]"
"""Pieces of one expression or line, which may be broken where brackets are."""


@dataclass(frozen=True, slots=True)
class Brackets:
    """What stands in brackets, separated by commas."""

    open: str
    items: tuple[Text, ...]
    close: str

    @property
    def flat(self) -> str:
        return f"{self.open}{', '.join(map(flat, self.items))}{self.close}"


@dataclass(frozen=True, slots=True)
class Choice:
    """One value where a condition holds, else another."""

    value: Text
    condition: str
    other: str

    @property
    def flat(self) -> str:
        return f"{flat(self.value)} if {self.condition} else {self.other}"


@dataclass(frozen=True, slots=True)
class Each:
    """A value for each of some."""

    value: Text
    target: str
    some: Text

    @property
    def flat(self) -> str:
        return f"{flat(self.value)} for {self.target} in {flat(self.some)}"


def flat(text: Text) -> str:
    return "".join(part if isinstance(part, str) else part.flat for part in text)


def called(callee: str, arguments: Iterable[Text]) -> Text:
    return (callee, Brackets("(", tuple(arguments), ")"))


def lines(text: Text, depth: int = 0, after: str = "") -> list[str]:
    """The lines of a text: one where it fits, else broken as ruff breaks it."""
    indent = _INDENT * depth
    whole = f"{indent}{flat(text)}{after}"
    if len(whole) <= WIDTH:
        return [whole]
    match text:
        case (Choice() as choice,):
            return [
                *lines(choice.value, depth),
                f"{indent}if {choice.condition}",
                f"{indent}else {choice.other}{after}",
            ]
        case (str() as before, Choice() as choice):
            return [f"{indent}{before}(", *lines((choice,), depth + 1), f"{indent}){after}"]
        case (Each() as each,):
            return [*lines(each.value, depth), *lines((f"for {each.target} in ", *each.some), depth, after)]
        case _:
            return _broken(text, depth, after)


def _broken(text: Text, depth: int, after: str) -> list[str]:
    """A text that does not fit, broken at the last brackets that begin within the width."""
    indent = _INDENT * depth
    places = [at for at, part in enumerate(text) if isinstance(part, Brackets) and part.items]
    if not places:
        return [f"{indent}{flat(text)}{after}"]
    place = next((at for at in reversed(places) if len(indent + flat(text[:at])) < WIDTH), places[0])
    brackets = text[place]
    assert isinstance(brackets, Brackets)
    inner = f"{indent}{_INDENT}{', '.join(map(flat, brackets.items))}"
    is_list = brackets.open in ("[", "{")
    if any(isinstance(part, Each) for part in brackets.items[0]):
        body = lines(brackets.items[0], depth + 1)
    elif len(inner) <= WIDTH and not (is_list and len(brackets.items) > 1):
        body = [inner]
    else:
        body = [line for item in brackets.items for line in lines(item, depth + 1, ",")]
    head = f"{indent}{flat(text[:place])}{brackets.open}"
    return [head, *body, *lines((brackets.close, *text[place + 1 :]), depth, after)]


def literal(value: Value) -> Text:
    """The text of a value that reads as that value, whatever is in it."""
    match value:
        case Code():
            return (value.text,)
        case str():
            return (quoted(value),)
        case tuple():
            items = tuple(map(literal, value))
            return (Brackets("(", items, ",)" if len(items) == 1 else ")"),)
        case float():
            return (repr(value) if abs(value) != float("inf") else f'float("{value}")',)
        case _:
            return (repr(value),)


def listed(values: Iterable[Value]) -> Text:
    return (Brackets("[", tuple(map(literal, values)), "]"),)


def quoted(text: str) -> str:
    """A literal in double quotes, unless that needs more escapes; what cannot be printed is escaped."""
    body = ascii(text) if not text.isprintable() else repr(text)
    if body[0] == '"' or '"' in body:
        return body
    return f'"{body[1:-1]}"'


def name_in(variable: str, rest: str, counter: str = "") -> str:
    """The name of a layer: what a variable holds, then a text, then a number; none but the text is certain."""
    if not variable and not counter:
        return quoted(rest)
    body = quoted(rest.replace("{", "{{").replace("}", "}}"))
    quote, inner = body[0], body[1:-1]
    return f"f{quote}{f'{{{variable}}}.' if variable else ''}{inner}{f'{{{counter}}}' if counter else ''}{quote}"


def docstring(paragraphs: Sequence[str], depth: int = 0) -> list[str]:
    """Paragraphs as a docstring; nothing in them ends it."""
    indent = _INDENT * depth
    wrapped = []
    for paragraph in paragraphs:
        safe = printable(paragraph).replace("\\", "\\\\")
        if '"""' in safe or safe.endswith('"'):
            safe = safe.replace('"', '\\"')
        broken = textwrap.wrap(safe, WIDTH - len(indent) - 7, break_long_words=False, break_on_hyphens=False)
        wrapped.append([f"{indent}{line}" for line in broken])
    text = "\n\n".join("\n".join(some) for some in wrapped if some).lstrip()
    if "\n" in text:
        text = f"{text}\n{indent}"
    return f'{indent}"""{text}"""'.split("\n")


_BUILTINS = frozenset(dir(builtins))


def identifier(text: str, taken: Iterable[str] = ()) -> str:
    """An ASCII identifier like a text that is no keyword, no builtin and none of those that are taken."""
    found = re.sub(r"_+", "_", re.sub(r"[^0-9A-Za-z_]", "_", text)).strip("_") or "layer"
    found = f"_{found}" if found[0].isdigit() else found
    others = {*taken}
    if keyword.iskeyword(found) or keyword.issoftkeyword(found) or found in _BUILTINS or found in others:
        found = f"{found}_"
    base, number = found, 2
    while found in others:
        found, number = f"{base}{number}", number + 1
    return found


def class_name(text: str) -> str:
    """`ResNet50` for `resnet50`."""
    words = "".join(part[:1].upper() + part[1:] for part in re.sub(r"\W", "_", text, flags=re.ASCII).split("_"))
    return re.sub(r"(?<=[a-zU])net(?=[A-Z0-9]|$)", "Net", words)
