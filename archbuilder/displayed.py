"""What a notebook shows of a value: the value itself knows nothing of HTML, only where to ask."""

from __future__ import annotations

from importlib import import_module


class Displayed:
    """A value that `archbuilder.notebook`, which only a notebook loads, knows how to show."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        """HTML with all text escaped; None where the plain text is all there is to show."""
        shown: str | None = import_module("archbuilder.notebook").html(self)
        return shown
