"""What a training shows in a notebook: a bar for the epoch at hand below a table of the last epochs, in one place."""

from __future__ import annotations

import sys
from typing import Protocol

from archbuilder.aliases import Json
from archbuilder.formatting import percent
from archbuilder.notebook import epoch_table, escape, preformatted, table
from archbuilder.training.reporting.progress import Opening, Pulse, Reporter, pulse_line


class Area(Protocol):
    """A place in a notebook whose content can be replaced."""

    def show(self, html: str) -> None: ...


class NotebookReporter(Reporter):
    """Shows a run in one area, which it writes anew whenever something is known."""

    def __init__(self, area: Area) -> None:
        self.area = area
        self.title, self.epochs_in_all, self.bar, self.end = "", 0, "", ""
        self.notes: list[str] = []
        self.epochs: list[Json] = []

    def open(self, opening: Opening) -> None:
        self.title = f"{opening.network} on {opening.data}, {opening.precision}, into {opening.folder}"
        self.epochs_in_all = opening.epochs
        self._show()

    def note(self, text: str) -> None:
        self.notes.append(text)
        self._show()

    def begin_epoch(self, epoch: int, iterations: int, done: int) -> None:
        self.epoch, self.iterations = epoch, iterations
        self._show_bar(done, "")

    def pulse(self, pulse: Pulse) -> None:
        self._show_bar(pulse.iteration, pulse_line(pulse))

    def end_epoch(self, metrics: Json, best: bool) -> None:
        self.epochs, self.bar = [*self.epochs, metrics], ""
        self._show()

    def close(self, result: Json) -> None:
        rows = [
            (which, str(result[which]["epoch"]), percent(result[which]["test_accuracy"])) for which in ("best", "final")
        ]
        self.end = table([("weights", "epoch", "test accuracy"), *rows])
        self._show()

    def stop(self) -> None:
        self.bar = ""
        self._show()

    def _show_bar(self, done: int, state: str) -> None:
        of = f"epoch {self.epoch}/{self.epochs_in_all}"
        self.bar = f'<p>{of} <progress value="{done}" max="{self.iterations}"></progress> {escape(state)}</p>'
        self._show()

    def _show(self) -> None:
        notes = preformatted("\n".join(self.notes)) if self.notes else ""
        epochs = epoch_table(self.epochs) if self.epochs else ""
        self.area.show(f"<p><strong>{escape(self.title)}</strong></p>{notes}{epochs}{self.bar}{self.end}")


class _Displayed:
    """An area of the cell that runs."""

    def __init__(self) -> None:
        self.handle = None

    def show(self, html: str) -> None:
        from IPython.display import HTML, display

        if self.handle is None:
            self.handle = display(HTML(html), display_id=True)
        else:
            self.handle.update(HTML(html))


def notebook_reporter() -> Reporter:
    """The reporter of a notebook's kernel; elsewhere one that shows nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return NotebookReporter(_Displayed()) if getattr(shell, "kernel", None) is not None else Reporter()
