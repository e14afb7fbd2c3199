"""Fine-tuning: training begins with the weights of a file, and frozen parts keep theirs."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from archbuilder.errors import MissingError, StoppedError, UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.keras_model.build import build_model
from archbuilder.spec import Spec, load_text
from archbuilder.training import loop
from archbuilder.training.freezing import freeze, freeze_norms
from archbuilder.training.reporting.progress import Pulse, Reporter
from archbuilder.training.run.folder import Run
from archbuilder.training.start import Start
from archbuilder.training.tensorflow.forward import Forward
from archbuilder.weights.choices import Choices
from tests.weights.conftest import graph, torch_state, write_safetensors

TRAINED = """\
archbuilder: 1
name: tuned
input: [8, 8, 1]
stem: [{conv: {filters: 4, kernel: 3, bias: true}}, norm, relu]
unit: basic
shortcut: projection
stages: [{units: 1, filters: 4}, {units: 1, filters: 6, stride: 2}]
head: [global_average_pool, {dense: {units: 10}}, softmax]
training:
  data: {source: digits, validation: {holdout: 0.1}}
  batch_size: 128
  stop: {epochs: 2}
  optimizer: {sgd: {momentum: 0.9}}
  weight_decay: {coupled: 5e-2, kinds: [conv, dense, norm, bias]}
  learning_rate: {constant: {rate: 0.05}}
"""
POST = """\
archbuilder: 1
name: post
input: [8, 8, 3]
defaults: {conv: {bias: true}}
stem: [{conv: {filters: 4, kernel: 3}}, norm, relu]
unit: basic
shortcut: projection
stages: [{units: 4, filters: 4}, {units: 4, filters: 6, stride: 2}]
head: [global_average_pool, {dense: {units: 5}}]
"""
PRE = POST.replace("kernel: 3}}, norm, relu]", "kernel: 3}}]").replace("basic", "preactivated_basic").replace(
    "[global", "[norm, relu, global"
)  # fmt: skip


def spread(model: keras.Model) -> keras.Model:
    random = np.random.default_rng(0)
    for variable in model.variables:
        variable.assign(random.uniform(0.2, 1, variable.shape) - 0.5 * (len(variable.shape) > 1))
    return model


@pytest.mark.parametrize("shortest_loop", [2, 99])
@pytest.mark.parametrize(
    ("text", "parts"),
    [(POST, ["stem", "stage1"]), (POST, ["stage1/unit3", "stage2/unit4"]), (PRE, ["stage1", "stage2/unit2", "head"])],
)
def test_frozen_parts_are_what_keras_makes_of_them(text: str, parts: list[str], shortest_loop: int) -> None:
    """Outputs, moving statistics and gradients, in a training iteration."""
    network = freeze_norms(graph(text=text), parts)
    ours, twin = spread(build_model(network)), spread(build_model(network))
    for model in (ours, twin):
        freeze(model, network, parts)
    forward, images = (
        Forward(network, ours, shortest_loop=shortest_loop),
        np.random.default_rng(1).normal(size=(5, 8, 8, 3)),
    )
    with tf.GradientTape() as tape:
        result = forward.logits(tf.constant(images, tf.float32), training=True)
        loss = tf.reduce_mean(result**2)
    with tf.GradientTape() as twin_tape:
        expected = twin(images, training=True)
        twin_loss = tf.reduce_mean(expected**2)
    np.testing.assert_allclose(result, expected, rtol=1e-4)
    for variable, other in zip(ours.variables, twin.variables, strict=True):
        np.testing.assert_allclose(variable.value, other.value, rtol=1e-4, atol=1e-5, err_msg=variable.path)
    assert 0 < len(forward.variables) < sum(weight.trainable for node in network.nodes for weight in node.weights)
    gradients = tape.gradient(loss, forward.variables, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    others = twin_tape.gradient(twin_loss, [variable.value for variable in twin.trainable_variables])
    for gradient, other, variable in zip(gradients, others, ours.trainable_variables, strict=True):
        tolerance = 1e-4 * float(tf.reduce_max(tf.abs(other))) + 1e-4
        np.testing.assert_allclose(gradient, other, rtol=1e-3, atol=tolerance, err_msg=variable.path)


def test_stage1_is_not_stage10() -> None:
    network = graph("stages: [{units: 2, filters: 4}, ", "stages: [" + 9 * "{units: 1, filters: 4}, ")
    frozen = freeze_norms(network, ["stage1"])
    assert network["stage10/unit1/residual/norm1"] in frozen.nodes
    assert network["stage1/unit1/residual/norm1"] not in frozen.nodes


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (["stem", "stage3"], "there is no part 'stage3' .*\n.*did you mean 'stage2'"),
        (["stage2/unit"], "did you mean 'stage2/unit"),
        ([""], "there is no part ''"),
        (["input"], "there is no part 'input' with weights"),
        (["stem", "stage1", "stage2", "head"], "nothing of small is left to train"),
    ],
)
def test_parts_that_cannot_be_frozen(parts: list[str], words: str, small: Graph) -> None:
    with pytest.raises(UsageError, match=words):
        freeze_norms(small, parts)


class Notes(Reporter):
    """Remembers what was said; stops as soon as an iteration was looked at, if it should."""

    def __init__(self, stops: bool = False) -> None:
        self.said: list[str] = []
        self.stops = stops

    def note(self, text: str) -> None:
        self.said.append(text)

    def pulse(self, pulse: Pulse) -> None:
        if self.stops:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture(scope="module")
def spec() -> Spec:
    return load_text(TRAINED, "tuned.yaml")


@pytest.fixture(scope="module")
def state(spec: Spec) -> dict[str, Any]:
    return torch_state(expand(spec)) | {"fc.weight": np.zeros((7, 6), np.float32), "fc.bias": np.zeros(7, np.float32)}


@pytest.fixture
def file(state: Mapping[str, Any], tmp_path: Path) -> Path:
    """With the weights of another number of classes."""
    return write_safetensors(tmp_path / "pretrained.safetensors", state)


PARTS = ["stem", "stage1"]


@pytest.fixture(scope="module")
def tuned(spec: Spec, state: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, list[str]]:
    """A run that was left alone, and what was said of it."""
    folder, notes = tmp_path_factory.mktemp("tuned"), Notes()
    path = write_safetensors(folder / "pretrained.safetensors", {f"net.{name}": one for name, one in state.items()})
    return loop.train(
        spec, Start(out=folder / "run", weights=path, choices=Choices(part="net"), freeze=PARTS), reporter=notes
    ), notes.said


def weights(run: Run) -> dict[str, Any]:
    return {weight.path: weight.value.numpy() for weight in run.model("final").weights}


def test_frozen_parts_keep_all_their_weights_and_the_others_learn(
    spec: Spec, state: Mapping[str, Any], tuned: tuple[Run, list[str]]
) -> None:
    run, notes = tuned
    given = build_model(expand(spec))
    from archbuilder.weights.transfer import transfer

    path = Path(run.environment["weights"]["path"])
    assert run.environment["weights"]["choices"] == {"assume_order": False, "adapt_stem": False, "part": "net"}
    transfer(path, expand(spec), Choices(part="net")).apply(given)
    before, after = {one.path: one.value.numpy() for one in given.weights}, weights(run)
    same = {path for path, array in before.items() if np.array_equal(array, after[path])}
    assert same == {path for path in before if path.startswith(("stem.", "stage1."))}
    assert any("moving_mean" in path for path in same)
    assert notes[0] == f"weights of 12 layers from {path}, matched by the names of its layers"
    assert notes[1] == "the file has 7 classes instead of 10: head/dense1 is left fresh"
    assert notes[2].startswith("the spec does not say how the weights of ")
    assert notes[3].startswith("stem, stage1 frozen: 670 parameters are trained")
    assert run.environment["frozen"] == PARTS


def test_resuming_is_exact_and_needs_no_file(
    spec: Spec, file: Path, tuned: tuple[Run, list[str]], tmp_path: Path
) -> None:
    whole, _ = tuned
    with pytest.raises(StoppedError):
        loop.train(spec, Start(out=tmp_path / "run", weights=file, freeze=PARTS), reporter=Notes(stops=True))
    file.unlink()
    run = Run.open(tmp_path / "run")
    first, last = run.checkpoints(3).paths()
    assert first.name == "iteration-00000000"
    shutil.rmtree(last)  # as if it had been killed before
    found = weights(loop.resume(run.folder))
    for path, array in weights(whole).items():
        np.testing.assert_array_equal(found[path], array, err_msg=path, strict=True)


def test_a_run_without_its_first_weights_does_not_begin_with_others(spec: Spec, file: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        loop.train(spec, Start(out=tmp_path / "run", weights=file), reporter=Notes(stops=True))
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    with pytest.raises(MissingError, match="its first weights came from"):
        loop.resume(tmp_path / "run")


def test_weights_that_do_not_fit_leave_no_run(spec: Spec, tmp_path: Path) -> None:
    path = write_safetensors(tmp_path / "x.safetensors", {"conv1.weight": np.zeros((4, 3, 3, 3), np.float32)})
    with pytest.raises(
        Exception, match=r"does not fit: conv1\.weight 4x3x3x3 \(here 3x3x3x4\), for stem/conv1/kernel 3x3x1x4"
    ):
        loop.train(spec, Start(out=tmp_path / "run", weights=path))
    assert not (tmp_path / "run").exists()
