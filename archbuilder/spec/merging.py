"""Extends one spec by another, and edits one by `--set`: documents in, a document out, every place kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from dataclasses import replace

from archbuilder.bounds import DEPTH
from archbuilder.errors import Diagnostic, Span, SpecError
from archbuilder.spec.document import Data, Document, Path, parse, walk

IsChoice = Callable[[Path, Set[object]], bool]
"""Whether a mapping at this path, of these keys, is one thing, such as one of several kinds, which others replace."""


def merged(base: Document, over: Document, is_choice: IsChoice) -> Document:
    """`base` with the keys of `over`: mappings merge, everything else is replaced."""
    replaced: set[Path] = set()
    data = _merge(base.data, over.data, (), is_choice, replaced)
    lengths = {len(path) for path in replaced}

    def stays(path: Path) -> bool:
        return not any(path[:length] in replaced for length in lengths)

    values = {path: span for path, span in base.values.items() if stays(path)} | dict(over.values)
    keys = {path: span for path, span in base.keys.items() if stays(path)} | dict(over.keys)
    return Document(data, values, keys)


def _merge(base: Data, over: Data, path: Path, is_choice: IsChoice, replaced: set[Path]) -> Data:
    both_mappings = isinstance(base, dict) and isinstance(over, dict)
    if not both_mappings or (base.keys() != over.keys() and is_choice(path, base.keys() | over.keys())):
        replaced.add(path)
        return over
    return base | {
        key: _merge(base[key], value, (*path, key), is_choice, replaced) if key in base else value
        for key, value in over.items()
    }


def edited(document: Document, edit: str, is_choice: IsChoice) -> Document:
    """A document after `stages.0.units=9`; the value is YAML. Raises SpecError where the path leads nowhere."""
    path_text, separator, value_text = edit.partition("=")
    span = edit_span(edit)
    if not separator or not path_text:
        raise SpecError([Diagnostic("bad-edit", "an edit has the form path=value", span, "such as stages.0.units=9")])
    if (plain := _BRACKETS.sub(r".\1", path_text)) != path_text:
        hint = f"such as {plain.lstrip('.')}={value_text}"
        raise SpecError([Diagnostic("bad-edit", "a place in a list is written behind a dot", span, hint)])
    if path_text.count(".") >= DEPTH:
        raise SpecError([Diagnostic("bad-edit", f"more than {DEPTH} levels deep", span)])
    path = _path(document.data, path_text, lambda message: SpecError([Diagnostic("bad-edit", message, span)]))
    value = _value(value_text, edit)
    spans = {(*path, *inner): span for inner, _ in walk(value)}
    keys = dict(spans)
    base = _without_other_kinds(document, path, is_choice)
    return Document(_replaced(base.data, path, value), _cut(base.values, path) | spans, _cut(base.keys, path) | keys,
                    (*document.edits, edit), document.before or document)  # fmt: skip


def edit_span(*edits: str) -> Span:
    """The place of edits, all on one line."""
    text = " ".join(edits).replace("\n", " ")
    return Span("--set", 1, 1, len(text), text)


def _value(text: str, edit: str) -> Data:
    try:
        return parse(text, "--set").data if text.strip() else None
    except SpecError as error:
        found = [replace(one, span=edit_span(edit)) for one in error.diagnostics]
        raise SpecError(found) from None


_BRACKETS = re.compile(r"\[(\d+)\]", re.ASCII)


def _path(data: Data, text: str, problem: Callable[[str], SpecError]) -> Path:
    path: Path = ()
    for part in text.split("."):
        if isinstance(data, list):
            if not re.fullmatch(r"[0-9]{1,6}", part) or int(part) >= len(data):
                raise problem(f"'{part[:20]}' is no place in a list of {len(data)}; the first one is 0")
            path, data = (*path, int(part)), data[int(part)]
        elif isinstance(data, dict) or data is None:
            path, data = (*path, part), (data or {}).get(part)
        else:
            raise problem(f"there is nothing under '{'.'.join(map(str, path))}' that '{part}' could be set in")
    return path


def _without_other_kinds(document: Document, path: Path, is_choice: IsChoice) -> Document:
    """Drops another kind where the edit chooses one, such as `training.optimizer.adam.beta_1=0.8` over sgd."""
    for end in range(1, len(path)):
        kinds = document.get(path[:end])
        if not isinstance(kinds, dict) or path[end] in kinds:
            continue
        if is_choice(path[:end], kinds.keys() | {path[end]}):
            return replace(document, data=_replaced(document.data, path[:end], {}))
    return document


def _replaced(data: Data, path: Path, value: Data) -> Data:
    if not path:
        return value
    head, *rest = path
    if isinstance(data, list):
        return [_replaced(item, tuple(rest), value) if index == head else item for index, item in enumerate(data)]
    base = data if isinstance(data, dict) else {}
    return {**base, head: _replaced(base.get(head), tuple(rest), value)}


def _cut(spans: Mapping[Path, Span], path: Path) -> dict[Path, Span]:
    return {key: span for key, span in spans.items() if key[: len(path)] != path}
