"""What a training shows while it goes on: a bar on a terminal, a line an epoch elsewhere, JSON lines for scripts."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from typing import Any, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

from archbuilder.aliases import Json
from archbuilder.formatting import counted, duration, printable
from archbuilder.training.objective import Metric
from archbuilder.training.reporting.tables import metric_in, metric_text, result_table, summary_table


@dataclass(frozen=True)
class Opening:
    """What is known before the first iteration."""

    network: str
    parameters: int
    data: str
    origin: str
    train_images: int
    validation_images: int
    test_images: int
    precision: str
    folder: str
    epochs: int
    iterations: int
    done: int
    """How many of the iterations were made before, by a run that is resumed."""


@dataclass(frozen=True)
class Pulse:
    """Where an epoch stands; loss and score are means over it so far."""

    iteration: int
    """The number of the iteration within the epoch, from one on."""
    loss: float
    score: float
    learning_rate: float
    images_per_second: float
    seconds_left: float | None
    """The time that the rest of the run takes, validation left out; none where it is not known yet."""
    metric: Metric = "accuracy"
    """What the score is."""


class Reporter:
    """Shows nothing; the others show some of these."""

    def open(self, opening: Opening) -> None:
        """The run is about to begin."""

    def note(self, text: str) -> None:
        """Something that a person should know."""

    def begin_epoch(self, epoch: int, iterations: int, done: int) -> None:
        """An epoch begins, or goes on after `done` of its iterations."""

    def pulse(self, pulse: Pulse) -> None:
        """Called a few times a second at most."""

    def end_epoch(self, metrics: Json, best: bool) -> None:
        """An epoch was measured; `metrics` is its line of `metrics.jsonl`."""

    def close(self, result: Json) -> None:
        """The run is finished."""

    def summarise(self, summary: Json) -> None:
        """Runs with several seeds are finished."""

    def stop(self) -> None:
        """Training ends, in whatever way; called last, always."""


class ResultReporter(Reporter):
    """Shows only what another reporter shows at the end."""

    def __init__(self, reporter: Reporter) -> None:
        self.close, self.summarise = reporter.close, reporter.summarise  # type: ignore[method-assign]


class LineReporter(Reporter):
    """Plain lines, one an epoch."""

    def __init__(self, stream: TextIO | None = None) -> None:
        # A width of its own: what is piped into a file must not be folded at 80 columns.
        self.console = Console(file=stream or patient(sys.stdout), width=200, highlight=False)
        self.epochs = 0

    def open(self, opening: Opening) -> None:
        self.epochs = opening.epochs
        self._say(
            f"{opening.network}: {opening.parameters:,} parameters, {opening.precision}; data {opening.data}: "
            f"{opening.train_images:,} train, {opening.validation_images:,} validation, {opening.test_images:,} test "
            f"images, from {opening.origin}"
        )
        resumed = f", resumed after {opening.done:,}" if opening.done else ""
        length = f"{counted(opening.epochs, 'epoch')}, {counted(opening.iterations, 'iteration')}{resumed}"
        self._say(f"{length}, into {opening.folder}")

    def note(self, text: str) -> None:
        self._say(text)

    def _say(self, text: str) -> None:
        self.console.print(printable(text), markup=False)

    def end_epoch(self, metrics: Json, best: bool) -> None:
        self.console.print(epoch_line(metrics, self.epochs, best), markup=False)

    def close(self, result: Json) -> None:
        self.console.print(result_table(result))

    def summarise(self, summary: Json) -> None:
        self.console.print(summary_table(summary))


class BarReporter(LineReporter):
    """A live bar for the epoch at hand, below a line for each epoch before it."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self.console = console
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"), BarColumn(24), MofNCompleteColumn(),
            TextColumn("{task.fields[state]}"), console=console, transient=True,
        )  # fmt: skip
        self.task: TaskID | None = None

    def begin_epoch(self, epoch: int, iterations: int, done: int) -> None:
        state = COMPILING if self.task is None else ""
        if self.task is not None:
            self.bar.remove_task(self.task)
        self.bar.start()
        self.task = self.bar.add_task(
            "", total=iterations, completed=done, epoch=epoch, epochs=self.epochs, state=state
        )

    def pulse(self, pulse: Pulse) -> None:
        if self.task is not None:
            self.bar.update(self.task, completed=pulse.iteration, state=pulse_line(pulse))

    def note(self, text: str) -> None:
        if text != COMPILING:  # the bar says so itself
            super().note(text)

    def close(self, result: Json) -> None:
        self.stop()
        super().close(result)

    def stop(self) -> None:
        self.bar.stop()
        if self.task is not None:
            self.bar.remove_task(self.task)
            self.task = None


class JsonReporter(Reporter):
    """One JSON object a line, each with its `event`: start, note, epoch, result, summary."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream or patient(sys.stdout)

    def open(self, opening: Opening) -> None:
        self._say("start", asdict(opening))

    def note(self, text: str) -> None:
        self._say("note", {"text": text})

    def end_epoch(self, metrics: Json, best: bool) -> None:
        self._say("epoch", {**metrics, "best": best})

    def close(self, result: Json) -> None:
        self._say("result", result)

    def summarise(self, summary: Json) -> None:
        self._say("summary", summary)

    def _say(self, event: str, content: Json) -> None:
        print(json.dumps({"event": event, **content}), file=self.stream, flush=True)


class _Patient:
    """Standard output that falls silent where nobody reads it any more, or the disk behind it is full."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError:
            self._fall_silent()
        return len(text)

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError:
            self._fall_silent()

    def _fall_silent(self) -> None:
        """What was not written yet goes nowhere, too."""
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), self._stream.fileno())


def patient(stream: TextIO | None) -> TextIO | None:
    """A training of days does not end because of what it prints: `metrics.jsonl` has it all."""
    return None if stream is None else cast(TextIO, _Patient(stream))


COMPILING = "compiling the first iteration"


def reporter_for(as_json: bool, quiet: bool = False) -> Reporter:
    """The reporter that suits standard output."""
    if quiet:
        return ResultReporter(reporter_for(as_json))
    if as_json:
        return JsonReporter()
    console = Console(file=patient(sys.stdout), highlight=False)
    return BarReporter(console) if console.is_terminal else LineReporter()


def epoch_line(metrics: Json, epochs: int, best: bool) -> str:
    width = len(str(epochs))
    return (
        f"epoch {metrics['epoch']:>{width}}/{epochs}  loss {metrics['loss']:.4f}  "
        f"{_scored(metrics, '')}  validation loss {metrics['validation_loss']:.4f}  "
        f"{_scored(metrics, 'validation_')}  rate {metrics['learning_rate']:.3g}  "
        f"{metrics['images_per_second']:,.0f} images/s  {duration(metrics['seconds'])}{'  best' if best else ''}"
    )


def _scored(metrics: Json, part: str) -> str:
    metric = metric_in(metrics, part)
    return metric_text(metric, metrics[f"{part}{metric}"])


def pulse_line(pulse: Pulse) -> str:
    measured = f"loss {pulse.loss:.4f}  {metric_text(pulse.metric, pulse.score)}  rate {pulse.learning_rate:.3g}"
    if pulse.seconds_left is None:
        return measured
    return f"{measured}  {pulse.images_per_second:,.0f} images/s  {duration(pulse.seconds_left)} left"
