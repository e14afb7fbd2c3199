"""Edits of a spec, in the forms in which they may be given in Python."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

Edits = Sequence[str] | str | Mapping[str, object]
"""`"stages.0.units=9"`, several of these, or `{"stages.0.units": 9}`."""


def as_texts(edits: Edits) -> list[str]:
    """Each edit as it is given on the command line."""
    if isinstance(edits, str):
        return [edits]
    if isinstance(edits, Mapping):
        return [f"{key}={json.dumps(value, ensure_ascii=False, default=_plain)}" for key, value in edits.items()]
    return list(edits)


def _plain(value: object) -> object:
    """A number of NumPy as one of Python; anything else, such as a path, by its text."""
    return value.item() if hasattr(value, "item") else str(value)
