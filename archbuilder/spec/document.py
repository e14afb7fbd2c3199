"""YAML text -> plain data and the place of every key and value. Knows YAML, and nothing of what it means.

YAML 1.2 scalars (`1e-4` is a number, `no` is text); no anchors, aliases, tags, merge keys or duplicate keys; bounded.
Nodes are composed in Python, where depth is counted: that of C crashes at great depth. What they are composed of is
read by libyaml, in a twentieth of the time, wherever that reads the same as PyYAML, which says what is wrong elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import yaml
from yaml.composer import Composer
from yaml.resolver import Resolver

from archbuilder.bounds import CHARACTERS, DEPTH, DIGITS, VALUES
from archbuilder.errors import Diagnostic, Span, SpecError

Data = Any
"""What a document holds: dict, list, str, int, float, bool or None."""
Path = tuple[str | int | float, ...]
"""Keys and indices from the root of a document to a value."""


@dataclass(frozen=True)
class Document:
    """Data with the place of each of its values, and of each key of its mappings."""

    data: Data
    values: Mapping[Path, Span] = field(repr=False)
    keys: Mapping[Path, Span] = field(repr=False)
    edits: tuple[str, ...] = ()
    """What `--set` made of it."""
    before: Document | None = field(default=None, repr=False, compare=False)
    """As it was before all edits."""

    def span(self, path: Path) -> Span | None:
        """The place of a value, or of the nearest value around it."""
        return self._nearest(self.values, path)

    def key_span(self, path: Path) -> Span | None:
        """The place of the key that a value stands under, or of the value itself where it is in a list."""
        return self.keys.get(path) or self._nearest(self.values, path)

    def get(self, path: Path) -> Data:
        """The value at a path, None where there is none."""
        data = self.data
        for part in path:
            try:
                data = data[part]
            except (KeyError, IndexError, TypeError):
                return None
        return data

    def entry_span(self, path: Path) -> Span | None:
        """The place of a key with its value, as far as both stand on one line."""
        key, value = self.keys.get(path), self.values.get(path)
        if key is None or value is None or (key.file, key.line) != (value.file, value.line):
            return key or self.span(path)
        return replace(key, length=max(key.length, value.column + value.length - key.column))

    @staticmethod
    def _nearest(spans: Mapping[Path, Span], path: Path) -> Span | None:
        return next((spans[path[:end]] for end in range(len(path), -1, -1) if path[:end] in spans), None)


@dataclass(frozen=True)
class Place:
    """A value in a document."""

    document: Document
    path: Path = ()

    def at(self, *parts: str | int) -> Place:
        return Place(self.document, self.path + parts)

    @property
    def dotted(self) -> str:
        """The path as it is written in an edit: `stages.0.units`."""
        return ".".join(map(str, self.path))

    @property
    def span(self) -> Span | None:
        return self.document.span(self.path)

    @property
    def key_span(self) -> Span | None:
        return self.document.key_span(self.path)

    @property
    def entry_span(self) -> Span | None:
        return self.document.entry_span(self.path)


def parse(text: str, name: str) -> Document:
    """The document of a YAML text; raises SpecError with what YAML, or its bounds, do not allow."""
    if len(text) > CHARACTERS:
        raise SpecError([Diagnostic("too-large", f"{name} has more than {CHARACTERS:,} characters")])
    try:
        loader = _Loader(text)
        root = _by_libyaml(text) or loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise SpecError([_syntax_error(error, text, name)]) from None
    except yaml.reader.ReaderError as error:
        raise SpecError([_character_error(error, text, name)]) from None
    except (ValueError, OverflowError):  # of PyYAML's own int() and chr()
        raise SpecError([_number_error(loader, text, name)]) from None
    reader = _Reader(text.splitlines(), name)
    data = {} if root is None else reader.read(root, ())
    if reader.problems:
        raise SpecError(reader.problems)
    reader.values.setdefault((), Span(name, 1, 1, 1, text.split("\n", 1)[0]))
    return Document(data, reader.values, reader.keys)


class _RefusedError(yaml.MarkedYAMLError):
    """YAML that is not part of the language."""


class _Composer(Composer, Resolver):
    """Nodes with the scalars of YAML 1.2's core schema, without anchors, aliases and tags, and not too many of them."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own interface)
    _depth = _nodes = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[attr-defined]
        mark = event.start_mark
        if isinstance(event, yaml.AliasEvent) or event.anchor:
            raise _RefusedError(problem="anchors and aliases are not part of the language", problem_mark=mark)
        if event.tag:
            raise _RefusedError(problem="tags are not part of the language", problem_mark=mark)
        self._depth += 1
        self._nodes += 1
        if self._depth > DEPTH or self._nodes > VALUES:
            bound = f"{DEPTH} levels deep" if self._depth > DEPTH else f"{VALUES:,} values"
            raise _RefusedError(problem=f"more than {bound}", problem_mark=mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Loader(_Composer, yaml.SafeLoader):
    """Nodes of what PyYAML reads."""


if yaml.__with_libyaml__:
    from yaml.cyaml import CParser  # type: ignore[attr-defined]

    class _FastLoader(_Composer, CParser):
        """Nodes of what libyaml reads, as long as it reads them, and their places, as PyYAML does."""

        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            Resolver.__init__(self)

        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
            event = self.peek_event()
            if isinstance(event, yaml.ScalarEvent) and (event.style in ("|", ">") or not (event.value or event.style)):
                raise _RefusedError(problem="headers of blocks, and where nothing stands, are read otherwise")
            return super().compose_node(parent, index)


_READ_OTHERWISE = frozenset("\t\x85\u2028\u2029\ufeff?")
"""Characters that libyaml takes where PyYAML does not, or for something else."""


def _by_libyaml(text: str) -> yaml.Node | None:
    """The root of a text; None where that is left to PyYAML."""
    ends_alike = text.endswith("\n") or not text[-1:].isspace()
    if yaml.__with_libyaml__ and ends_alike and _READ_OTHERWISE.isdisjoint(text):
        with suppress(yaml.YAMLError, ValueError, OverflowError):
            return _FastLoader(text).get_single_node()
    return None


_SCALARS = (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
     "-+.0123456789"),
)  # fmt: skip
for _tag, _pattern, _first in _SCALARS:
    _Composer.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


class _Dumper(yaml.SafeDumper):
    """Quotes exactly the text that `_Composer` would read as something else."""

    yaml_implicit_resolvers = _Composer.yaml_implicit_resolvers

    def ignore_aliases(self, data: Any) -> bool:
        return True


def dump(data: Data) -> str:
    """YAML text that `parse` reads back as the same data; the innermost collections stand on one line."""
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=110, allow_unicode=True)
    return text


def flow(data: Data) -> str:
    """The same on one line, as it may stand behind a key."""
    text: str = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, default_flow_style=True, width=10**6, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()


class _Reader:
    """Walks the nodes of a document once."""

    def __init__(self, lines: list[str], name: str) -> None:
        self.lines, self.name = lines, name
        self.values: dict[Path, Span] = {}
        self.keys: dict[Path, Span] = {}
        self.problems: list[Diagnostic] = []

    def read(self, node: yaml.Node, path: Path) -> Data:
        self.values[path] = self._span(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str | int | float, Data]:
        data: dict[str | int | float, Data] = {}
        for key_node, value_node in node.value:
            key = self._scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if isinstance(key, bool) or not isinstance(key, str | int | float):
                self._problem("bad-key", "a key must be text or a number", key_node)
            elif key in data:
                first = self.keys[*path, key].line
                self._problem("duplicate-key", f"the key '{key}' stands here for the second time", key_node,
                              f"it was first given in line {first}")  # fmt: skip
            else:
                self.keys[*path, key] = self._span(key_node)
                data[key] = self.read(value_node, (*path, key))
        return data

    def _scalar(self, node: yaml.Node) -> Data:
        text = node.value
        match node.tag.rpartition(":")[2]:
            case "bool":
                return text.lower() == "true"
            case "null":
                return None
            case "int" if len(text.lstrip("+-")) > DIGITS:
                self._problem("too-large", f"a number of more than {DIGITS} digits", node)
                return 0
            case "int":
                return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
            case "float":
                return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
            case _:
                if any("\ud800" <= character <= "\udfff" for character in text):
                    self._problem("bad-character", "an escape stands for half a character", node)
                return text

    def _problem(self, code: str, message: str, node: yaml.Node, hint: str | None = None) -> None:
        self.problems.append(Diagnostic(code, message, self._span(node), hint))

    def _span(self, node: yaml.Node) -> Span:
        start, end = node.start_mark, node.end_mark
        text = self.lines[start.line] if start.line < len(self.lines) else ""
        stop = end.column if end.line == start.line else len(text.rstrip())
        return Span(self.name, start.line + 1, start.column + 1, max(1, stop - start.column), text)


def _syntax_error(error: yaml.MarkedYAMLError, text: str, name: str) -> Diagnostic:
    """What YAML does not allow, in the line that is to be changed rather than in the one where it came out."""
    lines = text.splitlines() or [""]
    padded = [*lines, ""]  # marks may stand behind the last line
    message, mark, hint = _unclosed(error, padded) or _without_colon(error, padded) or _as_said(error)
    line = min(mark.line, len(lines) - 1) if mark else 0
    column = mark.column if mark and mark.line == line else len(lines[line])
    return Diagnostic("yaml-syntax", message, Span(name, line + 1, column + 1, 1, lines[line]), hint)


@dataclass(frozen=True)
class _Mark:
    """A line and a column, counted from zero."""

    line: int
    column: int


_Said = tuple[str, _Mark | None, str | None]
"""What is wrong, where, and a hint."""


_CLOSING = {"{": "}", "[": "]"}
_WORDS: tuple[tuple[str, str, str | None], ...] = (
    (r"\\t", "a tab cannot begin a token", "indent with spaces"),
    (r"expected a single document", "a file holds one spec, and here a second document begins", None),
    (r"expected '<document start>'", "nothing can follow here: the value before it is the whole document", None),
    (r"cannot start any token", "no text begins with this character", "text that begins with it stands in quotes"),
    (r"unknown escape character", "there is no such escape", r"in single quotes a \ is a \, and nothing is escaped"),
    (r"hexadecimal numbers", "an escape such as \\xe9 or \\u00e9 has more digits than stand here", None),
    (r"could not find expected ':'", "a ':' is missing", None),
    (r"sequence entries are not allowed", "a list cannot begin here", "an entry begins a line, or all stand in [ ]"),
    (r"mapping (keys|values) are not allowed", "a key cannot stand here", None),
    (r"expected the node content", "a value is missing here", None),
    (r"expected <block end>, but found '-'", "a list cannot go on here", "the entries of a list begin in one column"),
    (r"expected <block end>", "this fits neither the line above nor what holds it",
     "keys of one mapping begin in one column; text that holds such a character stands in quotes"),
    (r"end of stream|document separator", "the text in quotes that begins here does not end", None),
    (r"directive|version", "directives are not part of the language", None),
    (r"\btag\b|URI|'!'", "tags are not part of the language", None),
    (r"anchor|alias|numeric character", "anchors and aliases are not part of the language", None),
    (r"", "what stands behind '|' or '>' has no meaning there", "the text begins in the next line"),
)  # fmt: skip
"""What PyYAML says, or where it says it, and what we say, with a hint; the first that is found counts."""


def _as_said(error: yaml.MarkedYAMLError) -> _Said:
    said, mark = f"{error.problem}, {error.context}", error.problem_mark or error.context_mark
    if isinstance(error, _RefusedError):
        return str(error.problem), _Mark(mark.line, mark.column) if mark else None, None
    if closed := re.match(r"expected ',' or '([]}])', but got '(.*)'", said):
        return _another_closes(error, *closed.groups())
    message, hint = next((ours, hint) for theirs, ours, hint in _WORDS if re.search(theirs, said))
    if "does not end" in message:
        mark = error.context_mark or mark
    return message, _Mark(mark.line, mark.column) if mark else None, hint


def _another_closes(error: yaml.MarkedYAMLError, closing: str, found: str) -> _Said:
    """What stands in braces or brackets is neither parted by a comma nor closed."""
    mark, opened = error.problem_mark, next(brace for brace, other in _CLOSING.items() if other == closing)
    hint = f"the '{opened}' was opened in line {error.context_mark.line + 1}" if error.context_mark else None
    wrong = f"a '{found}' stands where a '{closing}' is missing" if found in ("]", "}") else None
    message = wrong or f"a ',' or a '{closing}' is missing before this"
    return message, _Mark(mark.line, mark.column) if mark else None, hint


def _unclosed(error: yaml.MarkedYAMLError, lines: list[str]) -> _Said | None:
    """A brace or bracket that nothing closes: what follows stands in a later line, no further in than the brace."""
    opened, found = error.context_mark, error.problem_mark
    if "while parsing a flow" not in (error.context or "") or not opened or not found:
        return None
    is_end = "<stream end>" in (error.problem or "")
    if found.line <= opened.line and not is_end:
        return None
    rest = lines[found.line] if found.line < len(lines) else ""
    if not is_end and rest.strip() and _indentation(rest) > _indentation(lines[opened.line]):
        return None
    brace = lines[opened.line][opened.column : opened.column + 1]
    closing = _CLOSING.get(brace)
    if closing is None:  # PyYAML ends lines at other characters, too
        return None
    return f"the '{brace}' is not closed", _Mark(opened.line, opened.column), f"a '{closing}' is missing"


def _without_colon(error: yaml.MarkedYAMLError, lines: list[str]) -> _Said | None:
    """A key that no colon follows, which YAML takes together with the next line."""
    mark = error.problem_mark
    if error.context == "while scanning a simple key" and error.context_mark:
        return _colon_missing(error.context_mark.line, lines)
    if error.problem != "mapping values are not allowed here" or not mark:
        return None
    if re.match(r"\s*(- )*\w+ [{\[]", lines[mark.line]):
        return _colon_missing(mark.line, lines)
    if ": " in lines[mark.line][: mark.column]:
        hint = "what a key holds stands in braces if it is on the same line, such as conv: {filters: 16, kernel: 3}"
        return "a second ':' in one value", _Mark(mark.line, mark.column), hint
    before = [number for number in range(mark.line) if lines[number].partition("#")[0].strip()]
    return _colon_missing(before[-1], lines) if before and ":" not in lines[before[-1]] else None


def _colon_missing(line: int, lines: list[str]) -> _Said:
    text = lines[line].partition(" #")[0].rstrip()
    if dash := re.match(r"\s*-(?=[A-Za-z_])", text):
        return "a space is missing behind the '-'", _Mark(line, dash.end() - 1), f"such as - {text[dash.end() :][:40]}"
    plain = text.lstrip(" -")
    key, column = plain.split(" ")[0], len(text) - len(plain)
    if close := re.match(r"([A-Za-z_][\w.+/-]*):(?=\S)", plain):
        hint = f"such as {close[0]} {plain[close.end() :][:40]}"
        return "a space is missing behind the ':'", _Mark(line, column + close.end() - 1), hint
    return "a ':' is missing", _Mark(line, column), f"a key ends in a colon: '{key[:40]}:'"


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _character_error(error: yaml.reader.ReaderError, text: str, name: str) -> Diagnostic:
    before = text[: error.position]
    line, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
    whole = "".join(c if c.isprintable() else "?" for c in text.split("\n")[line])
    return Diagnostic(
        "bad-character", f"the character U+{ord(text[error.position]):04X} cannot stand in YAML",
        Span(name, line + 1, column + 1, 1, whole),
    )  # fmt: skip


def _number_error(loader: _Loader, text: str, name: str) -> Diagnostic:
    """The error of an escape or a directive whose number is too large."""
    line, column = loader.line, loader.column
    whole = text.splitlines()[line]
    is_directive = whole.startswith("%")
    what = "the version of a directive" if is_directive else "the number of an escape such as \\U0001F600"
    return Diagnostic("yaml-syntax", f"{what} is too large", Span(name, line + 1, column + 1, 1, whole))


def walk(data: Data, path: Path = ()) -> Iterator[tuple[Path, Data]]:
    """Every value of a document with its path, parents first."""
    yield path, data
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, child in children:
        yield from walk(child, (*path, key))
