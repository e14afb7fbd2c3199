"""A classifier that is not series-parallel trains, is frozen in parts, predicts and resumes bit for bit."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from archbuilder.errors import SpecError
from archbuilder.graph.network import Graph
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.run.folder import Run
from archbuilder.training.start import Start
from tests.graphs import Draft, conv, exchange
from tests.processes import python
from tests.training.runs import assert_same, stop_at, weights


def stand_in(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    """Has every spec expand to a graph that was made by hand."""
    for module in ("archbuilder.linting.recipe", "archbuilder.training.run.folder"):
        monkeypatch.setattr(f"{module}.expand", lambda spec: graph)


def test_resumed_bit_for_bit(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(exchange(channels=1), monkeypatch)
    spec = load(tiny, ["training.stop.epochs=3"])
    stop_at(spec, 2, tmp_path / "stopped")
    assert Run.open(tmp_path / "stopped").result is None
    assert_same(loop.resume(tmp_path / "stopped"), loop.train(spec, Start(out=tmp_path / "whole")))


def test_frozen_parts_stay(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(exchange(channels=1), monkeypatch)
    spec = load(tiny, ["training.stop.epochs=1"])
    first = loop.train(spec, Start(out=tmp_path / "first"))
    first.model("final").save(tmp_path / "first.keras")
    begun = Start(out=tmp_path / "frozen", weights=tmp_path / "first.keras", freeze=["stage1/unit1"])
    frozen = loop.train(spec, begun)
    before, after = weights(first, "final"), weights(frozen, "final")
    for name, value in before.items():
        assert np.array_equal(value, after[name]) is ("stage1.unit1" in name), name


ON_JAX = """
import sys
from pathlib import Path
from unittest.mock import patch
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.start import Start
from tests.graphs import exchange
from tests.training.runs import Notes
graph, spec = exchange(units=1, channels=1), load(sys.argv[1], ["training.stop.epochs=2"])
def kill():
    raise KeyboardInterrupt
with patch("archbuilder.linting.recipe.expand", lambda spec: graph), \\
     patch("archbuilder.training.run.folder.expand", lambda spec: graph):
    loop.train(spec, Start(out=Path("whole")))
    try:
        loop.train(spec, Start(out=Path("killed")), reporter=Notes(2, kill))
    except KeyboardInterrupt:
        loop.resume(Path("killed"))
"""


@pytest.mark.slow
@pytest.mark.skipif(find_spec("jax") is None, reason="JAX is an extra")
def test_resumed_bit_for_bit_on_jax(tiny: Path, tmp_path: Path) -> None:
    path = str(Path(__file__).parents[2])
    environment = {**os.environ, "KERAS_BACKEND": "jax", "PYTHONPATH": path}
    done = python("-c", ON_JAX, tiny, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    whole, killed = (np.load(max((tmp_path / run).glob("checkpoints/*/state.npz"))) for run in ("whole", "killed"))
    assert sorted(whole) == sorted(killed)
    for name in whole:
        np.testing.assert_array_equal(whole[name], killed[name], err_msg=name)


MANY = "the network has 2 outputs, stem/conv1 (8x8x4) and head/conv1 (8x8x2): only one can be trained"
IMAGE = "the output head/conv1 is 8x8x2: what can be trained is one number for each class"


@pytest.mark.parametrize(("outputs", "message"), [(2, MANY), (1, IMAGE)])
def test_maps_are_refused(
    outputs: int, message: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = Draft(8, 8, 1)
    ends = [draft.add("stem", conv(4)), draft.add("head", conv(2))]
    stand_in(draft.graph(*ends[-outputs:]), monkeypatch)
    with pytest.raises(SpecError) as caught:
        loop.train(load(tiny), Start(out=tmp_path / "run"))
    assert [one.message for one in caught.value.diagnostics] == [message]
    assert not (tmp_path / "run").exists()
