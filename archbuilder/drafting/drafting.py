"""A new spec for somebody's images: looked at, decided, written with the reasons, and checked."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from archbuilder.aliases import Json
from archbuilder.atomic_files import replace_file
from archbuilder.drafting import network, recipe
from archbuilder.drafting.network import Draft
from archbuilder.drafting.recipe import Line
from archbuilder.drafting.survey import Survey, survey
from archbuilder.errors import UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.formatting import counted, first_ten, printable
from archbuilder.linting.linting import require_fitting
from archbuilder.linting.recipe import Recipe
from archbuilder.spec import Spec, load_text
from archbuilder.spec.base import Kind
from archbuilder.spec.data import Known
from archbuilder.spec.document import Data, flow
from archbuilder.spec.loading import SUFFIXES
from archbuilder.weights.transfer import transfer


@dataclass(frozen=True, eq=False)
class Written:
    """A spec that was written, and what a person should know of it."""

    path: Path
    spec: Spec
    found: Survey
    base: str
    """The bundled network that it is like."""
    train: str
    """The command that trains it."""
    notes: tuple[str, ...]

    def to_json(self) -> Json:
        found = self.found
        sizes = {
            "height": found.sizes.height,
            "width": found.sizes.width,
            "least": found.sizes.least,
            "most": found.sizes.most,
        }
        return {
            "spec": str(self.path), "like": self.base, "input": list(self.spec.network.input), "train": self.train,
            "data": {"path": str(found.path), "source": found.source, "labels": found.kind, "images": found.images,
                     "classes": dict(zip(found.classes, found.counts, strict=True)), "sizes": sizes,
                     "test": found.has_test, "validation": found.has_validation},
            "notes": list(self.notes),
        }  # fmt: skip


BLOCKS = ("stem", "stages", "head", "augment", "data")
"""The keys whose values stand below them."""
WIDTH = 100


def write(
    path: Path, data: Path, *, name: str | None = None, weights: Path | None = None, force: bool = False
) -> Written:
    """Writes a spec that trains on the images at a place; raises UsageError where the file is there already.

    `name` is the bundled network to take, `weights` a file of other people's weights for it.
    """
    if path.suffix not in SUFFIXES:
        raise UsageError(f"{printable(str(path))}: the name of a spec's file ends in .yaml")
    if path.exists() and not force:
        raise UsageError(f"{printable(str(path))} is there already: --force overwrites it")
    if weights is not None and name is None:
        raise UsageError(
            "which network are the weights of? --like NAME says it, such as --like keras_applications/resnet50"
        )
    found = survey(data)
    draft = network.fitting(found) if name is None else network.like(name, found, weights is not None)
    lines = recipe.from_scratch(found, draft) if weights is None else recipe.fine_tuning(found, draft)
    train = f"archbuilder train {_quoted(path)}" + (f" --weights {_quoted(weights)}" if weights else "")
    text = _text(path, found, draft, lines, train)
    spec = load_text(text, str(path))
    graph = expand(spec)
    require_fitting(replace(Recipe.of(spec), data=_known(found)))
    notes = [*found.notes, *(transfer(weights, graph).notes if weights is not None else [])]
    replace_file(path, lambda beside: beside.write_text(text, "utf-8"))
    return Written(path, spec, found, draft.base, train, tuple(notes))


def _known(found: Survey) -> Known:
    return Known(found.path.name, found.images, len(found.classes), found.kind, found.classes, has_test=found.has_test)


def told(found: Survey) -> str:
    """`flowers: 5 classes, 300 images of 64x64 pixels`"""
    sizes = found.sizes
    pixels = f"{sizes.height}x{sizes.width}" + ("" if sizes.are_alike else f" ({sizes.least} to {sizes.most})")
    colours = {1: "grey", 3: "in colour"}.get(found.channels, f"of {found.channels} channels")
    return f"{_labelled(found)}, {counted(found.images, 'image')} to learn from, {colours}, of {pixels} pixels"


def _labelled(found: Survey) -> str:
    counts, few = found.counts, len(found.classes)
    match found.kind:
        case "classes":
            each = f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"
            return f"{few:,} classes of {each} images ({first_ten(found.classes)})"
        case "flags":
            return f"{few:,} labels, of which an image may have several ({first_ten(found.classes)})"
        case "numbers":
            return f"{counted(few, 'number')} an image ({first_ten(found.classes)})"
        case _:
            assert_never(found.kind)


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _text(path: Path, found: Survey, draft: Draft, lines: Sequence[Line], train: str) -> str:
    """The spec, with the keys of the bundled one undone that the recipe does not name."""
    head = [
        "archbuilder: 1",
        f"extends: {draft.base}    # {draft.why}",
        f"name: {flow(_name(path))}",
        f"summary: {flow(_summary(found, draft))}",
    ]
    return "\n".join([
        f"# Written by `archbuilder new` for {printable(str(found.path))}:",
        f"# {told(found)}.",
        f"# To train: {printable(train)}",
        *head,
        *_network(draft),
        "training:",
        *(f"  {line}" for line in _training(draft, lines)),
        "",
    ])  # fmt: skip


def _summary(found: Survey, draft: Draft) -> str:
    """In place of that of the bundled spec, which tells of other images."""
    return f"{draft.base} for {printable(found.path.name)}, {_labelled(found)}"


def _name(path: Path) -> str:
    """A name of the language: letters, digits and some marks."""
    kept = "".join(
        letter if letter.isascii() and (letter.isalnum() or letter in "_.+-") else "_" for letter in path.stem
    )
    return kept if kept[:1].isalnum() else f"my{kept}"[:100]


def _network(draft: Draft) -> Iterator[str]:
    height, width, channels = draft.input
    yield f"input: [{height}, {width}, {channels}]    # {draft.why_input}"
    for key, value in draft.changes.items():
        yield from _lines(key, value)


def _training(draft: Draft, lines: Sequence[Line]) -> Iterator[str]:
    """The recipe; what the bundled spec says otherwise and it does not name is undone, be it a key or one below."""
    meant, base = recipe.model_of(list(lines)), draft.spec.network.training
    wanted = meant.model_dump()
    there = base.model_dump() if base else {}
    for line in lines:
        value = line.value
        if isinstance(value, dict) and not isinstance(getattr(meant, line.key), Kind):
            value = {**value, **_others(there.get(line.key) or {}, wanted[line.key], value)}
        yield from _lines(line.key, value, line.why, line.whys)
    for key, value in _others(there, wanted, {line.key for line in lines}).items():
        yield from _lines(key, value, f"not as in {draft.base}")


def _others(there: Mapping[str, Data], wanted: Mapping[str, Data], said: Container[str]) -> dict[str, Data]:
    """What is wanted of the keys that are not said and are otherwise there."""
    return {key: wanted[key] for key, value in there.items() if key not in said and value != wanted[key]}


def _lines(key: str, value: Data, why: str = "", whys: Mapping[str, str] = {}) -> Iterator[str]:
    """A key with its value in YAML, and why; what stands below it has a line each."""
    if isinstance(value, list) and len(value) > 1 and key in BLOCKS:
        yield from _with(f"{key}:", why)
        yield from (f"  - {flow(one)}" for one in value)
    elif isinstance(value, dict) and key in BLOCKS:
        yield from _with(f"{key}:", why)
        for name, one in value.items():
            yield from _with(f"  {name}: {flow(one)}", whys.get(str(name), ""))
    else:
        yield from _with(f"{key}: {flow(value)}", why)


def _with(line: str, why: str) -> Iterator[str]:
    """A line with a comment behind it, or above it where there is no room."""
    if not why:
        yield line
    elif len(line) + len(why) > WIDTH:
        indent = line[: len(line) - len(line.lstrip())]
        yield from (f"{indent}# {printable(why)}", line)
    else:
        yield f"{line}    # {printable(why)}"
