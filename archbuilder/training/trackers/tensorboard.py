"""tensorboard/: the curves of a run for `tensorboard --logdir runs`; TensorFlow is not needed for it."""

from __future__ import annotations

from tensorboard.summary import Writer

from archbuilder.aliases import Json
from archbuilder.training.run.folder import Run
from archbuilder.training.trackers.numbers import of_epoch, of_result
from archbuilder.training.trackers.tracker import cleared

FOLDER = "tensorboard"


class TensorBoard:
    """Scalars by iteration, in a folder in that of the run."""

    def __init__(self, run: Run) -> None:
        folder = cleared(run, FOLDER)
        self._writer, self._iteration = Writer(str(folder)), 0

    def log(self, metrics: Json) -> None:
        self._iteration = metrics["iteration"]
        self._write(of_epoch(metrics))

    def close(self, result: Json | None) -> None:
        self._write(of_result(result))
        self._writer.close()

    def _write(self, numbers: dict[str, float]) -> None:
        for name, number in numbers.items():
            self._writer.add_scalar(name, number, self._iteration)
        self._writer.flush()
