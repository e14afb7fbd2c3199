"""What needs more memory than there is is refused before it is built; what fits is not."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from archbuilder.errors import ArchbuilderError
from archbuilder.expansion.expansion import expand
from archbuilder.spec import load, load_text
from archbuilder.training.memory import NO_GRADIENTS, Need, images_at_once
from archbuilder.training.setup import prepare
from tests.conftest import TINY, Call

GIB = 2**30
GROUPED = "stem=[{conv: {filters: 1000000, kernel: 1}}, {conv: {filters: 1000000, kernel: 1, groups: 1000000}}]"
LARGE_HEAD = (
    "head=[global_average_pool, {dense: {units: 1000000}}, {dense: {units: 2000}}, {dense: {units: 10}}, softmax]"
)


@pytest.fixture(autouse=True)
def eight_gib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archbuilder.machine.hardware.memory", lambda: 8 * GIB)


@pytest.mark.parametrize(
    ("edits", "way_out"),
    [
        ((GROUPED,), ": try --set training.batch_size=8"),
        ((GROUPED, "training.accumulate=4"), ": try --set training.batch_size=32"),
        ((GROUPED, "training.precision=mixed_bfloat16"), ": try --set training.batch_size=16"),
        ((LARGE_HEAD,), ", whatever the batch size is"),
    ],
)
def test_a_training_is_refused_with_a_batch_size_only_where_one_helps(
    edits: tuple[str, ...], way_out: str, call: Call, tiny: Path, tmp_path: Path
) -> None:
    done = call("train", tiny, "--out", tmp_path / "run", *(part for edit in edits for part in ("--set", edit)))
    assert done.code == 1
    assert done.err.splitlines()[-1].startswith("error: training at batch size ")
    assert done.err.endswith(f" of memory, and there are 8.0 GiB{way_out}\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("edits", "needed"),
    [
        ((LARGE_HEAD,), "to make the weights of 'small/tiny' takes "),
        ((LARGE_HEAD, "stages=[]"), "to make the weights of 'small/tiny' takes "),
        (("input=[16384, 16384, 1]",), "one image on its way through 'small/tiny' takes "),
        (("stem=[{conv: {filters: 1000000, kernel: 1}}]", "input=[64, 64, 1]"),
         "one image on its way through 'small/tiny' takes "),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [("--check",), ("-o", "x.keras")])
def test_a_model_is_refused_that_is_too_large(
    edits: tuple[str, ...], needed: str, command: tuple[str, ...], call: Call, tiny: Path
) -> None:
    done = call("build", tiny, *command, *(part for edit in edits for part in ("--set", edit)))
    assert done.code == 1
    assert done.err.startswith(f"error: {needed}")
    assert done.err.endswith(" of memory, and there are 8.0 GiB\n")


def test_images_are_evaluated_as_many_at_once_as_fit() -> None:
    small = expand(load_text(TINY, "tiny.yaml"))
    assert images_at_once(small) == 256
    large = expand(load("torchvision/resnet50", ["input=[2048, 2048, 3]"]))
    assert images_at_once(large) == 4


def test_a_batch_is_no_larger_than_the_images_are_many() -> None:
    need = Need.of(prepare(load_text(TINY, "tiny.yaml", ["training.batch_size=1000000"]), None))
    assert need.batch_size == 1_290
    need.require()


def test_momentum_and_averages_take_memory_too() -> None:
    def weights(*edits: str) -> int:
        return Need.of(prepare(load_text(TINY, "tiny.yaml", edits), None)).weights

    graph = expand(load_text(TINY, "tiny.yaml"))
    adam = ("training.optimizer=adam", "training.weight_decay=null")
    assert weights(*adam) - weights() == 4 * graph.trainable
    assert weights("training.moving_average={decay: 0.9}") - weights() == 4 * graph.parameters


@pytest.mark.parametrize("text", NO_GRADIENTS)
def test_convolutions_that_the_processor_does_not_train_are_named(text: str) -> None:
    with pytest.raises(ArchbuilderError, match="no gradients of dilated convolutions"), Need(1, 1, 1, 1).told():
        raise tf.errors.InvalidArgumentError(None, None, f"CPU {text} larger than 1.")
    with pytest.raises(tf.errors.InvalidArgumentError), Need(1, 1, 1, 1).told():
        raise tf.errors.InvalidArgumentError(None, None, "another")
