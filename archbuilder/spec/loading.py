"""Loads a spec by its name or path: locate, read, extend, edit, validate."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from archbuilder import bounds
from archbuilder.disk_cache import specs_folder
from archbuilder.displayed import Displayed
from archbuilder.errors import Diagnostic, MissingError, Span, SpecError, listed, nearest
from archbuilder.formatting import printable
from archbuilder.spec import library, others
from archbuilder.spec.borrowing import with_borrowed, words
from archbuilder.spec.choices import is_choice, is_one_thing
from archbuilder.spec.document import Document, Place, dump, parse
from archbuilder.spec.document import Path as Parts
from archbuilder.spec.edits import Edits, as_texts
from archbuilder.spec.files import DiskFile, OutOfReachError, SpecFile
from archbuilder.spec.library import Definition, Plural
from archbuilder.spec.merging import edit_span, edited, merged
from archbuilder.spec.network import Network, Template
from archbuilder.spec.problems import diagnostics
from archbuilder.spec.references import References
from archbuilder.spec.salvage import FOLLOWING, salvaged
from archbuilder.spec.training import Training

SUFFIXES = (".yaml", ".yml")
OF_RUN = "spec.yaml"
"""The file of a run that holds its spec."""


@dataclass(frozen=True, repr=False)
class Spec(Displayed):
    """A checked spec: the network, and the document that each of its parts stands in."""

    network: Network
    document: Document
    unknown: frozenset[Parts] = frozenset()
    """Where a mistake was made harmless, so that nothing is known of what comes of it (`salvage.py`)."""

    def __repr__(self) -> str:
        return f"<Spec {self.name!r}>"

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def training(self) -> Training | None:
        return self.network.training

    @property
    def place(self) -> Place:
        return Place(self.document)

    def names(self, plural: Plural) -> tuple[str, ...]:
        """The units, or shortcuts, that there are for this spec."""
        return tuple(sorted({*library.names(plural), *getattr(self.network.templates, plural)}))

    def definition(self, plural: Plural, name: str) -> Definition:
        """A template by its name: one of this spec, or else of the library."""
        own: dict[str, Template] = dict(getattr(self.network.templates, plural))
        if name in own:
            return Definition(name, own[name], self.place.at("templates", plural, name))
        return library.definition(plural, name)

    def dump(self) -> str:
        """YAML with everything written out and nothing inherited; it loads to the same graph."""
        return dump(self.resolved)

    @cached_property
    def resolved(self) -> dict[str, Any]:
        """The data that `dump` writes."""
        data = _as_lists(self.network.model_dump(exclude_none=True, by_alias=True))
        used = _used_templates(self)
        data["templates"] = {
            plural: {name: _template_data(self.definition(plural, name).template) for name in sorted(used[plural])}
            for plural in ("units", "shortcuts")
        }
        return {key: value for key, value in data.items() if value not in ([], {}, "") or key == "shortcut"}


class UnloadedError(SpecError):
    """The mistakes for which a spec cannot be loaded; what is left without them may have more."""

    def __init__(self, shown: Iterable[Diagnostic], document: Document, problems: list[Diagnostic]) -> None:
        super().__init__(shown)
        self._document, self._problems = document, problems

    def rest(self) -> Spec | None:
        """The spec with these mistakes made harmless, to be expanded for others; None where nothing can be told."""
        salvage = salvaged(self._document, self._problems, References(Place(self._document)).context["units"])
        if salvage is None:
            return None
        network, problems = _validated(salvage.left)
        follows = all(one.code in FOLLOWING for one in problems)
        return Spec(network, salvage.left, frozenset(salvage.unknown)) if network and follows else None


def load(spec: str | Path, edits: Edits = ()) -> Spec:
    """The spec of a bundled name or of a YAML file, after the edits (`stages.0.units=9`).

    Raises SpecError with all mistakes, MissingError where there is no such spec.
    """
    return _checked(_edited(read(spec), edits))


def load_text(text: str, name: str = "<text>", edits: Edits = ()) -> Spec:
    """The spec of a YAML text; it may extend bundled specs only."""
    return _checked(_edited(_extended(parse(text, name), None, (name,)), edits))


def load_file(file: SpecFile, edits: Edits = ()) -> Spec:
    """The spec of a file, wherever it lies; it may extend bundled specs and the files beside it."""
    return _checked(_edited(_extended(parse(file.text(), file.name), file, (file.name,), (file.key,)), edits))


def edit(spec: Spec, edits: Edits) -> Spec:
    """A loaded spec after further edits; its other parts keep their places."""
    return _checked(_edited(spec.document, edits))


def read(spec: str | Path) -> Document:
    """The document of a spec with everything it extends, unchecked."""
    file = DiskFile(locate(spec))
    return _extended(_document(spec, file), file, (str(spec),), (file.key,))


@cache
def bundled() -> tuple[str, ...]:
    """The names of the specs that ship with archbuilder, top level first."""
    root = specs_folder()
    names = [path.relative_to(root).with_suffix("").as_posix() for path in root.rglob("*.yaml")]
    return tuple(sorted(names, key=lambda name: (name.count("/"), _natural(name))))


def _natural(name: str) -> list[tuple[int, str]]:
    """Orders resnet20 before resnet110."""
    digits = "".join(c if c.isdigit() else " " for c in name).split()
    words = "".join(" " if c.isdigit() else c for c in name).split()
    return [(0, word) for word in words] + [(int(digit), "") for digit in digits]


def locate(spec: str | Path) -> Path:
    """The file of a bundled spec, of a path, of a run (a folder with a spec in it), or of other people's spec."""
    text = str(spec)
    if isinstance(spec, Path) or text.endswith(SUFFIXES):
        path = Path(spec)
        if path.is_file():
            return path
        if (in_folder := _in_folder(path)) is not None:
            return in_folder
        meant = _file_hint(path)
        raise MissingError(f"there is no file {text}" + (f"\n  hint: {meant}" if meant else ""))
    if (found := _bundled_path(text) or _in_folder(Path(text))) is not None:
        return found
    if (theirs := others.find("specs", text)) is not None:
        return theirs
    if Path(text).is_file():
        raise MissingError(f"{text} is no spec\n  hint: {_other_file_hint(Path(text))}")
    raise MissingError(f"there is no spec called '{text}'\n  hint: {_spec_hint(text)}")


def _other_file_hint(path: Path) -> str:
    """What to do with a file that is not of YAML."""
    if path.suffix in (".keras", ".json", ".onnx"):
        return f"`archbuilder import {path} -o {path.stem}.yaml` writes the spec of the model in it"
    return "the name of a spec's file ends in .yaml"


def _file_hint(path: Path, folder: Path = Path()) -> str | None:
    """What may have been meant by a file that is not there: a bundled spec, or a file beside it."""
    parts = path.with_suffix("").parts
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    if spec := next((end for end in ends if end in bundled()), None):
        return f"did you mean the bundled spec '{spec}'?"
    with suppress(OSError):
        there = (one.name for one in islice((folder / path).parent.iterdir(), 1000) if one.name.endswith(SUFFIXES))
        return next((f"did you mean '{path.with_name(name)}'?" for name in nearest(path.name, there)), None)
    return None


def _spec_hint(name: str) -> str:
    advice = "`archbuilder list` shows the bundled specs; the name of a file ends in .yaml"
    meant = _meant(name)
    return f"did you mean {listed([repr(one) for one in meant])}? {advice}" if meant else advice


def _meant(name: str) -> list[str]:
    """The specs that one may have meant by a name: those called so in another folder or version, else the nearest."""
    wanted, letters = name.lower(), _letters(name)
    last = {one: one.rpartition("/")[2] for one in (*bundled(), *others.names("specs"))}
    if same := [one for one in last if _letters(one) == letters]:
        return same
    if alike := [one for one, own in last.items() if letters in (_letters(own), _letters(own.partition("_")[0]))]:
        return alike
    if longer := [one for one, own in last.items() if letters and _letters(own).startswith(letters)]:
        return longer
    swapped = [one for one, own in last.items() if sorted(own.partition("_")[0]) == sorted(wanted)]
    return swapped or nearest(wanted, last, 3)


def _letters(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def _in_folder(folder: Path) -> Path | None:
    """The spec of a run's folder; raises MissingError where it is a link, which may lead anywhere."""
    path = folder / OF_RUN
    if path.is_symlink():
        raise MissingError(f"{printable(str(path))} is a link, which no run has: it is not followed")
    return path if path.is_file() else None


def _bundled_path(name: str) -> Path | None:
    return specs_folder() / f"{name}.yaml" if name in bundled() else None


def _parsed(file: SpecFile) -> Document:
    return parse(file.text(), file.name)


@cache
def _parsed_once(path: Path) -> Document:
    return _parsed(DiskFile(path))


def _document(spec: str | Path, file: SpecFile) -> Document:
    """A file as it is now; a bundled spec, which a whole family may extend, is parsed once."""
    if isinstance(file, DiskFile) and not isinstance(spec, Path) and spec in bundled():
        return _parsed_once(file.path)
    return _parsed(file)


def _extended(
    document: Document, file: SpecFile | None, names: tuple[str, ...], keys: tuple[Hashable, ...] = ()
) -> Document:
    """A document over everything that it extends; `names` and `keys` are those of the files that led here."""
    data = document.data
    if not isinstance(data, dict) or "extends" not in data:
        return document
    place = Place(document, ("extends",))
    extended = _base(data["extends"], file, place)
    names = (*names, data["extends"])
    if extended.key in keys:
        cycle = " -> ".join(names[keys.index(extended.key) :])
        raise SpecError([Diagnostic("extends-cycle", f"specs extend each other in a cycle: {cycle}", place.span)])
    if len(names) > bounds.EXTENDS:
        message = f"more than {bounds.EXTENDS} specs extend each other"
        raise SpecError([Diagnostic("too-deep", message, place.span)])
    base = _extended(_document(data["extends"], extended), extended, names, (*keys, extended.key))
    if len(base.values) + len(document.values) > bounds.VALUES:
        message = f"more than {bounds.VALUES:,} values with what it extends"
        raise SpecError([Diagnostic("too-large", message, place.span)])
    return merged(_without(base, "published"), _without(document, "extends"), is_one_thing)


def _without(document: Document, key: str) -> Document:
    data = document.data
    kept = {name: value for name, value in data.items() if name != key} if isinstance(data, dict) else data
    return Document(kept, document.values, document.keys)


def _base(name: object, file: SpecFile | None, place: Place) -> SpecFile:
    """A bundled spec by name, or a file in the folder of the spec (or below); nothing outside it can be reached."""

    def problem(message: str, hint: str | None = None) -> SpecError:
        return SpecError([Diagnostic("bad-extends", message, place.span, hint)])

    if not isinstance(name, str):
        raise problem("the name of a spec is expected")
    if not name.endswith(SUFFIXES):
        try:
            found = _bundled_path(name) or others.find("specs", name)
        except MissingError as error:
            raise problem(str(error)) from None
        if found is None:
            raise problem(f"there is no spec called '{name}'", _spec_hint(name))
        return DiskFile(found)
    if file is None:
        raise problem("a spec that is not a file can extend bundled specs only")
    try:
        return file.beside(name)
    except OutOfReachError as error:
        hint = _file_hint(Path(name), error.folder) if error.folder else None
        raise problem(str(error), hint) from None


def _edited(document: Document, edits: Edits) -> Document:
    for edit in as_texts(edits):
        document = edited(document, edit, is_choice)
    return document


def _checked(document: Document) -> Spec:
    """Validates form and references alike, so that all mistakes are shown at once and in order."""
    document, wrong = with_borrowed(document)
    if wrong:
        raise SpecError(sorted_by_place(wrong))
    if document.before is not None:
        document = replace(document, before=with_borrowed(document.before)[0])
    network, problems = _validated(document)
    if network is None or problems:
        shown = spec_error(_at_edits(problems, document), document).diagnostics
        raise UnloadedError(shown, document, problems)
    return Spec(network, document)


def _validated(document: Document) -> tuple[Network | None, list[Diagnostic]]:
    """The network of a document, if that can be made, and all that is wrong with it."""
    root = Place(document)
    if not isinstance(document.data, dict):
        return None, [Diagnostic("bad-value", "a spec is a mapping of keys to values", root.span)]
    references = References(root)
    problems = list(islice(references.check(), 1000))
    try:
        return Network.model_validate(document.data, context=references.context), problems
    except ValidationError as error:
        return None, problems + diagnostics(error, root)


def _at_edits(problems: Iterable[Diagnostic], document: Document) -> list[Diagnostic]:
    """The problems, of which those that the document did not have before its edits are shown at these."""
    if document.before is None:
        return list(problems)
    known, edits = set(_validated(document.before)[1]), edit_span(*document.edits)
    return [one if one in known or _is_edit(one.span) else replace(one, span=edits) for one in problems]


def _is_edit(span: Span | None) -> bool:
    return span is not None and span.file == edit_span().file


def spec_error(problems: Iterable[Diagnostic], document: Document) -> SpecError:
    """The mistakes of a spec in order; one in a bundled spec, which was right, is shown at the edits that made it."""
    ordered = sorted_by_place(problems)
    if not document.edits:
        return SpecError(ordered)
    edits = edit_span(*document.edits)
    return SpecError(replace(one, span=edits) if _is_installed(one.span) else one for one in ordered)


def _is_installed(span: Span | None) -> bool:
    return span is not None and Path(span.file).is_relative_to(specs_folder())


def sorted_by_place(problems: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Problems in the order of file, line and column."""
    return sorted(problems, key=lambda one: (one.span.file, *one.span.order()) if one.span else ("", 0, 0))


def require_training(spec: Spec) -> Training:
    """The recipe of a spec; raises SpecError where there is none."""
    if spec.training is None:
        message = f"the spec '{spec.name}' does not say how it is trained"
        raise SpecError([Diagnostic("no-training", message, hint="give it a section `training`")])
    return spec.training


def _template_data(template: Template) -> dict[str, Any]:
    data = _as_lists(template.model_dump(by_alias=True))
    return {key: value for key, value in data.items() if value not in ({}, "") or key == "layers"}


def _as_lists(data: Any) -> Any:
    """The same data as YAML has it; Pydantic's own JSON mode would turn keys that are numbers into text."""
    if isinstance(data, dict):
        return {key: _as_lists(value) for key, value in data.items()}
    return [_as_lists(item) for item in data] if isinstance(data, list | tuple) else data


def _used_templates(spec: Spec) -> dict[Plural, set[str]]:
    """The names of the templates that appear in a network, or in the templates that it uses."""
    used: dict[Plural, set[str]] = {"units": set(), "shortcuts": set()}
    fresh: list[Any] = [_as_lists(spec.network.model_dump(by_alias=True, exclude={"training", "templates"}))]
    while fresh:
        found = words(fresh.pop())
        for plural, names in used.items():
            for name in (found & set(spec.names(plural))) - names:
                names.add(name)
                fresh.append(_template_data(spec.definition(plural, name).template))
    return used
