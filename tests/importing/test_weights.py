"""Weights of a `.keras` file come with the spec that is found: the two compute the same."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

import archbuilder
from archbuilder.importing.keras_file import read_keras_file
from archbuilder.keras_model.build import build_model
from archbuilder.spec import load_text
from archbuilder.weights.transfer import assign
from tests.exporting.lively import lively
from tests.importing.keras_models import by_layer

SPEC = """\
archbuilder: 1
name: small
input: [16, 16, 3]
stem: [{conv: {filters: 8, kernel: 3}}, norm, relu, {squeeze_excitation: {ratio: 4}}]
unit: basic
shortcut: projection
stages: [{units: 2, filters: 8}, {units: 2, filters: 16, stride: 2}]
head: [{conv: {filters: 16, kernel: 3, bias: true}}, {prelu: {slope: 0.1}}, global_average_pool, {dense: {units: 5}}]
"""


def test_weights_of_keras_files(tmp_path: Path) -> None:
    spec = load_text(SPEC)
    graph = archbuilder.expand(spec)
    theirs, written = build_model(graph), lively(graph)
    assign(theirs, written)
    theirs.save(tmp_path / "theirs.keras")
    yaml, weights = tmp_path / "mine.yaml", tmp_path / "mine.safetensors"
    found = archbuilder.import_model(tmp_path / "theirs.keras", yaml, weights_out=weights)
    assert archbuilder.verify(found.spec, spec).same, found.text
    given = found.weights()
    assert sorted(array.tobytes() for array in given.values()) == sorted(
        array.tobytes() for layer in written.values() for array in layer.values()
    )
    images = np.random.default_rng(3).normal(size=(4, 16, 16, 3)).astype(np.float32)
    before = theirs.predict_on_batch(images)
    assert np.ptp(before, axis=0).max() > 1e-3
    ours = archbuilder.build(yaml, weights=weights)
    np.testing.assert_allclose(ours.predict_on_batch(images), before, rtol=1e-5, atol=1e-5)
    one, other = [name for name, array in given.items() if array.shape == (3, 3, 8, 8)][:2]
    layers = by_layer(given)
    (one, weight), (other, _) = (name.rsplit("/", 1) for name in (one, other))
    layers[one][weight], layers[other][weight] = layers[other][weight], layers[one][weight]
    assign(ours, layers)
    assert np.abs(ours.predict_on_batch(images) - before).max() > 1e-3


def test_the_numbers_of_a_normalisation_are_read(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).normal(100, 30, (9, 4, 4, 3)).astype(np.float32)
    normalise = keras.layers.Normalization()
    normalise.adapt(pixels)
    keras.Sequential([keras.Input((4, 4, 3)), normalise, keras.layers.ReLU(), keras.layers.Flatten()]).save(
        tmp_path / "mine.keras"
    )
    before = read_keras_file(tmp_path / "mine.keras", "mine").before
    assert before is not None
    np.testing.assert_allclose(pixels * before.factor + before.offset, normalise(pixels), rtol=1e-4, atol=1e-5)
