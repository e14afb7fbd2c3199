"""What a training shows in a notebook: a bar for the epoch at hand below a table of the last epochs, in one place."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from archbuilder.aliases import Json
from archbuilder.diagram.text import escape
from archbuilder.formatting import counted, percent
from archbuilder.notebook import folded, paragraphs, preformatted, table
from archbuilder.training.reporting.progress import Opening, Pulse, Reporter, pulse_line
from archbuilder.training.reporting.tables import metric_in

if TYPE_CHECKING:
    from archbuilder.training.run.folder import Run

EPOCHS_SHOWN = 10


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
        self.end = _result_table(result)
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


def run_html(run: Run) -> str:
    """A run: where it is, what it came to, and its last epochs."""
    result, epochs = run.result, run.metrics()
    facts = [("network", run.spec.name), ("data", str(run.environment["data"]["name"])), ("folder", str(run.folder))]
    shown = table(facts, head=False)
    if result is None:
        shown += paragraphs(f"not finished, after {counted(len(epochs), 'epoch')}")
    else:
        shown += _result_table(result)
    return shown + (folded("last epochs", epoch_table(epochs)) if epochs else "")


def epoch_table(epochs: Sequence[Json]) -> str:
    """The last of some epochs, each a line of `metrics.jsonl`."""
    metric = metric_in(epochs[-1])
    return _columns(
        ("epoch", "loss", metric, "validation_loss", f"validation_{metric}", "learning_rate"), epochs[-EPOCHS_SHOWN:]
    )


def _result_table(result: Json) -> str:
    measured = [{"weights": which, **result[which]} for which in ("best", "final")]
    return _columns(("weights", "epoch", "test_loss", f"test_{metric_in(result['final'], 'test_')}"), measured)


def _columns(names: Sequence[str], lines: Sequence[Json]) -> str:
    rows = (tuple(_told(name, line[name]) for name in names) for line in lines)
    return table([tuple(name.replace("_", " ") for name in names), *rows])


def _told(name: str, value: object) -> str:
    if isinstance(value, float):
        return percent(value) if "accuracy" in name else f"{value:.4g}"
    return str(value)


class _Displayed:
    """An area of the cell that runs."""

    def __init__(self) -> None:
        self.handle: Any = None

    def show(self, html: str) -> None:
        shown = import_module("IPython.display")
        if self.handle is None:
            self.handle = shown.display(shown.HTML(html), display_id=True)
        else:
            self.handle.update(shown.HTML(html))


def notebook_reporter() -> Reporter:
    """The reporter of a notebook's kernel; elsewhere one that shows nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return NotebookReporter(_Displayed()) if getattr(shell, "kernel", None) is not None else Reporter()
