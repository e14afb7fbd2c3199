"""What networks are worth, alone and together, and that training knows nothing of the images that say so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archbuilder.data.load import load_data
from archbuilder.errors import UsageError
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.evaluation import evaluate
from archbuilder.training.run.folder import Run
from archbuilder.training.start import Start

TOLERANCE = 1e-5


def write_npz(path: Path, classes: int = 10, test_seed: int = 1) -> Path:
    """Patterns of 8x8 pixels, a class each, in noise; the test images depend on their seed alone."""
    patterns = np.random.default_rng(0).integers(0, 128, (classes, 8, 8, 1))

    def images(seed: int, count: int) -> tuple[Any, Any]:
        random = np.random.default_rng(seed)
        labels = random.permutation(np.arange(count) % classes).astype(np.int32)
        return (patterns[labels] + random.integers(0, 128, (count, 8, 8, 1))).astype(np.uint8), labels

    (x_train, y_train), (x_test, y_test) = images(2, 200), images(test_seed, 60)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


def train(tiny: Path, data: Path, out: Path, *edits: str) -> Run:
    given = ["training.data.source=npz", "training.stop.epochs=2", "training.batch_size=32", *edits]
    return loop.train(load(tiny, given), Start(data=data, out=out))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def data(folder: Path) -> Path:
    return write_npz(folder / "data.npz")


@pytest.fixture(scope="module")
def first(tiny: Path, data: Path, folder: Path) -> Run:
    return train(tiny, data, folder / "first")


@pytest.fixture(scope="module")
def wider(tiny: Path, data: Path, folder: Path) -> Run:
    return train(tiny, data, folder / "wider", "stages.0.filters=12", "training.seed=5")


def test_an_ensemble_averages_the_probabilities_of_its_networks(first: Run, wider: Run, data: Path) -> None:
    measured = evaluate([first, wider])
    assert measured["runs"] == [evaluate([first]), evaluate([wider])]
    with np.load(data) as archive:
        pixels, labels = archive["x_test"], archive["y_test"]
    predicted = [run.model("best").predict(run.normaliser(pixels), verbose=0) for run in (first, wider)]
    mean = np.mean(predicted, axis=0)
    ensemble = measured["ensemble"]["test"]
    assert ensemble["images"] == 60
    assert ensemble["accuracy"] == (mean.argmax(1) == labels).mean()
    assert ensemble["loss"] == pytest.approx(-np.log(mean[np.arange(60), labels]).mean(), rel=TOLERANCE)
    assert ensemble["loss"] < np.mean([run["test"]["loss"] for run in measured["runs"]])


def test_images_that_networks_take_alike_are_read_once(first: Run, wider: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []

    def counted(*arguments: Any) -> Any:
        read.append(arguments)
        return load_data(*arguments)

    monkeypatch.setattr("archbuilder.training.evaluation.load_data", counted)
    evaluate([first, wider, first])
    assert len(read) == 1


def test_runs_of_other_data_make_no_ensemble(first: Run, tiny: Path, tmp_path: Path, data: Path) -> None:
    other = train(tiny, write_npz(tmp_path / "other.npz", test_seed=7), tmp_path / "other", "training.stop.epochs=1")
    with pytest.raises(UsageError, match="do not have the same data: the fingerprints are"):
        evaluate([first, other])
    measured = evaluate([first, other], data)
    assert "validation" in measured["runs"][0]
    assert "validation" not in measured["runs"][1]
    assert measured["ensemble"]["test"]["images"] == 60


def test_runs_of_other_classes_make_no_ensemble(first: Run, tiny: Path, tmp_path: Path) -> None:
    data = write_npz(tmp_path / "six.npz", classes=6)
    six = train(tiny, data, tmp_path / "six", "head.2.dense.units=6", "training.stop.epochs=1")
    with pytest.raises(UsageError, match="do not have the same classes"):
        evaluate([first, six], data)


def test_all_images_of_other_data_are_measured_where_none_are_set_apart(first: Run, data: Path, tmp_path: Path) -> None:
    """Some of its classes are missing there; they are counted as the run counts them."""
    with np.load(data) as arrays:
        chosen = arrays["y_test"] >= 4
        names = np.array([str(number) for number in range(4, 10)])
        np.savez(tmp_path / "few.npz", x=arrays["x_test"][chosen], y=arrays["y_test"][chosen] - 4, classes=names)
    found = evaluate([first], tmp_path / "few.npz")
    assert found["test"]["images"] == chosen.sum()
    assert [row["images"] for row in found["test"]["classes"][:5]] == [
        0,
        0,
        0,
        0,
        (first.predictions().labels == 4).sum(),
    ]
    assert found["test"]["accuracy"] == (first.predictions().classes == first.predictions().labels)[chosen].mean()
    assert any("none are set apart there" in note for note in found["notes"])
    assert "validation" not in found


def test_data_that_changed_where_it_lies_keeps_its_test_images_apart(
    tiny: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whatever path it is named: most of its images were learned from."""
    monkeypatch.chdir(tmp_path)
    with np.load(data) as arrays:
        x, y = arrays["x_train"], arrays["y_train"]
    np.savez("flat.npz", x=x, y=y)
    run = train(tiny, Path("flat.npz"), tmp_path / "run", "training.data.test={holdout: 0.2}", "training.stop.epochs=1")
    np.savez("flat.npz", x=x[:190], y=y[:190])
    assert [evaluate([run], path)["test"]["images"] for path in (None, Path("flat.npz"))] == [38, 38]


def test_other_classes_and_labels_are_refused(first: Run, data: Path, tmp_path: Path) -> None:
    with np.load(data) as arrays:
        np.savez(tmp_path / "a.npz", x=arrays["x_test"], y=arrays["y_test"], classes=np.array(list("abcdefghij")))
        np.savez(tmp_path / "b.npz", x=arrays["x_test"], y=np.eye(10)[arrays["y_test"]] + 0.5)
    with pytest.raises(UsageError, match=r"are not those of the run in .*: a, b, c"):
        evaluate([first], tmp_path / "a.npz")
    with pytest.raises(UsageError, match=r"b\.npz"):
        evaluate([first], tmp_path / "b.npz")


def test_training_knows_nothing_of_the_test_set(first: Run, tiny: Path, data: Path, tmp_path: Path) -> None:
    other = train(tiny, write_npz(tmp_path / "other.npz", test_seed=7), tmp_path / "other")
    times = {"images_per_second", "seconds"}
    metrics, same = (
        [{k: v for k, v in one.items() if k not in times} for one in run.metrics()] for run in (first, other)
    )
    assert metrics == same
    for which in ("best", "final"):
        for one, twin in zip(first.model(which).weights, other.model(which).weights, strict=True):
            np.testing.assert_array_equal(one, twin)
    assert first.result != other.result


def test_the_validation_images_are_held_out_unless_the_spec_says_otherwise(tiny: Path) -> None:
    training = load(tiny, ["training.data={source: digits}"]).training
    assert training is not None
    assert (training.data.validation, training.data.held_out(1000)) == (None, 100)
