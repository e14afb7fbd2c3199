"""A finished run that goes on: as one that was longer from the start, or with a rate of its own, and resumed exactly."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import archbuilder
from archbuilder.errors import MissingError, UsageError
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.run.folder import Run
from archbuilder.training.start import Start
from tests.conftest import Call
from tests.training.runs import Notes, assert_same, measured

pytestmark = pytest.mark.faults

KEPT = [
    "training.learning_rate={steps: {initial: 0.05, unit: epochs, drops: {3: 0.01}, plateau: {combine: multiplied, "
    "patience: 1, factor: 0.5, min_change: 0.5}}}",
    "training.moving_average={decay: 0.9}", "training.optimizer={adam: {epsilon: 0.001}}", "training.weight_decay=null",
    "training.class_weights={3: 2}", "training.sampling=balanced", "training.stop.epochs=2",
]  # fmt: skip
OWN = ["training.learning_rate={cosine: {initial: 0.02, warmup: {epochs: 1}}}"]


@pytest.fixture(scope="module")
def kept(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of two epochs whose rate does not span the run."""
    return loop.train(load(tiny, KEPT), Start(out=tmp_path_factory.mktemp("legs") / "kept")).folder


@pytest.fixture
def run(kept: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(kept, tmp_path / "run"))


def test_two_legs_are_one_longer_run(run: Path, tiny: Path, tmp_path: Path) -> None:
    longer = loop.train(load(tiny, KEPT), Start(out=tmp_path / "longer", epochs=4))
    again = archbuilder.resume(run, epochs=4)
    assert isinstance(again, Run)
    assert_same(again, longer)
    assert [(leg.begins, leg.epochs, leg.set) for leg in Run.open(run).legs] == [(22, 4, [])]


def test_a_leg_with_a_rate_of_its_own_is_resumed_exactly(run: Path, tmp_path: Path) -> None:
    stopped, before = shutil.copytree(run, tmp_path / "stopped"), Run.open(run)
    spec, came_to = (run / "spec.yaml").read_bytes(), before.result
    whole = loop.resume(run, epochs=5, edits=OWN)
    rates = [line["learning_rate"] for line in whole.metrics()]
    assert rates[:2] == [0.05, 0.05]
    assert rates[2:] == pytest.approx([0.01446, 0.00585, 0.0000453], rel=1e-2)  # a warm-up, then half a cosine
    assert (run / "spec.yaml").read_bytes() == spec
    [leg] = json.loads((run / "legs.json").read_text())["legs"]
    assert (leg["set"], leg["before"]) == (OWN, came_to)

    def stop() -> None:
        raise KeyboardInterrupt

    for epoch in (3, 4):
        with pytest.raises(KeyboardInterrupt):
            loop.resume(stopped, epochs=5, edits=OWN, reporter=Notes(epoch, stop))
        assert Run.open(stopped).result is None
    assert_same(loop.resume(stopped), whole)
    assert_same(loop.resume(stopped, epochs=5, edits=OWN), whole)  # it has them already


def test_patience_waits_anew(run: Path, tiny: Path, tmp_path: Path) -> None:
    early = ["training.early_stopping={patience: 1, min_change: 1000}", "training.stop.epochs=9"]
    first = loop.train(load(tiny, [*KEPT, *early]), Start(out=tmp_path / "early"))
    assert (first.result or {})["stopped_early"] == {"epoch": 2, "iteration": 22}
    second = loop.resume(first.folder, epochs=9)
    assert (second.result or {})["stopped_early"] == {"epoch": 3, "iteration": 33}
    assert measured(second)[:2] == measured(Run.open(first.folder))[:2]


def test_in_python_edits_need_epochs(run: Path) -> None:
    with pytest.raises(UsageError, match="edits need epochs"):
        archbuilder.resume(run, edits={"training.learning_rate.constant.rate": 0.1})


def test_what_a_run_cannot_go_on_with(run: Path, tiny: Path, whole: Run, call: Call, tmp_path: Path) -> None:
    refused = {
        ("--epochs", 1): "has made 2 epochs; --epochs says how many in all",
        ("--epochs", 4, "--set", "training.batch_size=3"): "leave out --set training.batch_size=3",
        ("--set", OWN[0]): "--set beside --resume needs --epochs N",
    }
    for arguments, message in refused.items():
        code, _, err = call("train", "--resume", run, *arguments)
        assert (code, message in err) == (2, True), err
    code, out, _ = call("train", "--resume", run, "--epochs", 2)
    assert (code, "is finished" in out) == (0, True)
    code, _, err = call(
        "train", "--resume", run, "--epochs", 3, "--set", "training.learning_rate={cosine: {inital: 1}}"
    )
    assert (code, "--set:1:1: error[unknown-key]" in err) == (3, True), err
    with pytest.raises(
        UsageError, match=r"learning rate \(one_cycle\).*spanned the run.*--set 'training.learning_rate="
    ):
        loop.resume(whole.folder, epochs=9)
    assert not (run / "legs.json").exists()


def test_without_the_checkpoint_of_its_end_a_run_does_not_go_on(run: Path) -> None:
    shutil.rmtree(run / "checkpoints" / "iteration-00000022")
    with pytest.raises(MissingError, match=r"no whole checkpoint in .* of iteration 22 or later"):
        loop.resume(run, epochs=4)
    assert Run.open(run).result is not None


def test_a_run_on_its_way_has_to_arrive_first(run: Path) -> None:
    (run / "result.json").unlink()
    with pytest.raises(UsageError, match=r"is not finished: archbuilder train --resume"):
        loop.resume(run, epochs=4)


@pytest.mark.parametrize("content", ["[]", "{}", '{"legs": [{"begins": 0}]}', '{"legs": [3]}', "{"])
def test_a_file_of_legs_of_another_form_is_told(content: str, run: Path) -> None:
    (run / "legs.json").write_text(content)
    with pytest.raises(MissingError, match=r"legs\.json cannot be read"):
        loop.resume(run)
