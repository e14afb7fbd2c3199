"""Units and shortcuts of other people become templates of the spec that names them, each with its place in its file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain

from archbuilder import bounds
from archbuilder.errors import Diagnostic, MissingError, Span, SpecError
from archbuilder.spec import library, others
from archbuilder.spec.document import Data, Document, Place, parse, walk
from archbuilder.spec.document import Path as Parts
from archbuilder.spec.expressions import ExpressionError
from archbuilder.spec.expressions import parse as parse_expression
from archbuilder.spec.files import text_of
from archbuilder.spec.layers import MERGES, WORDS
from archbuilder.spec.library import Plural
from archbuilder.spec.op_layers import OP_NAMES
from archbuilder.spec.roles import PLURALS

_NAMES_NONE = frozenset({"name", "summary", "source", "published", "training"})
"""The keys of a spec below which no template is named."""
_WORDS = frozenset({*OP_NAMES, *MERGES, *WORDS})
_QUOTES = frozenset("'\"")


def with_borrowed(document: Document) -> tuple[Document, list[Diagnostic]]:
    """The document with the templates of other people that it names, and what is wrong with these names and files."""
    templates = document.data.get("templates", {}) if isinstance(document.data, dict) else None
    if not isinstance(templates, dict) or not all(isinstance(templates.get(one, {}), dict) for one in PLURALS):
        return document, []
    borrower = _Borrower(document)
    borrower.borrow({key: value for key, value in document.data.items() if key not in _NAMES_NONE})
    return borrower.document, borrower.problems


class _Borrower:
    """The search for the templates of one document, and for those that these name."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Diagnostic] = []
        self._seen: set[str] = set()

    def borrow(self, data: Data) -> None:
        fresh = [data]
        while fresh:
            names = sorted({word for word in words(fresh.pop()) if others.may_be(word)} - self._seen - _WORDS)
            self._seen |= {*names}
            for name in names:
                fresh += self._templates(name)

    def _templates(self, name: str) -> Iterator[Data]:
        """What is under this name; its files are read, and those of them that can be are added."""
        for plural in PLURALS:
            if name in library.names(plural) or self.document.get(("templates", plural, name)) is not None:
                continue
            try:
                found = others.find(plural, name)
                template = None if found is None else parse(text_of(found), str(found))
            except SpecError as error:
                self.problems += error.diagnostics
            except MissingError as error:
                self.problems.append(Diagnostic("refused-package", str(error), self._span(name)))
            else:
                if template is not None and self._has_room(template, name):
                    self.document = _with_template(self.document, plural, name, template)
                    yield template.data

    def _has_room(self, template: Document, name: str) -> bool:
        has_room = len(self.document.values) + len(template.values) <= bounds.VALUES
        if not has_room:
            message = f"more than {bounds.VALUES:,} values with the templates that it names"
            self.problems.append(Diagnostic("too-large", message, self._span(name)))
        return has_room

    def _span(self, name: str) -> Span | None:
        """Where a name stands first, as a key or a value."""
        keys = (span for path, span in self.document.keys.items() if path[-1] == name)
        values = (span for path, span in self.document.values.items() if self.document.get(path) == name)
        return next(chain(keys, values), Place(self.document).span)


def _with_template(document: Document, plural: Plural, name: str, template: Document) -> Document:
    path: Parts = ("templates", plural, name)
    templates = document.data.get("templates", {})
    data = {**document.data, "templates": {**templates, plural: {**templates.get(plural, {}), name: template.data}}}
    around = {path[:end]: template.values[()] for end in (1, 2, 3)}
    values = {**around, **document.values, **_below(path, template.values)}
    return replace(document, data=data, values=values, keys={**around, **document.keys, **_below(path, template.keys)})


def _below(path: Parts, spans: Mapping[Parts, Span]) -> dict[Parts, Span]:
    return {(*path, *inner): span for inner, span in spans.items()}


def words(data: Data) -> set[str]:
    """The keys and texts in some data, and the texts in its expressions."""
    values = [value for _, value in walk(data)]
    texts = {v for v in values if isinstance(v, str)}
    within = set[str]().union(*(_texts_within(text) for text in texts if text.startswith("$") and _QUOTES & {*text}))
    return texts | within | {key for v in values if isinstance(v, dict) for key in v}


def _texts_within(text: str) -> set[str]:
    try:
        return parse_expression(text).texts
    except ExpressionError:
        return set()  # a summary, say
