"""metrics.csv: a row an epoch, for a spreadsheet."""

from __future__ import annotations

from archbuilder.aliases import Json
from archbuilder.atomic_files import replace_file
from archbuilder.markup import csv_text
from archbuilder.training.run.folder import Run

FILE = "metrics.csv"


class CsvFile:
    """A file in the folder of the run, which is whole after each epoch."""

    def __init__(self, run: Run) -> None:
        self._path, self._rows = run.folder / FILE, list[Json]()
        self._write()

    def log(self, metrics: Json) -> None:
        self._rows.append(metrics)
        self._write()

    def close(self, result: Json | None) -> None:
        """What the run came to stands in `result.json`: it is no row."""

    def _write(self) -> None:
        heads = list(dict.fromkeys(key for row in self._rows for key in row))
        text = csv_text([heads, *([row.get(key) for key in heads] for row in self._rows)] if heads else [])
        replace_file(self._path, lambda path: path.write_text(f"{text}\n", "utf-8"))
