"""Tables in CSV: an image in each row, by its path from the table's folder on, and what it is labelled with."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from io import StringIO
from itertools import islice
from math import isfinite
from pathlib import Path

import numpy as np

from archbuilder.bounded_files import BadFileError, bounded_bytes
from archbuilder.data.dataset import MAX_CLASSES, Indices, Labels, LabelsError
from archbuilder.data.sources.image_files import ImageFiles, Listing, Part
from archbuilder.data.sources.listing import only_file
from archbuilder.errors import MissingError, UsageError, suggest
from archbuilder.errors import listed as listing_of
from archbuilder.formatting import counted, first_ten, printable
from archbuilder.spec.data import Csv, LabelKind

MAX_BYTES = 2**26
MAX_ROWS = 1_500_000
MAX_COLUMNS = 10_000
LARGEST = float(np.finfo(np.float32).max)
MAX_NUMBERS = 2**27
"""How many labels all rows may have together."""
MOST_NAMED = 100
"""How many bad lines are named."""
MOST_MISTAKES = 10_000
"""So many bad lines are found at most; then the rest is not looked at."""
DELIMITERS = ",;\t|"
IMAGE = ("path", "image", "file", "filename", "file_name", "filepath", "file_path", "image_path", "img", "image_id")
"""What the column of paths may be called, in small letters."""
LABEL = ("label", "labels", "class", "tags", "target")
"""What the only column of labels may be called, where others stand beside it."""
PART = ("split", "part", "set", "subset")
PARTS: dict[str, Part] = {
    "train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
BETWEEN_LABELS = "|"


@dataclass(frozen=True, slots=True)
class Row:
    line: int
    cells: Sequence[str]


@dataclass
class Mistakes:
    """All that is wrong with the lines of a table."""

    origin: str
    found: list[tuple[int, str]] = field(default_factory=list)

    def add(self, line: int, message: str) -> None:
        """Raises UsageError where there are more than are worth finding."""
        self.found.append((line, message))
        if len(self.found) >= MOST_MISTAKES:
            self.require_none()

    def require_none(self) -> None:
        """Raises UsageError that names the lines."""
        if not self.found:
            return
        lines = [f"\n  line {line}: {printable(message)}" for line, message in sorted(self.found)[:MOST_NAMED]]
        more = f"\n  and {len(self.found) - MOST_NAMED:,} more" if len(self.found) > MOST_NAMED else ""
        raise UsageError(f"{counted(len(self.found), 'mistake')} in {self.origin}:{''.join(lines)}{more}")


@dataclass(frozen=True)
class Table:
    """The rows of a table below its heading, and which columns are what."""

    origin: str
    folder: Path
    heading: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    has_decimal_commas: bool
    """Whether numbers may be written so: where columns are not parted by commas."""

    @classmethod
    def read(cls, file: Path, mistakes: Mistakes) -> Table:
        """Raises MissingError where it cannot be read; lines that are no rows are mistakes."""
        origin = mistakes.origin
        try:
            content = bounded_bytes(file, MAX_BYTES)
        except BadFileError as error:
            raise MissingError(f"{origin} cannot be read: {error}") from error
        text, notes = _text(content, origin)
        if "\0" in text:
            raise MissingError(f"{origin} is no table in CSV: it holds zero bytes")
        delimiter = _delimiter(text)
        reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        rows = list(islice(_rows(reader, mistakes), MAX_ROWS + 2))
        if not rows:
            raise MissingError(f"{origin} is empty: its first line names the columns, such as path,label")
        heading = tuple(cell.strip() for cell in rows[0].cells)
        if len(heading) > MAX_COLUMNS or len(rows) - 1 > MAX_ROWS or len(heading) * len(rows) > MAX_NUMBERS:
            read = f"{MAX_ROWS:,} rows, {MAX_COLUMNS:,} columns and {MAX_NUMBERS:,} values"
            raise UsageError(f"{origin} has too many rows or columns: at most {read} are read")
        if twice := [name for name, count in Counter(heading).items() if count > 1]:
            raise UsageError(f"{origin} has several columns called {first_ten(twice)}")
        for row in rows[1:]:
            if len(row.cells) != len(heading):
                mistakes.add(row.line, f"{counted(len(row.cells), 'column')}; the heading has {len(heading)}")
        whole = tuple(row for row in rows[1:] if len(row.cells) == len(heading))
        if not whole:
            mistakes.require_none()
            raise MissingError(f"{origin} has no rows below its heading")
        return cls(origin, file.parent, heading, whole, notes, delimiter != ",")

    def place(self, name: str) -> int:
        """The place of a column that was asked for by its name."""
        if name not in self.heading:
            raise UsageError(f"{self.origin} has no column '{name}'\n  hint: {suggest(name, self.heading, 'columns')}")
        return self.heading.index(name)

    def first_of(self, names: Sequence[str]) -> int | None:
        """The place of the first column that is called by one of some names, in whichever letters."""
        small = [name.lower() for name in self.heading]
        return next((small.index(name) for name in names if name in small), None)

    def number(self, text: str) -> float | None:
        """A finite number."""
        try:
            number = float(text.replace(",", ".") if self.has_decimal_commas and "." not in text else text)
        except ValueError:
            return None
        return number if isfinite(number) and abs(number) <= LARGEST and "_" not in text else None


def listed(path: Path, source: Csv, mode: str, kind: LabelKind | None = None, takes_validation: bool = True) -> Listing:
    """The images of a table, or of the only table in a folder; `kind` is what is learned, where that is known.

    Raises MissingError and UsageError that name every bad line.
    """
    file = only_file(path, ".csv", is_table)
    mistakes = Mistakes(printable(str(file)))
    table = Table.read(file, mistakes)
    image = _image_column(table, source.image)
    part = table.place(source.part) if source.part is not None else table.first_of(PART)
    names = _names(table, image, mistakes)
    columns = _label_columns(table, source.labels, {image, part})
    told = _labels(table, columns, kind, mistakes)
    parts = _parts(table, part, mistakes)
    mistakes.require_none()
    files = ImageFiles(file.parent, names, told.labels, mode, are_classes_in_names=False)
    if not takes_validation:
        parts.pop("val", None)
    left = [name for place, name in enumerate(table.heading) if place not in {image, part, *columns}]
    notes = [f"left out of {table.origin}: the columns {first_ten(left)}"] if left else []
    taken = {which: files.take(places) for which, places in parts.items()}
    return Listing(file.stem, str(file), told.names, taken, (*table.notes, *notes), told.kind)


def is_table(path: Path) -> bool:
    return path.suffix.lower() in (".csv", ".tsv")


def _text(content: bytes, origin: str) -> tuple[str, tuple[str, ...]]:
    """In UTF-8, in UTF-16 where it begins so, or else as Windows writes it in the west."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16"), ()
        except UnicodeDecodeError:
            raise MissingError(f"{origin} is no text: it begins as UTF-16, and is damaged") from None
    try:
        return content.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), (f"{origin} is not in UTF-8, and read as Windows-1252",)


def _delimiter(text: str) -> str:
    """The one that stands most often in the first line."""
    first = text.lstrip("\r\n").partition("\n")[0]
    return max(DELIMITERS, key=first.count)


def _rows(reader: Iterator[list[str]], mistakes: Mistakes) -> Iterator[Row]:
    """Rows with the lines that they end in; empty lines are passed over."""
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            mistakes.add(_line(reader), _told(str(error)))
            continue
        if any(cell.strip() for cell in cells):
            yield Row(_line(reader), cells)


def _line(reader: Iterator[list[str]]) -> int:
    return int(reader.line_num)  # type: ignore[attr-defined]


def _told(error: str) -> str:
    return "a value is too long; is a quote not closed?" if "field larger" in error else "it is no row of CSV"


def _image_column(table: Table, name: str | None) -> int:
    if name is not None:
        return table.place(name)
    if (found := table.first_of(IMAGE)) is not None:
        return found
    columns = f"{table.origin} has the columns {first_ten(table.heading)}"
    raise UsageError(f"{columns}: which holds the paths?\n  hint: call it path, or say `csv: {{image: NAME}}`")


def _names(table: Table, column: int, mistakes: Mistakes) -> tuple[str, ...]:
    """The paths of all images within the table's folder, which none may leave, also not through a link."""
    root, names, lines = table.folder.resolve(), list[str](), dict[str, int]()
    for row in table.rows:
        name = row.cells[column].strip()
        found, problem = _within(table.folder, root, name)
        if problem:
            mistakes.add(row.line, problem)
        elif found in lines:
            mistakes.add(row.line, f"{found} stands in line {lines[found]} as well")
        lines.setdefault(found, row.line)
        names.append(found)
    return tuple(names)


def _within(folder: Path, root: Path, name: str) -> tuple[str, str]:
    """A path that leads to an ordinary file in a folder, and what is wrong with it."""
    if not name or "\0" in name:
        return name, "there is no path"
    for spelt in (name, name.replace("\\", "/")):
        try:
            place = (folder / spelt).resolve()
            if not place.is_relative_to(root):
                return name, f"{name} lies outside the folder of the table"
            if place.is_file():
                return (folder / spelt).relative_to(folder).as_posix(), ""
        except (OSError, ValueError, RuntimeError):
            continue
    return name, f"there is no {name}"


def _label_columns(table: Table, said: Sequence[str], others: set[int | None]) -> list[int]:
    """The columns of labels: those that are said, the one called label, or all that are left."""
    if said:
        return [table.place(name) for name in said]
    left = [place for place in range(len(table.heading)) if place not in others]
    if (only := table.first_of(LABEL)) is not None and only in left:
        return [only]
    if not left:
        raise UsageError(f"{table.origin} has no column of labels: such as label, or one for each class")
    return left


@dataclass(frozen=True, eq=False)
class _Told:
    """What a table says of its images."""

    labels: Labels
    names: tuple[str, ...]
    kind: LabelKind


def _labels(table: Table, columns: Sequence[int], kind: LabelKind | None, mistakes: Mistakes) -> _Told:
    """The labels, as what is learned needs them; where that is not known, as they look."""
    kind = kind or guessed(table, columns)
    if kind == "numbers":
        return _numbers(table, columns, mistakes)
    if len(columns) > 1:
        return _columns_of_flags(table, columns, kind, mistakes)
    if kind == "flags" and _has_several(table, columns[0]):
        return _lists_of_labels(table, columns[0])
    return _classes(table, columns[0], mistakes)


def guessed(table: Table, columns: Sequence[int]) -> LabelKind:
    """What labels look like: flags where an image may have several, numbers where not all of a column are whole."""
    cells = [[row.cells[place].strip() for place in columns] for row in table.rows]
    if all(cell in ("0", "1") for row in cells for cell in row) and len(columns) > 1:
        return "classes" if all(row.count("1") == 1 for row in cells) else "flags"
    numbers = [[table.number(cell) for cell in row] for row in cells]
    if all(number is not None for row in numbers for number in row):
        are_whole = all(number == int(number) for row in numbers for number in row if number is not None)
        return "classes" if are_whole and len(columns) == 1 else "numbers"
    return "flags" if _has_several(table, columns[0]) else "classes"


def _has_several(table: Table, column: int) -> bool:
    return any(BETWEEN_LABELS in row.cells[column] for row in table.rows)


def _numbers(table: Table, columns: Sequence[int], mistakes: Mistakes) -> _Told:
    rows = np.zeros((len(table.rows), len(columns)), np.float32)
    for index, row in enumerate(table.rows):
        for position, place in enumerate(columns):
            number = table.number(row.cells[place].strip())
            if number is None:
                mistakes.add(row.line, f"'{row.cells[place]}' in {table.heading[place]} is no number")
            else:
                rows[index, position] = number
    return _Told(rows, tuple(table.heading[place] for place in columns), "numbers")


def _columns_of_flags(table: Table, columns: Sequence[int], kind: LabelKind, mistakes: Mistakes) -> _Told:
    """A column for each class, of 0 and 1; where classes are learned, each row has one 1."""
    rows = np.zeros((len(table.rows), len(columns)), np.float32)
    names = tuple(table.heading[place] for place in columns)
    for index, row in enumerate(table.rows):
        numbers = [table.number(row.cells[place].strip()) for place in columns]
        for name, place, number in zip(names, columns, numbers, strict=True):
            if number not in (0, 1):
                mistakes.add(row.line, f"'{row.cells[place]}' in {name} is neither 0 nor 1")
        rows[index] = [number == 1 for number in numbers]
        if kind == "classes" and numbers.count(1) != 1 and all(number in (0, 1) for number in numbers):
            mistakes.add(
                row.line, f"it has {numbers.count(1)} classes; several are learned by `loss: binary_cross_entropy`"
            )
    if kind == "classes":
        return _Told(rows.argmax(axis=1).astype(np.int32), names, "classes")
    return _Told(rows, names, "flags")


def _lists_of_labels(table: Table, column: int) -> _Told:
    """Labels that are parted by `|`; an image without any has none."""
    lists = [[name.strip() for name in row.cells[column].split(BETWEEN_LABELS)] for row in table.rows]
    names = _ordered(table, {name for found in lists for name in found if name})
    if len(names) * len(lists) > MAX_NUMBERS:
        raise UsageError(f"{table.origin} has {len(names):,} labels for {len(lists):,} images, which are too many")
    places = {name: place for place, name in enumerate(names)}
    rows = np.zeros((len(lists), len(names)), np.float32)
    for index, found in enumerate(lists):
        rows[index, [places[name] for name in found if name]] = 1
    return _Told(rows, names, "flags")


def _classes(table: Table, column: int, mistakes: Mistakes) -> _Told:
    cells = [row.cells[column].strip() for row in table.rows]
    for row, cell in zip(table.rows, cells, strict=True):
        if not cell:
            mistakes.add(row.line, f"there is no {table.heading[column]}")
    if _has_several(table, column):
        raise LabelsError(
            f"{table.origin}: '|' parts several labels of an image in {table.heading[column]}; `loss: "
            "binary_cross_entropy` learns those"
        )
    names = _ordered(table, {cell for cell in cells if cell})
    places = {name: place for place, name in enumerate(names)}
    return _Told(np.array([places.get(cell, 0) for cell in cells], np.int32), names, "classes")


def _ordered(table: Table, names: set[str]) -> tuple[str, ...]:
    """Names in order: as numbers where all of them are such."""
    if len(names) > MAX_CLASSES:
        raise UsageError(f"{table.origin} has {len(names):,} classes; at most {MAX_CLASSES:,} are taken")
    are_numbers = all(name.isdecimal() and len(name) < 19 for name in names)
    key: Callable[[str], tuple[int, str]] = lambda name: (int(name) if are_numbers else 0, name)  # noqa: E731
    return tuple(sorted(names, key=key))


def _parts(table: Table, column: int | None, mistakes: Mistakes) -> dict[Part, Indices]:
    """The rows of each part; without a column for them, all are to learn from."""
    if column is None:
        return {"train": np.arange(len(table.rows))}
    places: dict[Part, list[int]] = {}
    for index, row in enumerate(table.rows):
        word = row.cells[column].strip()
        if (part := PARTS.get(word.lower())) is None:
            mistakes.add(
                row.line, f"'{word}' in {table.heading[column]} is none of {listing_of(('train', 'val', 'test'))}"
            )
        else:
            places.setdefault(part, []).append(index)
    if "train" not in places and not mistakes.found:
        raise UsageError(f"{table.origin}: no row is for training, by {table.heading[column]}")
    return {part: np.array(rows, np.int64) for part, rows in places.items()}
