"""The way from somebody's images to a trained network: `new`, `train`, `evaluate` and `predict`, without an edit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

import archbuilder
from archbuilder.spec import load
from archbuilder.training import loop
from archbuilder.training.start import Start
from tests.conftest import Call
from tests.generated import SHAPES, strokes, textures
from tests.training.runs import assert_same, stop_at


def walk(folder: Path, call: Call, *options: str) -> tuple[float, list[str]]:
    """The accuracy on the test set, and what the images at hand are taken to be."""
    place, name = folder.parent, folder.name
    assert call("new", f"{name}.yaml", "--data", name, cwd=place).code == 0
    trained = call("train", f"{name}.yaml", "--out", "run", "--quiet", *options, cwd=place)
    assert trained.code == 0, trained.err
    measured = json.loads(call("evaluate", "run", "--json", cwd=place).out)
    images = [next(iter(sorted(one.iterdir()))) for one in sorted(folder.iterdir())]
    told = json.loads(call("predict", "run", *map(str, images), "--top", "1", "--json", cwd=place).out)
    return measured["test"]["accuracy"], [one["classes"][0]["name"] for one in told]


def test_images_in_a_flat_folder_become_a_network(call: Call, tmp_path: Path) -> None:
    accuracy, told = walk(SHAPES.write(tmp_path / "shapes", each=8), call, "--epochs", "1")
    assert 0 <= accuracy <= 1
    assert set(told) <= set(SHAPES.CLASSES)


@pytest.mark.slow
@pytest.mark.parametrize("make", [SHAPES.write, textures, strokes], ids=["shapes", "textures", "strokes"])
def test_it_learns_without_an_edit(make: Callable[[Path], Path], call: Call, tmp_path: Path) -> None:
    accuracy, told = walk(make(tmp_path / "images"), call)
    classes = sorted(one.name for one in (tmp_path / "images").iterdir())
    assert accuracy > 0.95
    assert sum(one == other for one, other in zip(told, classes, strict=True)) >= 0.9 * len(classes)


def test_a_run_on_what_was_set_apart_and_left_out_resumes_bit_for_bit(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    for name in ("dark", "light"):
        for number in range(20):
            (folder / name).mkdir(parents=True, exist_ok=True)
            grey = 60 + number if name == "dark" else 150 + number
            Image.new("RGB", (16, 16), (grey, grey // 2, 9)).save(folder / name / f"{number}.png")
    (folder / "dark" / "cut.png").write_bytes((folder / "dark" / "1.png").read_bytes()[:60])
    archbuilder.new(tmp_path / "tiny.yaml", folder)
    edits = ["training.stop={epochs: 4}", "training.colours=bgr", "training.keep.every_epochs=1"]
    spec = load(tmp_path / "tiny.yaml", edits)
    stop_at(spec, 2, tmp_path / "stopped")
    assert_same(loop.resume(tmp_path / "stopped"), loop.train(spec, Start(out=tmp_path / "whole")))
