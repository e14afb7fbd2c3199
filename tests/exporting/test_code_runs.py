"""Keras and PyTorch code where it runs: the same function for every op, and nothing done that a stranger wrote."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

from archbuilder.exporting.comparing import Comparison, Compute, Original, compare
from archbuilder.exporting.formats import DEFAULT, FLOAT32, FORMATS, Format
from archbuilder.exporting.handover import Handover, of_spec, with_weights
from archbuilder.spec import bundled, load
from tests.exporting.lively import lively
from tests.exporting.test_code import hostile
from tests.exporting.test_onnx import LAYERS, RECIPE, handed, network

BENCHMARK = Path(__file__).parent.parent.parent / "benchmarks" / "exports.py"
CODE = [one for one in FORMATS if one.name in ("keras-code", "torch-code")]


@pytest.fixture(params=CODE, ids=lambda kind: kind.name)
def kind(request: pytest.FixtureRequest) -> Format:
    found: Format = request.param
    for package in found.runtime:
        pytest.importorskip(package, reason=f"{package} is not installed")
    return found


def written(asked: Handover, kind: Format, folder: Path) -> Compute:
    path = folder / f"net{kind.suffix}"
    kind.module().write(asked, path, DEFAULT, asked.metadata(kind.name, None))
    return kind.module().load(path, asked)


def compared(asked: Handover, kind: Format, folder: Path) -> Comparison:
    return compare(asked, written(asked, kind, folder))


def test_what_strangers_wrote_is_not_run(kind: Format, tmp_path: Path) -> None:
    asked = hostile()
    assert compared(with_weights(asked, lively(asked.graph)), kind, tmp_path).worst < FLOAT32


def test_layers_are_as_in_keras(kind: Format, tmp_path: Path) -> None:
    """Some in a row, since each network takes a process that loads Keras."""
    asked = handed(network({"conv": {"filters": 3, "kernel": 1}}, *LAYERS[::30]))
    assert compared(asked, kind, tmp_path).worst < FLOAT32


@pytest.mark.slow
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_every_layer_is_as_in_keras(layer: Any, kind: Format, tmp_path: Path) -> None:
    asked = handed(network({"conv": {"filters": 3, "kernel": 1}}, layer))
    assert compared(asked, kind, tmp_path).worst < 10 * FLOAT32


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled())
def test_every_network_is_as_in_keras(name: str, kind: Format, tmp_path: Path) -> None:
    """With the weights of the benchmark: others make deep networks amplify each rounding."""
    original: Original = run_path(str(BENCHMARK))["lively"](of_spec(load(name)))
    assert original.compare(written(original.handover, kind, tmp_path)).worst < FLOAT32


@pytest.mark.parametrize("colours", ["rgb", "bgr"])
def test_pixels_are_normalised_within(colours: str, kind: Format, tmp_path: Path) -> None:
    channels = {"mean": [0.4, 0.5, 0.6], "deviation": [0.2, 0.25, 0.3]}
    training = {**RECIPE, "normalise": {"channels": channels}, "colours": colours}
    asked = handed(network({"conv": {"filters": 4, "kernel": 3}}, training=training))
    assert compared(asked, kind, tmp_path).worst < FLOAT32


def test_a_mean_image_is_kept_with_the_weights(kind: Format, tmp_path: Path) -> None:
    from dataclasses import replace

    import numpy as np

    from archbuilder.data.normalisation import Normaliser

    offset = np.random.default_rng(0).uniform(0, 1, (9, 8, 3)).astype(np.float32)
    asked = handed(network({"conv": {"filters": 4, "kernel": 3}}))
    asked = replace(asked, normaliser=Normaliser(offset, np.ones(1, np.float32)))
    assert compared(asked, kind, tmp_path).worst < FLOAT32
