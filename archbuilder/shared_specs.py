"""The specs of other people that there are here, for `list`: from where, of which version, and with what content."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any

from archbuilder import bounds
from archbuilder.aliases import Json
from archbuilder.errors import ArchbuilderError
from archbuilder.formatting import aligned, first_ten, printable, wrapped
from archbuilder.spec import bundled, others
from archbuilder.spec.document import parse
from archbuilder.spec.files import text_of
from archbuilder.spec.others import Collection, Refusal

HEADINGS = ("spec", "from", "hash", "summary")
SHORTEST_SUMMARY = 30


@dataclass(frozen=True)
class SharedSpec:
    """One spec of other people; the hash is that of its file, None where this cannot be read."""

    name: str
    summary: str
    collection: Collection
    sha256: str | None

    def to_json(self) -> Json:
        here = self.collection
        origin = {"package": here.package, "version": here.version, "folder": str(here.folder)}
        return {"name": self.name, "summary": self.summary, **origin, "sha256": self.sha256}


def shared_specs() -> tuple[SharedSpec, ...]:
    """The specs of the folders that are searched and of installed packages, each name once."""
    return tuple(_read(_files()))


def notes() -> Iterator[str]:
    """Which folders, packages and specs cannot be reached, and why."""
    for folder in others.search_path():
        if not folder.is_dir():
            yield f"there is no folder {folder}, which {others.SEARCH_PATH} names"
    yield from (package.why for package in others.packages() if isinstance(package, Refusal))
    for collection in others.searched():
        hidden = sorted({*others.listed(collection, "specs")} & {*bundled()})
        yield from (f"a bundled spec is called {name}: that of {collection} is not reached" for name in hidden)
        if misnamed := [*islice(collection.misnamed(), bounds.SEARCHED_SPECS)]:
            yield (
                f"in {collection}, no spec can be called so: {first_ten(misnamed)}; letters from a to z, digits and "
                "_ . + - can stand in a name"
            )


def render(specs: Sequence[SharedSpec], width: int | None = None) -> str:
    """The specs as a table, of at most `width` columns where their summaries can be wrapped to that."""
    rows = [(one.name, str(one.collection), (one.sha256 or "-")[:12]) for one in specs]
    room = 0 if width is None else width - max(map(len, aligned([HEADINGS[:3], *rows]))) - 2
    summaries = [wrapped("", one.summary, room) if room >= SHORTEST_SUMMARY else one.summary for one in specs]
    head, *lines = aligned([HEADINGS, *((*row, summary) for row, summary in zip(rows, summaries, strict=True))])
    return "\n".join([head, "-" * max(map(len, (head, *lines))), *lines])


def _files() -> Iterator[tuple[str, Collection, Path]]:
    seen = {*bundled()}
    for collection in others.collections():
        for name in others.listed(collection, "specs"):
            path = None if name in seen else collection.find("specs", name)
            if path is not None:
                seen.add(name)
                yield name, collection, path


def _read(files: Iterable[tuple[str, Collection, Path]]) -> Iterator[SharedSpec]:
    """Reads so many that it takes no long; of more, the summary is left out."""
    characters = 0
    for name, collection, path in files:
        try:
            text = text_of(path)
            characters += len(text)
            data: Any = parse(text, str(path)).data if characters <= bounds.SUMMARISED else None
        except ArchbuilderError:
            text, data = None, {"archbuilder": None, "summary": f"it cannot be read: see `archbuilder validate {name}`"}
        if data is not None and not (isinstance(data, dict) and "archbuilder" in data):
            continue  # some other YAML
        summary = str(data.get("summary", "")) if data else ""
        found = None if text is None else sha256(text.encode()).hexdigest()
        yield SharedSpec(name, printable(summary[: bounds.TEXT]), collection, found)
