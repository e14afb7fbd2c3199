"""The networks of torchvision, timm and keras.applications are the same function: their files, loaded, give their logits.

What they said is in `reference/`, so that neither library is needed: see `reference/make.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np
import pytest

import archbuilder
from archbuilder.graph.ops import Norm
from archbuilder.weights.transfer import transfer
from tests.weights.reference.drawing import difference, images, told
from tests.weights.reference.rows import ROWS, Row

TOLERANCE = 1e-5
MUCH, LITTLE = 900, 300
"""The work above and up to which a network is tried more seldom and more often."""
OURS = [row for row in ROWS if row.spec in archbuilder.bundled() or isinstance(row.source, Path)]
BY_NAME = {row.name: row for row in OURS}


POOL = "stem=[{conv: {filters: 64, kernel: 7, stride: 2}}, {max_pool: {size: 3, stride: 2, padding: symmetric}}]"
"""Behind no activation there are negative values, which zeros beat and padding does not."""


def rows(work: int) -> list[object]:
    """All rows; those that make more work are slow."""
    return [pytest.param(row, id=row.name, marks=[pytest.mark.slow] * (row.work > work)) for row in OURS]


def edits(row: Row) -> list[str]:
    return [f"input={row.input}"]


def apart(row: Row, suffix: str, folder: Path, *more: str) -> float:
    """How far our logits are from the library's."""
    model = archbuilder.build(row.source, [*edits(row), *more], weights=row.write(folder, suffix, row.weights()))
    logits = keras.Model(model.inputs[0], model.layers[-1].input)(images(*row.input[:2]), training=False)
    return difference(told(np.asarray(logits)), row.expected)


@pytest.fixture(autouse=True)
def forgetful() -> Iterator[None]:
    """Frees the models of a test."""
    yield
    keras.backend.clear_session()


def test_each_network_of_a_library_has_a_row() -> None:
    of_libraries = {name for name in archbuilder.bundled() if name.startswith(("torchvision/", "keras_applications/"))}
    assert of_libraries <= {row.spec for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_wrong_function_would_show(row: Row) -> None:
    first, second = row.expected
    assert difference(first, second) > 1000 * TOLERANCE


@pytest.mark.parametrize("row", rows(MUCH))
def test_same_function(row: Row, tmp_path: Path) -> None:
    """Through each format by turns that needs no other library."""
    formats = [suffix for suffix in row.formats if suffix != ".pth"]
    assert apart(row, formats[OURS.index(row) % len(formats)], tmp_path) < TOLERANCE


@pytest.mark.parametrize("row", rows(LITTLE))
def test_each_format_gives_the_same_weights(row: Row, tmp_path: Path) -> None:
    graph, weights = archbuilder.expand(row.source, edits(row)), row.weights()
    first, *others = row.formats
    expected = transfer(row.write(tmp_path, first, weights), graph).arrays()
    for suffix in others:
        if suffix == ".pth":
            pytest.importorskip("torch")
        found = transfer(row.write(tmp_path, suffix, weights), graph).arrays()
        assert found.keys() == expected.keys()
        for node, arrays in found.items():
            for part, array in arrays.items():
                np.testing.assert_array_equal(array, expected[node][part], err_msg=f"{suffix}: {node}/{part}")


@pytest.mark.parametrize("row", OURS, ids=lambda row: row.name)
def test_same_norms_and_counts(row: Row) -> None:
    """Epsilons have too few digits to show in an output, and momenta show in none."""
    graph = archbuilder.expand(row.source)
    found = {"trainable": graph.trainable, "total": graph.parameters, "macs": round(graph.macs / 1e9, 3)}
    assert {key: found[key] for key in row.counts} == row.counts
    norms = {(node.op.epsilon, node.op.momentum) for node in graph.nodes if isinstance(node.op, Norm)}
    assert norms >= set(map(tuple, row.norms))


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("torchvision/resnet18", "defaults.conv.padding=same"),
        ("keras_applications/resnet50v2", POOL),
    ],
)
def test_another_padding_is_another_function(name: str, edit: str, tmp_path: Path) -> None:
    row = BY_NAME[name]
    assert apart(row, row.formats[0], tmp_path, edit) > 100 * TOLERANCE
