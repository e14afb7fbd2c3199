"""Several devices, or several processes, that share each batch come to what one comes to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.distribution import portion
from archbuilder.training.run.folder import Run
from archbuilder.training.start import Start
from archbuilder.training.tensorflow.distribution import Distribution
from tests.processes import python
from tests.training.runs import measured, stop_at, weights

# Dropout is drawn by each replica, so that it is not what one process draws.
SHORT = ["training.stop.epochs=2", "head.1={dropout: {rate: 0}}"]
SYNCHRONISED = [*SHORT, "training.synchronise_norms=true"]
# The last batch of an epoch is one image, so that a replica has none; a small epsilon would let Adam show rounding.
OTHER = [
    *SYNCHRONISED, "training.batch_size=431", "training.optimizer={adam: {epsilon: 0.001}}", "training.weight_decay={decoupled: 0.01}", "training.clip={norm: 0.5}",
    "training.moving_average={decay: 0.9}", "training.learning_rate={constant: {rate: 0.003}}",
    "training.class_weights={3: 2, 7: 0.5}", "training.sampling=balanced", "training.freeze=[stem]",
    "training.rate_factors={head: 3}",
]  # fmt: skip
CASES = {
    "synchronised": SYNCHRONISED,
    "other": OTHER,
    "own": SHORT,
    "xla": [*SHORT, "training.xla=true"],
    "parts": [*SHORT, "training.accumulate=3", "training.precision=mixed_float16"],
}

TWO_DEVICES = """
import json, sys
import tensorflow as tf

[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from pathlib import Path
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.start import Start
from archbuilder.training.tensorflow.distribution import Distribution

distribution = Distribution(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
spec, folder, cases = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])
for name, edits in cases.items():
    loop.train(load(spec, edits), Start(out=folder / name), distribution=distribution)
loop.resume(folder / "stopped", distribution=distribution)
"""


@pytest.fixture(scope="module")
def folder(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of all cases on two devices, and one that was begun on one and ended on two."""
    folder = tmp_path_factory.mktemp("two")
    stop_at(load(tiny, SYNCHRONISED), 2, folder / "stopped")
    done = python("-W", "ignore", "-c", TWO_DEVICES, tiny, folder, json.dumps(CASES))
    assert done.returncode == 0, done.stderr
    return folder


def alone(tiny: Path, case: str, out: Path) -> Run:
    return loop.train(load(tiny, CASES[case]), Start(out=out), distribution=Distribution())


@pytest.fixture(scope="module")
def synchronised(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return alone(tiny, "synchronised", tmp_path_factory.mktemp("one"))


def assert_near(run: Run, other: Run, tolerance: float = 1e-3) -> None:
    expected, found = weights(other, "final"), weights(run, "final")
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, atol=tolerance, err_msg=name)
    for line, found_line in zip(measured(other), measured(run), strict=True):
        assert found_line == pytest.approx(line, abs=tolerance)


def test_two_devices_do_what_one_does(synchronised: Run, tiny: Path, folder: Path, tmp_path: Path) -> None:
    assert_near(Run(folder / "synchronised"), synchronised)
    assert_near(Run(folder / "other"), alone(tiny, "other", tmp_path))


def test_norms_that_are_not_synchronised_see_half_a_batch(tiny: Path, folder: Path, tmp_path: Path) -> None:
    """Their moving statistics are means over both; the weights go another way, but not far."""
    one, two = alone(tiny, "own", tmp_path), Run(folder / "own")
    with pytest.raises(AssertionError):
        assert_near(two, one)
    assert_near(two, one, 0.1)


def test_two_devices_train_alike_with_xla(folder: Path) -> None:
    assert_near(Run(folder / "xla"), Run(folder / "own"))
    assert measured(Run(folder / "xla")) != measured(Run(folder / "own"))


def test_a_batch_in_parts_on_two_devices_learns(folder: Path) -> None:
    first, second = Run(folder / "parts").metrics()
    assert second["loss"] < first["loss"]


def test_a_run_goes_on_with_another_number_of_devices(synchronised: Run, folder: Path) -> None:
    assert_near(Run(folder / "stopped"), synchronised)


@pytest.mark.parametrize(("count", "parts"), [(10, 4), (3, 5), (1, 2)])
def test_portions_are_all_there_is(count: int, parts: int) -> None:
    bounds = [portion(count, parts, index) for index in range(parts)]
    assert [index for start, end in bounds for index in range(start, end)] == list(range(count))
