"""An iteration is one update of the weights by the batch's gradient; an evaluation is Keras' evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from archbuilder.aliases import Precision
from archbuilder.augmentation.augmenter import Augmenter
from archbuilder.graph import ops
from archbuilder.graph.network import Graph, node
from archbuilder.keras_model.build import build_model
from archbuilder.spec.optimization import CrossEntropy
from archbuilder.training.evaluator import Evaluator
from archbuilder.training.objective import Objective
from archbuilder.training.step_settings import StepSettings, TrainingImages
from archbuilder.training.tensorflow.forward import Forward
from archbuilder.training.tensorflow.inference import logits_of
from archbuilder.training.tensorflow.step import TrainingStep

L2 = 0.01
CLASSES = 3


class PlainDescent:
    """Takes rate times gradient off each variable."""

    def __init__(self, targets: Sequence[Any]) -> None:
        self.targets = targets

    def variables(self) -> Mapping[str, Any]:
        return {}

    def apply(self, gradients: Sequence[Any], rate: Any) -> None:
        for target, gradient in zip(self.targets, gradients, strict=True):
            target.assign_sub(rate * gradient)


def network(dropout: float = 0.0, norm: bool = True) -> Graph:
    conv = ops.Conv(4, (3, 3), (1, 1), "same", (1, 1), 1, bias=False, initializer="he_normal", l2=L2)
    chain: list[ops.Op] = [
        conv, *([ops.Norm(0.9, 1e-3, zero_scale=False)] if norm else []), ops.Activation("relu"),
        ops.GlobalAveragePool(),
        ops.Dropout(dropout), ops.Dense(CLASSES, bias=True, initializer="he_normal", l2=0.0), ops.Activation("softmax"),
    ]  # fmt: skip
    nodes = [node("input", ops.Input((6, 6, 1)))]
    for op in chain:
        nodes.append(node(f"part/{len(nodes)}", op, nodes[-1:]))
    return Graph("small", tuple(nodes), (nodes[-1].name,))


def normalise(pixels: Any) -> Any:
    return tf.cast(pixels, tf.float32) / 255 - 0.5


def as_they_are(pixels: Any, labels: Any, indices: Any, epoch: Any) -> tuple[Any, Any]:
    return normalise(pixels), labels


def data(count: int = 40) -> tuple[Any, Any]:
    """Images that tell their class by where they are bright."""
    random, labels = np.random.default_rng(0), np.arange(count, dtype=np.int32) % CLASSES
    pixels = random.integers(0, 100, (count, 6, 6, 1))
    for image, label in zip(pixels, labels, strict=True):
        image[2 * label : 2 * label + 2] += 60 * (1 + label)
    return pixels.clip(0, 255).astype(np.uint8), labels


class Bench:
    """A training step over `data()` and the model that it trains."""

    def __init__(
        self,
        augment: Augmenter = as_they_are,
        dropout: float = 0.0,
        precision: Precision = "float32",
        is_streamed: bool = False,
        norm: bool = True,
        **settings: Any,
    ) -> None:
        self.pixels, self.labels = data()
        self.graph = network(dropout, norm)
        self.model = build_model(self.graph, seed=1)
        self.forward = Forward(self.graph, self.model, precision)
        self.step = TrainingStep(
            self.forward, PlainDescent(self.forward.variables),
            TrainingImages(None if is_streamed else self.pixels, self.labels, augment), StepSettings(**settings),
        )  # fmt: skip

    def run(self, indices: Sequence[int], epoch: int = 0, iteration: int = 0, rate: float = 0.0) -> dict[str, float]:
        self.step(np.array(indices, np.int32), epoch, iteration, rate)
        return self.step.read()


def test_an_iteration_is_a_step_down_the_gradient_of_loss_and_l2() -> None:
    bench, twin = Bench(), build_model(network(), seed=1)
    chosen, rate = [7, 3, 11, 30], 0.5
    with tf.GradientTape() as tape:
        probabilities = twin(normalise(bench.pixels[chosen]), training=True)
        losses = keras.losses.sparse_categorical_crossentropy(bench.labels[chosen], probabilities)
        loss = tf.reduce_mean(losses) + tf.add_n(twin.losses)
    assert len(twin.losses) == 1
    values = [variable.value for variable in twin.trainable_variables]
    for value, gradient in zip(values, tape.gradient(loss, values), strict=True):
        value.assign_sub(rate * gradient)
    read = bench.run(chosen, rate=rate)
    for variable, expected in zip(bench.model.variables, twin.variables, strict=True):
        np.testing.assert_allclose(variable.value, expected.value, atol=1e-5, err_msg=variable.path)
    right = probabilities.numpy().argmax(-1) == bench.labels[chosen]
    assert read == pytest.approx({"loss": float(np.mean(losses)), "accuracy": right.mean()}, rel=1e-5)


def test_reading_gives_means_over_images_and_starts_anew() -> None:
    bench = Bench()
    first, second = bench.run(range(30)), bench.run(range(30, 40))
    bench.step(np.arange(30, dtype=np.int32), 0, 0, 0.0)
    both = bench.run(range(30, 40))
    for name in ("loss", "accuracy"):
        assert both[name] == pytest.approx((30 * first[name] + 10 * second[name]) / 40, rel=1e-5)
    assert first["loss"] != pytest.approx(second["loss"])


def test_streamed_images_are_learned_from_like_those_in_memory() -> None:
    resident, streamed = Bench(), Bench(is_streamed=True)
    indices = np.array([3, 1, 38], np.int32)
    for bench, pixels in ((resident, []), (streamed, [resident.pixels[indices]])):
        bench.step(indices, 0, 0, 0.5, *pixels)
    for variable, expected in zip(streamed.forward.variables, resident.forward.variables, strict=True):
        np.testing.assert_array_equal(variable, expected)


def test_training_learns() -> None:
    bench = Bench()
    random = np.random.default_rng(0)
    before = bench.run(range(40))
    for iteration in range(60):
        bench.step(random.permutation(40)[:16].astype(np.int32), 0, iteration, 0.5)
    bench.step.read()
    after = bench.run(range(40))
    assert after["loss"] < before["loss"] / 2
    assert after["accuracy"] > 0.9


def test_a_smaller_last_batch_is_not_compiled_anew() -> None:
    traces: list[None] = []

    def augment(*batch: Any) -> tuple[Any, Any]:
        traces.append(None)
        return as_they_are(*batch)

    bench = Bench(augment)
    for size in (16, 16, 7, 1):
        bench.run(range(size), epoch=size, iteration=size, rate=0.1 * size)
    assert len(traces) == 1


def test_augmentation_is_told_the_images_their_indices_and_the_epoch() -> None:
    def augment(pixels: Any, labels: Any, indices: Any, epoch: Any) -> tuple[Any, Any]:
        tf.debugging.assert_equal(indices, tf.constant([5, 2]))
        tf.debugging.assert_equal(epoch, 3)
        return normalise(pixels)[::-1], labels  # and what it returns is what is learned from

    mirrored, swapped = Bench(augment), Bench()
    swapped.step.labels = tf.gather(swapped.step.labels, [*range(2), 5, 3, 4, 2])
    assert mirrored.run([5, 2], epoch=3) == pytest.approx(swapped.run([5, 2], epoch=3), rel=1e-5)
    with pytest.raises(tf.errors.InvalidArgumentError):
        mirrored.run([5, 2], epoch=4)


def test_dropout_follows_from_the_seed_and_the_iteration() -> None:
    losses = [
        Bench(dropout=0.5, seed=seed).run(range(40), iteration=iteration)["loss"]
        for seed, iteration in [(0, 0), (0, 0), (0, 1), (1, 0)]
    ]
    assert losses[0] == losses[1]
    assert len(set(losses)) == 3


def test_label_smoothing_is_that_of_keras() -> None:
    bench = Bench(objective=Objective(CrossEntropy(label_smoothing=0.3)))
    probabilities = bench.model(normalise(bench.pixels), training=True)
    expected = keras.losses.CategoricalCrossentropy(label_smoothing=0.3)(
        keras.ops.one_hot(bench.labels, CLASSES), probabilities
    )
    assert bench.run(range(40))["loss"] == pytest.approx(float(expected), rel=1e-5)


def test_the_first_iteration_whose_loss_is_not_finite_is_remembered() -> None:
    bench = Bench()
    bench.step(np.arange(8, dtype=np.int32), 0, 0, 0.1)
    assert bench.step.diverged is None
    bench.forward.variables[0].assign(tf.fill(bench.forward.variables[0].shape, np.nan))
    for iteration, rate in ((1, 0.25), (2, 0.5)):
        bench.step(np.arange(8, dtype=np.int32), 0, iteration, rate)
    assert bench.step.diverged == (1, 0.25)


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_takes_nearly_the_same_step(precision: Precision) -> None:
    exact, rough = Bench(), Bench(precision=precision)
    for bench in (exact, rough):
        bench.run(range(40), rate=0.5)
    for variable, expected in zip(rough.forward.variables, exact.forward.variables, strict=True):
        assert variable.dtype == tf.float32
        np.testing.assert_allclose(variable, expected, atol=0.02)


@pytest.mark.parametrize(
    ("precision", "parts", "tolerance"),
    [("float32", 1, 1e-5), ("float32", 3, 1e-5), ("mixed_bfloat16", 1, 0.02), ("mixed_float16", 1, 0.02)],
)
def test_xla_takes_the_same_steps(precision: Precision, parts: int, tolerance: float) -> None:
    plain, compiled = (Bench(precision=precision, micro_batches=parts, xla=xla) for xla in (False, True))
    for iteration, indices in enumerate((range(30), range(30, 40))):
        read, expected = (bench.run(indices, 0, iteration, rate=0.5) for bench in (compiled, plain))
        assert read == pytest.approx(expected, abs=tolerance)
    for variable, other in zip(compiled.model.variables, plain.model.variables, strict=True):
        np.testing.assert_allclose(variable.value, other.value, atol=tolerance, err_msg=variable.path)


def test_xla_compiles_network_and_gradients_alone() -> None:
    def unknown_to_xla(*values: Any) -> Any:
        return tf.ensure_shape(tf.numpy_function(np.copy, values, tf.float32), values[0].shape)

    bench = Bench(lambda pixels, labels, *_: (unknown_to_xla(normalise(pixels)), labels), xla=True)
    bench.run(range(8))
    bench = Bench(xla=True)
    logits = bench.forward.logits
    bench.forward.logits = lambda *images, **rest: unknown_to_xla(logits(*images, **rest))  # type: ignore[method-assign]
    with pytest.raises(tf.errors.InvalidArgumentError, match="XLA"):
        bench.run(range(8))


def test_float16_skips_an_iteration_that_overflows_and_scales_the_loss_down() -> None:
    bench = Bench(precision="mixed_float16")
    scale = bench.step.variables()["loss_scale"]
    scale.assign(1e30)
    weights = [variable.numpy() for variable in bench.forward.variables]
    bench.run(range(8), rate=0.5)
    for before, after in zip(weights, bench.forward.variables, strict=True):
        np.testing.assert_array_equal(before, after)
    assert float(scale) == pytest.approx(5e29)
    scale.assign(128.0)
    bench.step.variables()["sound_iterations"].assign(1999)
    bench.run(range(8), rate=0.5)
    assert not np.array_equal(weights[0], bench.forward.variables[0])
    assert float(scale) == 256


@pytest.mark.parametrize("images", [12, 10, 2])
def test_a_batch_in_parts_makes_the_same_update_where_there_is_no_norm(images: int) -> None:
    whole, split = Bench(norm=False), Bench(norm=False, micro_batches=3)
    read = [bench.run(range(images), rate=0.5) for bench in (whole, split)]
    assert read[1] == pytest.approx(read[0], rel=1e-5)
    for variable, expected in zip(split.forward.variables, whole.forward.variables, strict=True):
        np.testing.assert_allclose(variable, expected, atol=1e-6)


def test_norms_see_one_part_after_the_other() -> None:
    split, plain = Bench(micro_batches=2), Bench()
    split.run(range(20))
    plain.run(range(10))
    plain.run(range(10, 20))
    for variable, expected in zip(split.model.variables, plain.model.variables, strict=True):
        np.testing.assert_allclose(variable, expected, atol=1e-6, err_msg=variable.path)


def test_parts_of_a_batch_drop_differently() -> None:
    bench = Bench(dropout=0.5, micro_batches=2, norm=False)
    halves = [bench.run([*range(3)] * 2)["loss"], Bench(dropout=0.5, norm=False).run(range(3))["loss"]]
    assert halves[0] != pytest.approx(halves[1])


def test_totals_are_state_that_can_be_restored() -> None:
    first, second = Bench(), Bench()
    first.step(np.arange(8, dtype=np.int32), 0, 0, 0.0)
    second.step.variables()["totals"].assign(first.step.variables()["totals"])
    assert second.step.read() == first.step.read()


def test_evaluation_is_that_of_keras() -> None:
    bench = Bench()
    bench.run(range(40), rate=0.5)  # so that the moving statistics are not those of the start
    probabilities = bench.model(normalise(bench.pixels), training=False).numpy()
    losses = keras.losses.sparse_categorical_crossentropy(bench.labels, probabilities)
    evaluation = Evaluator(logits_of(bench.forward, normalise), 16)(bench.pixels, bench.labels)
    np.testing.assert_allclose(evaluation.answers, probabilities, atol=1e-5)
    assert evaluation.loss == pytest.approx(float(np.mean(losses)), rel=1e-5)
    assert evaluation.score == pytest.approx((probabilities.argmax(-1) == bench.labels).mean())


def test_crops_of_an_image_are_judged_by_their_mean_probabilities() -> None:
    class Crops:
        def batches(self, size: int) -> list[Any]:
            return [crops[:3], crops[3:]]

    bench = Bench()
    crops = bench.pixels.reshape(8, 5, 6, 6, 1)
    one_by_one = Evaluator(logits_of(bench.forward, normalise))(bench.pixels, bench.labels).answers
    evaluation = Evaluator(logits_of(bench.forward, normalise))(Crops(), bench.labels[:8])
    expected = one_by_one.reshape(8, 5, CLASSES).mean(1)
    np.testing.assert_allclose(evaluation.answers, expected, atol=1e-6)
    assert evaluation.loss == pytest.approx(-np.log(expected[range(8), bench.labels[:8]]).mean(), rel=1e-5)


def test_evaluation_changes_nothing_and_compiles_once() -> None:
    traces: list[None] = []

    def traced(pixels: Any) -> Any:
        traces.append(None)
        return normalise(pixels)

    bench = Bench()
    before = [variable.numpy() for variable in bench.model.variables]
    evaluate = Evaluator(logits_of(bench.forward, traced), 16)
    assert evaluate(bench.pixels, bench.labels).loss == evaluate(bench.pixels, bench.labels).loss
    for old, variable in zip(before, bench.model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy())
    assert len(traces) == 1
