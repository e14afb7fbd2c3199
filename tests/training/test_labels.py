"""Several labels and numbers on the whole way: learned, resumed, measured, predicted, drawn and summed up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from archbuilder.cli.predict import command
from archbuilder.errors import SpecError, UsageError
from archbuilder.spec import Spec, load
from archbuilder.training import loop
from archbuilder.training.contact_sheet import draw
from archbuilder.training.evaluation import evaluate
from archbuilder.training.prediction import predict
from archbuilder.training.reporting.notebook import run_html
from archbuilder.training.run.folder import Run
from archbuilder.training.setup import prepare
from archbuilder.training.start import Start
from archbuilder.training.sweep import train_seeds
from tests.training.runs import assert_same, figures, stop_at

NAMES = ("left", "right")
SHORT = [
    "training.data.source=npz", "training.stop.epochs=3", "training.batch_size=64",
    "training.learning_rate={constant: {rate: 0.1}}", "training.augment=[mixup]", "head.1={dropout: {rate: 0}}",
]  # fmt: skip
KINDS = {
    "labels": [*SHORT, "training.loss=binary_cross_entropy", "head=[global_average_pool, {dense: {units: 2}}, sigmoid]"],
    "two classes": [*SHORT, "training.loss=binary_cross_entropy", "head=[global_average_pool, {dense: {units: 1}}, sigmoid]",
                    "training.class_weights={left: 2, right: 0.5}", "training.sampling=balanced"],
    "numbers": [*SHORT, "training.loss=huber", "head=[global_average_pool, {dense: {units: 2}}]"],
}  # fmt: skip


def write_archive(path: Path, kind: str) -> Path:
    """Images whose halves are bright or dark; the labels say which are bright, or how bright they are."""
    random, arrays = np.random.default_rng(0), {"classes": np.array(NAMES)}
    for part, count in (("train", 300), ("test", 60)):
        bright = (
            random.integers(0, 2, (count, 2))
            if kind != "two classes"
            else np.eye(2, dtype=int)[np.arange(count) % 5 % 2]
        )
        halves = np.repeat(bright[:, None, :], 4, 2).repeat(8, 1) * 150
        arrays[f"x_{part}"] = (halves + random.integers(0, 100, (count, 8, 8))).astype(np.uint8)
        of_kind = {"labels": bright, "two classes": bright[:, 1], "numbers": 40 + 30.0 * bright}
        arrays[f"y_{part}"] = of_kind[kind]
    np.savez(path, allow_pickle=False, **arrays)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("labels")


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def data(kind: str, folder: Path) -> Path:
    return write_archive(folder / f"{kind}.npz", kind)


@pytest.fixture(scope="module")
def spec(kind: str, tiny: Path) -> Spec:
    return load(tiny, KINDS[kind])


@pytest.fixture(scope="module")
def run(kind: str, spec: Spec, data: Path, folder: Path) -> Run:
    return loop.train(spec, Start(data=data, out=folder / kind))


def test_resumed_bit_for_bit(spec: Spec, data: Path, run: Run, tmp_path: Path) -> None:
    stop_at(spec, 2, tmp_path / "stopped", data=data)
    assert_same(loop.resume(tmp_path / "stopped"), run)


def expected_of(run: Run, data: Path) -> tuple[Any, Any]:
    """What Keras' own prediction comes to, in the units of the labels, beside these."""
    with np.load(data) as archive:
        pixels, labels = archive["x_test"][..., None], archive["y_test"]
    answers = run.model().predict(run.normaliser(pixels), verbose=0)
    if scaling := run.environment["data"].get("scaling"):
        answers = answers * scaling["deviation"] + scaling["mean"]
    return answers, labels.reshape(len(labels), -1)


def test_a_run_is_measured_as_keras_predicts(kind: str, run: Run, data: Path) -> None:
    answers, labels = expected_of(run, data)
    found = evaluate([run])["test"]
    if kind == "numbers":
        assert found["mae"] == pytest.approx(np.abs(answers - labels).mean(), rel=1e-4)
        assert found["rmse"] == pytest.approx(np.sqrt(np.square(answers - labels).mean()), rel=1e-4)
        assert found["mae"] < 15  # that of the mean
    else:
        assert found["accuracy"] == pytest.approx(((answers > 0.5) == labels).mean())
        assert found["accuracy"] > 0.5


def test_a_run_shows_its_metric_in_a_notebook(kind: str, run: Run) -> None:
    metric = "mae" if kind == "numbers" else "accuracy"
    assert f"test {metric}" in run_html(run)
    assert f"validation {metric}" in run_html(run)


def test_the_mean_of_two_networks_is_measured(kind: str, run: Run) -> None:
    """Twice the same is the same."""
    measured = evaluate([run, run])
    assert figures(measured["ensemble"]["test"]) == pytest.approx(figures(measured["runs"][0]["test"]), rel=1e-4)


def test_images_are_predicted(kind: str, run: Run, data: Path, tmp_path: Path) -> None:
    with np.load(data) as archive:
        Image.fromarray(archive["x_test"][0]).save(tmp_path / "image.png")
    [answer], _ = (some[:1] for some in expected_of(run, data))
    [found] = predict(run, [tmp_path / "image.png"])
    if kind == "numbers":
        told, expected = {one.name: one.number for one in found.numbers}, answer
    else:
        told = {one.name: one.probability for one in found.classes}
        expected = [1 - answer[0], answer[0]] if kind == "two classes" else answer
    assert told == pytest.approx(dict(zip(NAMES, expected, strict=True)), rel=1e-4)
    printed = CliRunner().invoke(command, [str(run.folder), str(tmp_path / "image.png"), "--json"]).stdout
    [facts] = json.loads(printed)
    assert facts.keys() == {"image", "problem", "bits", "numbers" if kind == "numbers" else "classes"}


def test_a_sheet_shows_what_is_learned(spec: Spec, data: Path) -> None:
    assert draw(prepare(spec, data), 3, 2).size == (6 + 3 * 102, draw(prepare(spec, data), 3, 1).height)


@pytest.mark.parametrize("kind", ["numbers"], indirect=True)
def test_seeds_are_summed_up_by_what_was_measured(spec: Spec, data: Path, run: Run, tmp_path: Path) -> None:
    summary = train_seeds(spec, (0,), Start(data=data, out=tmp_path / "seeds", epochs=3)).summary
    assert summary is not None
    assert summary["test_mae"]["final"]["mean"] == (run.result or {})["final"]["test_mae"]
    assert "test_error" not in summary


WRONG = [
    ("labels", ["training.loss=cross_entropy", "head.2=softmax"], "one-hot.*binary_cross_entropy.*several labels"),
    ("numbers", ["training.loss=cross_entropy"], "one-hot.*mean_squared_error.*numbers"),
    ("labels", ["head.1.dense.units=3"], "ends in 3, but labels has 2 labels"),
    ("labels", ["training.class_weights=balanced"], "'class_weights' goes by the class.*several labels"),
    ("two classes", ["training.class_weights={up: 2}"], "two classes has no class 'up': left, right"),
    ("two classes", ["training.class_weights=[1, 2, 3]"], "3 weights for two classes, which has 2 classes"),
]


@pytest.mark.parametrize(("name", "edits", "message"), WRONG)
def test_what_does_not_fit_the_data_is_told(
    name: str, edits: list[str], message: str, tiny: Path, tmp_path: Path
) -> None:
    data = write_archive(tmp_path / f"{name}.npz", name)
    with pytest.raises(SpecError, match=message):
        prepare(load(tiny, [*KINDS[name], *edits]), data)


def test_networks_of_other_losses_make_no_ensemble(tiny: Path, tmp_path: Path) -> None:
    data = write_archive(tmp_path / "data.npz", "two classes")
    ends = {
        "softmax": [*SHORT, "head=[global_average_pool, {dense: {units: 2}}, softmax]"],
        "sigmoid": KINDS["two classes"],
    }
    runs = [
        loop.train(load(tiny, edits), Start(data=data, out=tmp_path / name, epochs=1)) for name, edits in ends.items()
    ]
    with pytest.raises(UsageError, match=r"same loss and outputs: cross_entropy of 2 and binary_cross_entropy of 1"):
        evaluate(runs)
