"""A page: sections under one head, as a single HTML file that asks nothing of anybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from archbuilder.atomic_files import replace_file
from archbuilder.errors import MissingError, UsageError
from archbuilder.page.rendering import document, rendered
from archbuilder.spec import Spec

ENDINGS = (".html", ".htm")


class Section(Protocol):
    """A part of a page with a heading of its own."""

    @property
    def id(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def template(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Fact:
    """A number at the head of a page, and what it is of."""

    name: str
    value: str
    about: str


@dataclass(frozen=True, repr=False)
class Page:
    """A page, which a notebook shows in a frame of its own."""

    title: str
    html: str

    def __repr__(self) -> str:
        return f"<Page of {self.title!r}: {len(self.html.encode()):,} bytes>"

    def _repr_html_(self) -> str:
        return rendered("frame.html", page=self.html, title=self.title)

    def save(self, path: str | Path) -> Path:
        """Writes it; raises UsageError for a file that is not called .html."""
        path = Path(path)
        if path.suffix.lower() not in ENDINGS:
            raise UsageError(f"a page is written to a file that ends in .html, not to {path}")
        if not path.parent.is_dir():
            raise MissingError(f"cannot write '{path}': there is no folder '{path.parent}'")
        replace_file(path, lambda beside: beside.write_bytes(self.html.encode()))
        return path


def page_about(eyebrow: str, spec: Spec, facts: Sequence[Fact], sections: Sequence[Section]) -> Page:
    return page_of(eyebrow, spec.name, spec.network.summary, spec.network.source, facts, sections)


def page_of(
    eyebrow: str, title: str, lead: str, footer: str, facts: Sequence[Fact], sections: Sequence[Section]
) -> Page:
    html = document(title=title, eyebrow=eyebrow, lead=lead, facts=facts, sections=sections, footer=footer)
    return Page(title, html)
