"""What answers are worth: as scikit-learn says it, and as it can be seen by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn import metrics

from archbuilder.markup import csv_text
from archbuilder.training.reporting import scores_text
from archbuilder.training.scores import BINS, Answers, mistakes, scores

CLASSES, IMAGES = 7, 300


def of_classes(classes: int = CLASSES, seed: int = 0) -> Answers:
    random = np.random.default_rng(seed)
    labels = random.integers(0, classes, IMAGES).astype(np.int32)
    logits = random.normal(size=(IMAGES, classes)) + 2 * np.eye(classes)[labels]
    values = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return Answers(values.astype(np.float32), labels, tuple("abcdefghijklmnopqrstuvwxyz"[:classes]), "classes")


def of_labels() -> Answers:
    random = np.random.default_rng(1)
    labels = (random.random((IMAGES, 4)) < (0.1, 0.3, 0.5, 0.9)).astype(np.float32)
    values = np.clip(0.3 * random.normal(size=labels.shape) + 0.2 + 0.6 * labels, 0, 1)
    return Answers(values.astype(np.float32), labels, ("a", "b", "c", "d"), "flags")


def of_numbers() -> Answers:
    random = np.random.default_rng(2)
    labels = (random.normal(size=(IMAGES, 2)) * (1, 100) + (5, -20)).astype(np.float32)
    return Answers(labels + random.normal(size=labels.shape) * (0.1, 30), labels, ("length", "angle"), "numbers")


def test_classes_are_scored_as_by_scikit_learn() -> None:
    answers = of_classes()
    found, taken = scores(answers), answers.values.argmax(1)
    assert found["confusion"] == metrics.confusion_matrix(answers.labels, taken).tolist()
    precision, recall, f1, images = metrics.precision_recall_fscore_support(answers.labels, taken)
    for place, one in enumerate(found["classes"]):
        assert one == {
            "name": answers.names[place], "images": images[place], "precision": pytest.approx(precision[place]),
            "recall": pytest.approx(recall[place]), "f1": pytest.approx(f1[place]),
        }  # fmt: skip
    assert found["top_5_accuracy"] == pytest.approx(metrics.top_k_accuracy_score(answers.labels, answers.values, k=5))


def test_the_calibration_error_is_the_mean_distance_of_confidence_and_accuracy() -> None:
    answers = of_classes()
    confidence, right = answers.values.max(1), answers.values.argmax(1) == answers.labels
    error = 0.0
    for low in range(BINS):
        inside = (confidence > low / BINS) & (confidence <= (low + 1) / BINS)
        if inside.any():
            error += inside.mean() * abs(confidence[inside].mean() - right[inside].mean())
    calibration = scores(answers)["calibration"]
    assert calibration["expected_error"] == pytest.approx(error, rel=1e-5)
    assert sum(one["images"] for one in calibration["bins"]) == IMAGES


def test_certain_and_right_answers_are_calibrated() -> None:
    labels = np.arange(10, dtype=np.int32) % 2
    found = scores(Answers(np.eye(2, dtype=np.float32)[labels], labels, ("a", "b"), "classes"))
    assert found["calibration"]["expected_error"] == 0
    assert "top_5_accuracy" not in found
    assert mistakes(Answers(np.eye(2, dtype=np.float32)[labels], labels, ("a", "b"), "classes")) == []


def test_labels_are_scored_as_by_scikit_learn() -> None:
    answers = of_labels()
    found, taken = scores(answers), answers.values > 0.5
    precisions = metrics.average_precision_score(answers.labels, answers.values, average=None)
    assert [one["average_precision"] for one in found["labels"]] == pytest.approx(precisions)
    assert found["mean_average_precision"] == pytest.approx(precisions.mean())
    assert found["f1"] == pytest.approx(metrics.f1_score(answers.labels, taken, average="macro"))


def test_numbers_are_scored_as_by_scikit_learn() -> None:
    answers = of_numbers()
    found = scores(answers)
    shares = metrics.r2_score(answers.labels, answers.values, multioutput="raw_values")
    assert [one["r2"] for one in found["numbers"]] == pytest.approx(shares)
    errors = metrics.mean_absolute_error(answers.labels, answers.values, multioutput="raw_values")
    assert [one["mae"] for one in found["numbers"]] == pytest.approx(errors)
    squares = metrics.root_mean_squared_error(answers.labels, answers.values, multioutput="raw_values")
    assert [one["rmse"] for one in found["numbers"]] == pytest.approx(squares)


@pytest.mark.parametrize("kind", ["never answered", "not there"])
def test_what_is_not_defined_is_none(kind: str) -> None:
    labels, taken = np.array([0, 0, 1, 1]), np.array([0, 0, 0, 0])
    if kind == "not there":
        labels, taken = taken, labels
    found = scores(Answers(np.eye(2, dtype=np.float32)[taken], labels, ("a", "b"), "classes"))["classes"][1]
    assert found["precision" if kind == "never answered" else "recall"] is None
    assert found["f1"] == 0


def test_one_sigmoid_is_a_probability_of_two_classes() -> None:
    answers = Answers(
        np.array([[0.9], [0.2], [0.6], [0.4]], np.float32), np.array([1, 0, 0, 1]), ("no", "yes"), "flags"
    )
    assert scores(answers)["confusion"] == [[1, 1], [1, 1]]
    assert [(one.image, one.answer) for one in mistakes(answers)] == [(2, "yes"), (3, "no")]


def test_the_surest_mistakes_come_first() -> None:
    answers = of_classes()
    found = mistakes(answers, 5)
    wrong = answers.values.argmax(1) != answers.labels
    assert [one.probability for one in found] == sorted(answers.values.max(1)[wrong].tolist())[::-1][:5]
    assert all(one.truth == answers.names[answers.labels[one.image]] != one.answer for one in found)


def test_a_mistake_of_labels_is_one_label_of_an_image() -> None:
    answers = Answers(
        np.array([[0.1, 0.9], [0.8, 0.7]], np.float32), np.array([[1, 1], [1, 0]], np.float32), ("a", "b"), "flags"
    )
    assert [(one.image, one.truth, one.answer) for one in mistakes(answers)] == [(0, "a", "no a"), (1, "no b", "b")]


def test_the_largest_error_of_numbers_counts_in_deviations() -> None:
    labels = np.array([[0, 0], [1, 1000], [2, 2000]], np.float32)
    answers = Answers(labels + np.array([[0, 50], [1, 0], [0, 0]], np.float32), labels, ("small", "large"), "numbers")
    assert mistakes(answers)[0].image == 1


def shown(test: dict[str, Any]) -> str:
    from io import StringIO

    from rich.console import Console

    console = Console(file=StringIO(), width=80)
    for table in scores_text.tables(test):
        console.print(table)
    return "\n".join([console.file.getvalue(), *scores_text.lines(test)])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        (of_classes(), ("precision", "recall", "F1", "taken for", "calibration")),
        (of_classes(25), ("the 10 worst of 25 classes by F1", "confused most often")),
        (of_labels(), ("average precision",)),
        (of_numbers(), ("MAE", "RMSE", "largest errors")),
    ],
)
def test_tables_fit_eighty_columns(answers: Answers, words: tuple[str, ...]) -> None:
    test = {**scores(answers), "mistakes": [{**vars(one), "name": None} for one in mistakes(answers)]}
    text = shown(test)
    assert all(word in text for word in words)
    assert max(map(len, text.splitlines())) <= 80


def test_a_spreadsheet_has_a_row_a_class_and_the_confusion_matrix_beside_it() -> None:
    answers = of_classes(3)
    lines = csv_text(scores_text.rows(scores(answers))).splitlines()
    assert lines[0] == "class,images,precision,recall,f1,taken for a,taken for b,taken for c"
    assert [int(cell) for cell in lines[1].split(",")[5:]] == scores(answers)["confusion"][0]


def test_no_cell_of_a_spreadsheet_is_a_formula() -> None:
    assert csv_text([["=1+1", "+a", "-b", "@c", "e", -1.5, None]]) == "'=1+1,'+a,'-b,'@c,e,-1.5,"
