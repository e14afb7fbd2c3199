"""LiteRT, and int8: what is smaller than the original and has to be as good."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archbuilder
from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError, MissingError, UsageError
from archbuilder.exporting import calibration, exporting, litert_file
from archbuilder.exporting.borders import with_repeated_borders
from archbuilder.exporting.calibration import LOST, Accuracy, calibration_images
from archbuilder.exporting.comparing import Answers
from archbuilder.exporting.exporting import export
from archbuilder.exporting.formats import FLOAT32, FORMATS, Format, Options
from archbuilder.exporting.handover import Handover, of_run, of_spec, with_weights
from archbuilder.exporting.litert_process import WRITTEN, widen
from archbuilder.graph import ops
from archbuilder.spec import load
from archbuilder.training.run.folder import Run
from tests.exporting.lively import lively

QUANTISED = [one for one in FORMATS if one.bound is None]
LITERT = [one for one in FORMATS if one.name.startswith("litert")]
EXAMPLE = Path(__file__).parents[2] / "examples" / "evaluate_exported.py"
ALONE = "import runpy, sys; sys.modules['archbuilder'] = None; del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
SE = ["input=[32, 32, 3]"]


def by_name(name: str) -> Format:
    return next(one for one in FORMATS if one.name == name)


def handed(name: str, edits: list[str] | None = None) -> Handover:
    handover = of_spec(load(name, edits or []))
    return with_weights(handover, lively(handover.graph))


@pytest.fixture(scope="session")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on digits that is worth something; after fewer epochs, integers lose more than is allowed on some processors."""
    return archbuilder.train("quickstart", out=tmp_path_factory.mktemp("runs") / "digits", epochs=8)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures" / "below"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for index in range(5):
        Image.fromarray(random.integers(0, 256, (20, 24, 3), np.uint8)).save(folder / f"{index}.png")
    return folder.parent


@pytest.mark.keras
@pytest.mark.parametrize("kind", [one for one in LITERT if one.bound], ids=lambda kind: kind.name)
@pytest.mark.parametrize(("name", "edits"), [("quickstart", []), ("resnet20_v1", []), ("related/se_resnet50", SE)])
def test_litert_answers_as_the_original(kind: Format, name: str, edits: list[str], tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    path = tmp_path / "model.tflite"
    done = export(handed(name, edits), path, kind)
    assert done.comparison is not None
    assert kind.bound is not None
    assert max(done.comparison.difference, done.comparison.answers) <= kind.bound < done.comparison.apart
    assert json.loads(zipfile.ZipFile(path).read("archbuilder.json"))["network"] == load(name).name


@pytest.mark.keras
@pytest.mark.parametrize("kind", [one for one in FORMATS if one.name != "safetensors"], ids=lambda kind: kind.name)
def test_the_runtime_alone_is_as_accurate(kind: Format, learned: Run, tmp_path: Path) -> None:
    for package in (*kind.packages, *kind.runtime):
        pytest.importorskip(package)
    path = tmp_path / f"model{kind.suffix}"
    done = export(of_run(learned), path, kind)
    accuracy = json.loads((learned.folder / "result.json").read_text("utf-8"))["best"]["test_accuracy"]
    assert accuracy > 0.8
    alone = subprocess.run([sys.executable, "-c", ALONE, EXAMPLE, path], capture_output=True, text=True, check=True)
    [right] = re.findall(r"^(\d+) of 364 right: ", alone.stdout)
    assert int(right) == pytest.approx(364 * accuracy, abs=0.01 if kind.bound == FLOAT32 else 364 * LOST)
    if kind in QUANTISED:
        assert done.accuracy is not None
        assert done.accuracy.images == 364
        assert done.accuracy.exported >= done.accuracy.original - LOST
        assert path.stat().st_size < 0.55 * 4 * learned.graph.parameters


@pytest.mark.keras
def test_shortcuts_are_of_integers_and_layers_tell_their_error(learned: Run, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    done = export(of_run(learned), tmp_path / "x.onnx", by_name("onnx-int8"))
    nodes = onnx.load(tmp_path / "x.onnx").graph.node
    made_by = {result: node.op_type for node in nodes for result in node.output}
    inner = [node for node in nodes if node.op_type in ("Add", "Conv", "Gemm")]
    assert {node.op_type for node in inner} == {"Add", "Conv", "Gemm"}
    assert {made_by[one] for node in inner for one in node.input[:2]} == {"DequantizeLinear"}
    named = {one.layer: one.error for one in done.layers}
    assert {"stage2/unit1/shortcut/conv1", "stage1/unit1/relu1", "head/dense1"} <= named.keys()
    assert 0 < max(named.values()) < 0.2


@pytest.mark.keras
@pytest.mark.parametrize("kind", QUANTISED, ids=lambda kind: kind.name)
@pytest.mark.parametrize(("name", "edits"), [("resnet20_v1", []), ("related/se_resnet50", SE)])
def test_integers_are_near_the_original(
    kind: Format, name: str, edits: list[str], pictures: Path, tmp_path: Path
) -> None:
    for package in (*kind.packages, *kind.runtime):
        pytest.importorskip(package)
    done = export(handed(name, edits), tmp_path / f"x{kind.suffix}", kind, Options(calibration=pictures))
    assert done.comparison is not None
    assert 0 < done.comparison.difference < 0.5


@pytest.mark.keras
def test_litert_keeps_what_a_maximum_is_taken_of(pictures: Path, tmp_path: Path) -> None:
    pytest.importorskip("ai_edge_litert")
    handover = handed("quickstart", ["unit={basic: {attention: [cbam]}}"])
    options = Options(calibration=pictures)
    done = export(handover, tmp_path / "x.tflite", by_name("litert-int8"), options)
    assert done.comparison is not None
    assert done.comparison.difference < 0.2


@pytest.mark.keras
@pytest.mark.parametrize("kind", QUANTISED, ids=lambda kind: kind.name)
def test_a_spec_is_calibrated_on_a_folder(kind: Format, pictures: Path, tmp_path: Path) -> None:
    for package in (*kind.packages, *kind.runtime):
        pytest.importorskip(package)
    pool = "{local_response_norm: {size: 4}}, {max_pool: {size: 3, stride: 2, padding: symmetric}}"
    heads = "head=[{point: features}, global_average_pool, {dense: {units: 10}}, softmax]", "outputs=[head, features]"
    handover = handed("quickstart", [f"stem=[{{conv: {{filters: 16, kernel: 3}}}}, norm, {pool}]", *heads])
    norm = "stage1/unit1/residual/norm1"
    shut = {**handover.weights[norm], "beta": np.full((16,), -1000, np.float32)}  # no image passes the relu behind it
    handover = with_weights(handover, {**handover.weights, norm: shut})
    with pytest.raises(UsageError, match="--calibration DIR"):
        export(handover, tmp_path / f"x{kind.suffix}", kind)
    done = export(handover, tmp_path / f"x{kind.suffix}", kind, Options(calibration=pictures))
    assert done.accuracy is None
    assert any("accuracy was not measured" in note for note in done.notes)
    assert done.comparison is not None
    assert 0 < done.comparison.difference < 0.5


def test_what_onnx_runtime_refuses_is_told(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quantization = pytest.importorskip("onnxruntime.quantization")

    def refuse(*_others: object, **_more: object) -> None:
        raise ValueError("no scale")

    monkeypatch.setattr(quantization, "quantize_static", refuse)
    with pytest.raises(ArchbuilderError, match="quickstart: ONNX Runtime does not quantise it: no scale"):
        export(handed("quickstart"), tmp_path / "x.onnx", by_name("onnx-int8"), Options(calibration=pictures))
    assert not (tmp_path / "x.onnx").exists()


@pytest.mark.keras
def test_maximum_by_a_border_that_is_repeated() -> None:
    """Of numbers below zero as well, and where more than half of a window lies beyond the border."""
    from archbuilder.exporting.keras_network import computed, logits_model

    pools = [f"{{max_pool: {{size: 3, stride: {stride}, padding: {pads}}}}}" for stride, pads in (
        (2, "symmetric"), (1, "[[2, 2], [2, 1]]"), (2, "[[0, 2], [1, 0]]"), (1, "same"))]  # fmt: skip
    asked = handed("quickstart", [f"stem=[{{conv: {{filters: 16, kernel: 3}}}}, norm, {', '.join(pools)}]"])
    repeated = with_repeated_borders(asked)
    assert [one.op.padding for one in repeated.graph.nodes if isinstance(one.op, ops.MaxPool)] == [
        "valid", "valid", "valid", "same"]  # fmt: skip
    images = np.random.default_rng(0).normal(size=(4, *asked.input_shape)).astype(np.float32)
    one, other = (computed(logits_model(each), images) for each in (asked, repeated))
    np.testing.assert_array_equal(one, other)


def test_images_of_a_folder_are_framed(pictures: Path, tmp_path: Path) -> None:
    assert calibration_images(handed("quickstart"), pictures).shape == (5, 16, 16, 1)
    bare = of_spec(load("quickstart"), bare=True)
    assert calibration_images(bare, pictures).max() <= 1
    for folder in (tmp_path / "nowhere", tmp_path / "pictures" / "empty"):
        with pytest.raises(MissingError):
            calibration_images(bare, folder)


def test_fewer_images_are_taken_where_each_costs_much(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    handover = handed("quickstart")
    for images, taken in ((3.5, 3), (0.5, 1)):
        monkeypatch.setattr(calibration, "MOST_MACS", int(images * handover.graph.macs))
        assert len(calibration_images(handover, pictures)) == taken


def test_only_int8_is_calibrated(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--calibration is for litert-int8 and onnx-int8, not for keras"):
        export(handed("quickstart"), tmp_path / "x.keras", by_name("keras"), Options(calibration=tmp_path))


@pytest.mark.parametrize(
    ("accuracy", "holds"),
    [
        (Accuracy("accuracy", 0.9, 0.8951, 100), True), (Accuracy("accuracy", 0.9, 0.8949, 100), False),
        (Accuracy("mae", 2.0, 2.09, 100), True), (Accuracy("mae", 2.0, 2.11, 100), False),
    ],
)  # fmt: skip
def test_half_a_point(accuracy: Accuracy, holds: bool) -> None:
    assert accuracy.holds is holds


@pytest.mark.keras
def test_what_lost_too_much_is_not_written(learned: Run, tmp_path: Path) -> None:
    class Random:
        def write(self, handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> None:
            path.write_bytes(b"")

        def load(self, path: Path, handover: Handover) -> Callable[[Array], Answers]:
            def compute(images: Array) -> Answers:
                values = np.random.default_rng(0).normal(size=(len(images), 10)).astype(np.float32)
                return Answers((values,), (values,))

            return compute

    kind = replace(by_name("onnx-int8"), module=Random, packages=())
    with pytest.raises(ArchbuilderError, match=r"is not written: accuracy \d+.\d\d % \(original"):
        export(of_run(learned), tmp_path / "x.onnx", kind)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.keras
def test_a_conversion_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ai_edge_litert")
    monkeypatch.setattr(litert_file, "SECONDS", 1)
    with pytest.raises(
        ArchbuilderError,
        match=r"quickstart cannot be written for LiteRT: its converter did not come to an end within 1 s",
    ):
        export(handed("quickstart"), tmp_path / "x.tflite", by_name("litert"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.keras
@pytest.mark.parametrize(
    ("status", "said", "written", "why"),
    [(1, "error: 'tf.Erf' op is neither a custom op nor a flex op\n", False, "LiteRT has no Erf"),
     (-9, "", False, "its converter was killed, as happens where memory runs out: it may take some 1 GB"),
     (-11, "", False, "its converter fails"), (-6, "", True, "its runtime refuses it")],
)  # fmt: skip
def test_why_the_converter_failed(
    status: int, said: str, written: bool, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("ai_edge_litert")

    def run(command: list[str], **_: Any) -> Any:
        if written:
            Path(command[4], WRITTEN).touch()
        return subprocess.CompletedProcess(command, status, "", said)

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(ArchbuilderError, match=f"quickstart cannot be written for LiteRT: {why}$"):
        export(handed("quickstart"), tmp_path / "x.tflite", by_name("litert"))


def test_ranges_by_which_nothing_is_lost() -> None:
    """Places: a constant, a shut relu, what arrives at a maximum, the maximum, and both beside each other."""
    given = {0: (5.0, 5.0), 1: (0.0, 0.0), 2: (-4.0, 3.0), 3: (1.0, 3.0), 4: (0.0, 3.0)}
    ranges = {place: SimpleNamespace(min=[low], max=[high]) for place, (low, high) in given.items()}
    widen(ranges, [("ADD", [0, 1], [2]), ("REDUCE_MAX", [2, 9], [3]), ("CONCATENATION", [1, 3], [4]), ("CALL", [], [])])
    found = {place: (*one.min, *one.max) for place, one in ranges.items()}
    assert found == {0: (5, 5), 1: (0, 1), 2: (-4, 3), 3: (-4, 3), 4: (-4, 3)}


def test_how_good_a_file_is_told() -> None:
    assert exporting.told_worth(Accuracy("mae", 1, 2, 3)) == "mean absolute error 2 (original 1) on 3 test images"
