"""The training loop: epochs of iterations, each epoch measured, kept and shown."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from archbuilder.aliases import Json
from archbuilder.data.dataset import Labels
from archbuilder.errors import DivergedError
from archbuilder.formatting import counted, percent
from archbuilder.learning_rate.plateau import Patience, State
from archbuilder.training.evaluator import Evaluation
from archbuilder.training.learner import Learner
from archbuilder.training.reporting.pace import Pace
from archbuilder.training.reporting.progress import Pulse, Reporter
from archbuilder.training.run.checkpoint import Checkpoint
from archbuilder.training.run.folder import Run
from archbuilder.training.run.legs import require_leg
from archbuilder.training.setup import Setup
from archbuilder.training.signals import StopFlag
from archbuilder.training.trackers.tracker import Trackers

if TYPE_CHECKING:
    pass

GUESSING_EPOCHS = 5
"""The number of epochs after which a network should know more than which class is most frequent."""
LOOK_EVERY = 50
"""How many iterations may pass before the loss is looked at: on a GPU, each look waits for the device."""


class Memory(Protocol):
    """Remembers something of the epochs so far, so that a run that goes on has to know it, too."""

    def state(self) -> State: ...
    def restore(self, state: State) -> None: ...


@dataclass
class Position:
    """Where a run stands."""

    iteration: int = 0
    """How many the run has made."""
    best: Json | None = None
    """Epoch, iteration and value of the best weights so far."""


class Trainer:
    """Trains a learner until the spec says stop, somebody does, or the loss is not a number any more."""

    def __init__(self, setup: Setup, learner: Learner, run: Run, reporter: Reporter) -> None:
        self.setup, self.learner, self.run, self.reporter = setup, learner, run, reporter
        self.position, self.schedule = Position(), setup.schedule()
        self.keep, early = setup.training.keep, setup.training.early_stopping
        self.patience = Patience(early.watch, early.min_change) if early else None
        self.metric = setup.objective.metric
        self.rate = 0.0
        """The learning rate of the iteration that was made last."""
        self.checkpoints = run.checkpoints(self.keep.last)
        self.trackers = Trackers(run, (), reporter.note)
        self.stop = StopFlag()

    def restore(self) -> None:
        """Goes back to the newest whole checkpoint; where there is none, to the beginning."""
        checkpoint = self.checkpoints.latest(self.reporter.note)
        if self.setup.begins:
            require_leg(self.run, checkpoint, self.setup.begins)
        if checkpoint is None:
            self.reporter.note("there is no whole checkpoint: the run begins anew")
        else:
            self.learner.restore(checkpoint.arrays)
            self.position = Position(checkpoint.iteration, checkpoint.progress.get("best"))
            self._remember(checkpoint)
        self.run.drop_metrics_after(self.position.iteration)
        if not self._has_best_weights():
            self.position.best = None  # they are of an epoch that comes again, and then is the best again

    def _remember(self, checkpoint: Checkpoint) -> None:
        """A rate that begins at the checkpoint knows nothing yet, and in a new leg patience waits anew."""
        begins_rate = 0 < checkpoint.iteration == self.setup.rate_begins
        for name, memory in self._memories().items():
            if (state := checkpoint.progress.get(name)) and (memory is self.patience or not begins_rate):
                memory.restore(state)
        if self.patience and checkpoint.iteration == self.setup.begins:
            self.patience.begin_anew()

    def _memories(self) -> dict[str, Memory]:
        """What remembers more than the position: its state is part of a checkpoint."""
        memories: dict[str, Memory | None] = {
            "plateau": self.schedule.plateau, "low_error": self.schedule.low_error, "early_stopping": self.patience,
        }  # fmt: skip
        return {name: memory for name, memory in memories.items() if memory}

    def _has_best_weights(self) -> bool:
        """Whether the file still holds the best weights that the checkpoint knows of, not those of a later epoch."""
        saved = self.run.weights().get("best", {}).get("iteration", 0)
        return saved <= self.position.iteration and self.run.has_sound_weights("best")

    def result(self) -> Json:
        """What the best and the final weights come to on the test set."""
        end = {"epoch": self._epochs, "iteration": self.position.iteration}
        with self.learner.averaged():
            self.run.save_weights("final", self.learner.model, end)
            final = self.learner.evaluate(self.setup.data.test)
        best = dict(self.position.best or end)
        early = {"stopped_early": end} if self.position.iteration < self.setup.iterations else {}
        if best["iteration"] == end["iteration"]:
            of_best, best = final, {**best, **end}
        else:
            self.run.load_weights("best", self.learner.model)
            of_best = self.learner.evaluate(self.setup.data.test)
        if self.learner.processes == 1:
            self.run.save_predictions(self.setup.data.test.labels, of_best.answers, final.answers)
        return {"best": {**best, **self._tested(of_best)}, "final": {**end, **self._tested(final)}, **early}

    @property
    def _epochs(self) -> int:
        """How many have been made; the last one may be cut short."""
        return ceil(self.position.iteration / self.setup.iterations_per_epoch)

    def _tested(self, evaluation: Evaluation) -> Json:
        return {"test_loss": evaluation.loss, f"test_{self.metric}": evaluation.score}

    def train(self) -> None:
        """Raises StoppedError once the stop flag is up, DivergedError when there is no sense in going on."""
        while not self._is_over:
            self._epoch(self.position.iteration // self.setup.iterations_per_epoch)
        if early := self._stopped_early:
            self.reporter.note(early)

    @property
    def _is_over(self) -> bool:
        return self.position.iteration >= self.setup.iterations or self._stopped_early is not None

    @property
    def _stopped_early(self) -> str | None:
        """Why it did, if it did."""
        early = self.setup.training.early_stopping
        if early is None or self.patience is None or self.patience.waited < early.patience:
            return None
        value = early.watch.replace("_", " ")
        return f"stopped early: the {value} has not improved for {counted(early.patience, 'epoch')}"

    def _epoch(self, epoch: int) -> None:
        feed, done = self.setup.feed, self.position.iteration % self.setup.iterations_per_epoch
        batches = feed.batches(epoch)
        self.reporter.begin_epoch(epoch + 1, len(batches), done)
        pace = Pace()
        read = feed.read(batches[done:], epoch, self.learner.rows)
        for number, (batch, *pixels) in enumerate(read, done + 1):
            self._iteration(batch, epoch, *pixels)
            pace.count(len(batch))
            if self._is_time_to_look(number, pace) or number == done + 1:
                self._look(number, pace)
            if number < len(batches) and self._is_told_to_stop:
                self._stop()
        self._end_epoch(epoch + 1, pace)
        if not self._is_over and self._is_told_to_stop:
            self._stop()

    def _is_time_to_look(self, number: int, pace: Pace) -> bool:
        """Several processes look at the same iterations, one also after a time of its own."""
        return (self.learner.processes == 1 and pace.is_time_to_look()) or number % LOOK_EVERY == 0

    @property
    def _is_told_to_stop(self) -> bool:
        """Whether one of the processes is, so that all of them stop after the same iteration."""
        return any(self.learner.sums(bool(self.stop)))

    def _iteration(self, batch: Any, epoch: int, *pixels: Any) -> None:
        iteration = self.position.iteration
        self.rate = self.schedule.rate(iteration - self.setup.rate_begins)
        self.learner.iterate(batch, epoch, iteration, self.rate, *pixels)
        self.position.iteration += 1
        if self.schedule.low_error and self.schedule.low_error.is_due(self.position.iteration - self.setup.rate_begins):
            self.schedule.low_error.look(*self.learner.totals()[1:])

    def _look(self, number: int, pace: Pace) -> None:
        totals = self.learner.totals()
        self._require_finite("the loss", totals.loss)
        means = totals.means(self.metric)
        speed = pace.images_per_second
        left = (self.setup.iterations - self.position.iteration) * self.setup.training.batch_size
        seconds_left = left / speed if speed else None
        self.reporter.pulse(
            Pulse(number, means["loss"], means[self.metric], self.rate, speed, seconds_left, self.metric)
        )

    def _end_epoch(self, epoch: int, pace: Pace) -> None:
        if self.schedule.low_error:
            self.schedule.low_error.end_epoch(*self.learner.totals()[1:])
        trained = self.learner.read()
        self._require_finite("the loss", trained["loss"])
        speed, arrays = pace.images_per_second, self.learner.arrays()
        self._require_finite("a weight", *arrays.values())
        with self.learner.averaged():
            found = self.learner.evaluate(self.setup.validation, quick=True)
            self._require_finite("the validation loss", found.loss)
            metrics = {
                "epoch": epoch, "iteration": self.position.iteration, "learning_rate": self.rate, **trained,
                "validation_loss": found.loss, f"validation_{self.metric}": found.score,
                "images_per_second": speed, "seconds": pace.seconds,
            }  # fmt: skip
            self._take_note(metrics)
        if epoch % self.keep.every_epochs == 0 or self._is_over:
            self._save(arrays)

    def _take_note(self, metrics: Json) -> None:
        """Keeps what an epoch came to: on disk, on the screen, for plateau and patience, and as the best so far."""
        is_best = self._is_best(metrics)
        if is_best:
            self.position.best = {key: metrics[key] for key in ("epoch", "iteration", self.keep.best)}
            self.run.save_weights("best", self.learner.model, self.position.best)
        if self.schedule.plateau:
            self.schedule.plateau.update(metrics[self.schedule.plateau.watch])
        if self.patience:
            self.patience.note(metrics[self.patience.watch])
        self.run.add_metrics(metrics)
        self.trackers.log(metrics)
        self.reporter.end_epoch(metrics, is_best)
        if metrics["epoch"] == GUESSING_EPOCHS and not self._is_over and self.setup.validation.labels.ndim == 1:
            self._warn_of_guessing()

    def _warn_of_guessing(self) -> None:
        """Says so where no epoch so far was better than the class that is seen most often."""
        best = max(line["validation_accuracy"] for line in self.run.metrics())
        guessed, limit = guesses(self.setup.validation.labels)
        if best < limit:
            self.reporter.note(
                f"after {GUESSING_EPOCHS} epochs the validation accuracy, {percent(best)} at best, is that of a guess "
                f"({percent(guessed)}). A learning rate ten times smaller or larger may help; `archbuilder augment` "
                "shows what is learned from, and `archbuilder lint` looks at the recipe"
            )

    def _is_best(self, metrics: Json) -> bool:
        if self.position.best is None:
            return True
        value, best = metrics[self.keep.best], self.position.best[self.keep.best]
        return bool(value > best if self.keep.best == "validation_accuracy" else value < best)

    def _save(self, arrays: dict[str, Any]) -> None:
        """Weights that are not finite never become a checkpoint."""
        self._require_finite("a weight", *arrays.values())
        states = {name: memory.state() for name, memory in self._memories().items()}
        self.checkpoints.save(Checkpoint(self.position.iteration, arrays, {"best": self.position.best, **states}))

    def _stop(self) -> None:
        self._save(self.learner.arrays())
        raise self.stop.error(
            f"stopped after iteration {self.position.iteration:,} of {self.setup.iterations:,}; a checkpoint is saved. "
            f"To go on: archbuilder train --resume {self.run.folder}"
        )

    def _require_finite(self, what: str, *values: Any) -> None:
        if all(np.isfinite(value).all() for value in values):
            return
        found = f"{what} after iteration {self.position.iteration:,}", self.rate
        if diverged := self.learner.diverged:
            found = f"the loss of iteration {diverged[0] + 1:,}", diverged[1]
        raise DivergedError(
            f"training diverged: {found[0]} is not a finite number; the learning rate was {found[1]:.6g}. "
            f"A smaller rate or a warm-up may help. {self._last_checkpoint()}"
        )

    def _last_checkpoint(self) -> str:
        paths = self.checkpoints.paths()
        return f"The last checkpoint is {paths[-1]}" if paths else "There is no checkpoint yet"


def guesses(labels: Labels) -> tuple[float, float]:
    """The share of the class that is seen most often, and the accuracy below which images were only guessed.

    That is two deviations above the share; of few images these would include all, so that half of the rest is the most.
    """
    share = float(np.bincount(labels).max() / len(labels))
    return share, share + min(2 * (share * (1 - share) / len(labels)) ** 0.5, (1 - share) / 2)
