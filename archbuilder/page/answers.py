"""The section of a page that says what a trained network answers, and what it gets wrong."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from archbuilder.aliases import Json
from archbuilder.data.dataset import Pictures
from archbuilder.data.load import load_data, with_test
from archbuilder.errors import ArchbuilderError, UsageError
from archbuilder.formatting import percent
from archbuilder.page.chart import Axis, Chart, Line, chart
from archbuilder.spec import require_training
from archbuilder.training.objective import Metric
from archbuilder.training.reporting.scores_text import HEADS, KINDS, cell
from archbuilder.training.reporting.tables import BESIDE, score_text
from archbuilder.training.run.folder import PREDICTIONS, Run
from archbuilder.training.scores import Answers, Mistake, confused, mistakes, scores

if TYPE_CHECKING:
    from PIL import Image

MOST_IN_MATRIX = 20
"""How many classes a confusion matrix has at most; of more, the pairs that are confused most often."""
MOST_PAIRS = 25
MOST_SCORED = 2000
"""How many classes are held against each other: a matrix of more takes too much memory."""
MOST_CLASSES = 100
"""How many classes are told one by one; of more, those that are found worst."""
WORST = 50
MOST_SCATTERED = 4
"""How many numbers have a chart of their own."""
SIDE = 96
"""The pixels that an image of a mistake is high and wide at most."""
DIAGONAL = ((0.0, 0.0), (100.0, 100.0))


@dataclass(frozen=True, slots=True)
class Square:
    """How often a class was taken for another; its shade is the share of the true class in percent."""

    count: int
    share: int
    is_right: bool


@dataclass(frozen=True, slots=True)
class Confused:
    """Two classes, and how many images of the first were taken for the second."""

    truth: str
    answer: str
    count: int
    images: int

    @property
    def share(self) -> int:
        return round(100 * self.count / self.images)


@dataclass(frozen=True, slots=True)
class Face:
    """A mistake, with its image where there is one."""

    mistake: Mistake
    name: str
    image: str | None
    """As a `data:` address."""

    @property
    def sure(self) -> str:
        """How sure the network was, which a rounded number does not overstate."""
        probability = self.mistake.probability
        if probability is None:
            return ""
        return "> 99.9 %" if probability > 0.999 else f"{100 * probability:.1f} %"


@dataclass(frozen=True)
class Answered:
    """What a network answered on the test set."""

    id: ClassVar[str] = "answers"
    title: ClassVar[str] = "What it gets wrong"
    template: ClassVar[str] = "answers.html"
    test: Json
    """What `scores` has."""
    answers: Answers
    facts: tuple[tuple[str, str], ...]
    faces: tuple[Face, ...]
    note: str | None
    """Why there are no images."""

    @property
    def kind(self) -> str | None:
        """What is scored one by one; None of more classes than are."""
        return next((kind for kind in KINDS if kind in self.test), None)

    @property
    def names(self) -> tuple[str, ...]:
        return self.answers.names

    @property
    def one(self) -> str:
        """What a row of the table is: a class, a label or a number."""
        return KINDS[self.kind] if self.kind else "class"

    @property
    def is_of_numbers(self) -> bool:
        return self.kind == "numbers"

    @property
    def headings(self) -> list[str]:
        return [HEADS.get(key, key) for key in self.test[self.kind][0] if key != "name"] if self.kind else []

    @property
    def is_cut(self) -> bool:
        return len(self.names) > MOST_CLASSES

    @property
    def caption(self) -> str:
        if not self.is_cut:
            return ""
        if self.kind is None:
            return f"{len(self.names):,} classes are too many to be told here."
        by = HEADS["r2" if self.is_of_numbers else "f1"]
        return f"The {WORST} worst of {len(self.names):,} by {by}; archbuilder evaluate --csv FILE writes all."

    @property
    def rows(self) -> Iterator[tuple[str, ...]]:
        """Each class, label or number with its scores; of many, the worst first."""
        found = self.test[self.kind] if self.kind else ()
        by = "r2" if self.is_of_numbers else "f1"
        if self.is_cut:
            found = sorted(found, key=lambda one: -1 if one[by] is None else one[by])[:WORST]
        for one in found:
            yield one["name"], *(cell(key, value) for key, value in one.items() if key != "name")

    @property
    def matrix(self) -> list[tuple[str, list[Square]]] | None:
        """A row for each true class; None of many classes."""
        confusion = self.test.get("confusion")
        if confusion is None or len(confusion) > MOST_IN_MATRIX:
            return None
        return [
            (name, [_square(count, sum(counts), index == place) for index, count in enumerate(counts)])
            for place, (name, counts) in enumerate(zip(self.names, confusion, strict=True))
        ]

    @property
    def confused(self) -> list[Confused]:
        """The pairs of classes that were confused most often."""
        classes = self.test.get("classes", ())
        return [
            Confused(self.names[truth], self.names[answer], count, classes[truth]["images"])
            for count, truth, answer in confused(self.test.get("confusion", ()))[:MOST_PAIRS]
        ]

    @property
    def calibration(self) -> Chart | None:
        """The accuracy of the answers of each confidence."""
        found = self.test.get("calibration")
        if found is None:
            return None
        bins = [(100 * one["confidence"], 100 * one["accuracy"]) for one in found["bins"] if one["images"]]
        lines = [Line("as sure as right", "a", DIAGONAL), Line("this network", "dots", bins, is_dotted=True)]
        error = percent(found["expected_error"])
        axis = Axis.over(0, 100, 5)
        return chart(
            "Accuracy over confidence", lines, (axis, axis), " %", f"The expected calibration error is {error}."
        )

    @property
    def scatters(self) -> list[Chart]:
        """Of numbers, what was answered over what is right."""
        if not self.is_of_numbers:
            return []
        return [_scatter(self.answers, place) for place in range(min(len(self.names), MOST_SCATTERED))]


def answered(run: Run, data_path: Path | None, with_images: bool) -> Answered | None:
    """What the best weights of a run answered; None of a run that is not finished, or keeps no answers."""
    result = run.result
    if result is None or not (run.folder / PREDICTIONS).exists():
        return None
    answers = run.predictions("best")
    best = result["best"]
    test = scores(answers) if len(answers.names) <= MOST_SCORED else {}
    metric: Metric = "mae" if "test_mae" in best else "accuracy"
    facts = {
        "images": f"{len(answers.labels):,}", metric: score_text(metric, best[f"test_{metric}"]),
        **{name: score_text(metric, test[key]) for key, name in BESIDE.items() if test.get(key) is not None},
        "loss": f"{best['test_loss']:.4f}",
    }  # fmt: skip
    if "calibration" in test:
        facts["calibration error"] = percent(test["calibration"]["expected_error"])
    faces, note = _faces(run, answers, data_path) if with_images else (_named(answers, None), None)
    return Answered(test, answers, tuple(facts.items()), faces, note)


def _square(count: int, images: int, is_right: bool) -> Square:
    return Square(count, -(-100 * count // images) if images else 0, is_right)


def _scatter(answers: Answers, place: int) -> Chart:
    name, truth, found = answers.names[place], answers.labels[:, place], answers.values[:, place]
    low, high = (float(end([end(truth), end(found)])) for end in (np.min, np.max))
    axis = Axis.over(low, high, 5)
    ends = [(tick, tick) for tick in (axis.ticks[0], axis.ticks[-1])]
    points = list(zip(truth.tolist(), found.tolist(), strict=True))
    lines = [Line("right", "a", ends), Line("answered", "dots", points, is_dotted=True)]
    return chart(name, lines, (axis, axis), "", f"{name}: what was answered over what is right.")


def _faces(run: Run, answers: Answers, data_path: Path | None) -> tuple[tuple[Face, ...], str | None]:
    """The mistakes with their images, or why there are none; raises where the data was said to lie, and does not."""
    try:
        return _named(answers, _test_pictures(run, answers, data_path)), None
    except ArchbuilderError as error:
        if data_path is not None:
            raise
        return _named(answers, None), f"Without images: {error}"


def _named(answers: Answers, pictures: Pictures | None) -> tuple[Face, ...]:
    found = mistakes(answers)
    if pictures is None:
        return tuple(Face(one, f"image {one.image}", None) for one in found)
    named = [(one, pictures.name(one.image).rpartition("/")[2] or f"image {one.image}") for one in found]
    return tuple(Face(one, name, address(pictures.image(one.image))) for one, name in named)


def _test_pictures(run: Run, answers: Answers, data_path: Path | None) -> Pictures:
    """The test set that was answered; raises UsageError where the data is not that of the run."""
    training, (height, width, channels) = require_training(run.spec), run.graph.input.shape
    path = data_path or run.data_path
    data = load_data(training.data, (height, width, channels), path, training.is_framed, training.labels)
    test = with_test(data, training.data).test
    is_own = data.fingerprint == run.environment["data"]["fingerprint"]
    if not is_own or not np.array_equal(test.labels, answers.labels):
        raise UsageError(f"the data from {data.origin} is not that of the run in {run.folder}")
    return test


def address(image: Image.Image) -> str:
    """A small copy of an image as a `data:` address; images that are small already keep each pixel."""
    is_small, content = max(image.size) <= SIDE, BytesIO()
    copy = image.convert("RGB")
    copy.thumbnail((SIDE, SIDE))
    copy.save(content, "WEBP", quality=90 if is_small else 80, method=6)
    return f"data:image/webp;base64,{b64encode(content.getvalue()).decode()}"
