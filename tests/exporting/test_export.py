"""`export`, whatever the format: what is handed over, compared, refused and named."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest

import archbuilder
from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError, MissingError, UsageError
from archbuilder.exporting.exporting import export, require_free
from archbuilder.exporting.formats import FORMATS, Format, Options, format_of
from archbuilder.exporting.handover import Handover, of_run, of_spec, with_weights
from archbuilder.exporting.keras_file import notes
from archbuilder.spec import load
from archbuilder.training.objective import Scaling
from archbuilder.training.run.folder import Run
from archbuilder.weights.their_names import named_as
from archbuilder.weights.transfer import transfer
from tests.conftest import Call
from tests.exporting.lively import lively

ROOT = Path(__file__).parent.parent.parent
EXACT = [one for one in FORMATS if one.bound is not None and not one.name.startswith("litert")]
"""`test_small.py` has the others."""
SMALL = ["input=[32, 32, 3]"]


def handed(name: str, edits: list[str] | None = None) -> Handover:
    handover = of_spec(load(name, edits or []))
    return with_weights(handover, lively(handover.graph))


@pytest.mark.keras
@pytest.mark.parametrize("kind", EXACT, ids=lambda kind: kind.name)
@pytest.mark.parametrize(("name", "edits"), [("quickstart", []), ("resnet20_v1", []), ("related/se_resnet50", SMALL)])
def test_each_format_answers_as_the_original(kind: Format, name: str, edits: list[str], tmp_path: Path) -> None:
    for package in (*kind.packages, *kind.runtime):
        pytest.importorskip(package)
    path = tmp_path / f"model{kind.suffix}"
    done = export(handed(name, edits), path, kind)
    assert done.comparison is not None
    assert kind.bound is not None
    assert done.comparison.worst <= kind.bound < done.comparison.apart
    assert all(file.exists() for file in done.files)
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted(file.name for file in done.files)


@pytest.mark.keras
def test_deeper_than_python_goes(tmp_path: Path) -> None:
    spec = tmp_path / "deep.yaml"
    unit = "{layers: [{add: {residual: [tanh], shortcut: []}}, tanh]}"
    spec.write_text(
        f"archbuilder: 1\nname: deep\ninput: [2, 2, 1]\nstem: []\ntemplates: {{units: {{tiny: {unit}}}}}\nunit: tiny\n"
        "stages: [{units: 505}]\nhead: [flatten]\n",
        "utf-8",
    )
    path = tmp_path / "deep.keras"
    done = export(of_spec(load(spec)), path, format_of(path))
    assert done.comparison is not None
    assert any("sys.setrecursionlimit(100_000) has to come before load_model" in note for note in done.notes)
    several = load(spec, ["stem=[{point: early}]", "outputs=[early, head]"])
    assert list(notes(archbuilder.expand(several))) == list(notes(archbuilder.expand(spec))) != []
    assert list(notes(archbuilder.expand("he2016/resnet1001"))) == []


@pytest.mark.keras
def test_what_differs_is_not_written(tmp_path: Path) -> None:
    [kind] = [one for one in FORMATS if one.name == "safetensors"]
    writer = kind.module()

    class Wrong:
        def write(self, handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> None:
            weights = {name: {part: 1.0001 * array for part, array in arrays.items()}
                       for name, arrays in handover.weights.items()}  # fmt: skip
            writer.write(with_weights(handover, weights), path, options, metadata)

        load = staticmethod(writer.load)

    with pytest.raises(ArchbuilderError, match="is not written: what safetensors gives differs by"):
        export(handed("quickstart"), tmp_path / "x.safetensors", replace(kind, module=Wrong))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: Path, call: Call) -> None:
    path = tmp_path / "x.safetensors"
    line = ("export", "quickstart", "-o", path, "--no-compare")
    assert call(*line).code == 0
    before = path.read_bytes()
    again = call(*line)
    assert (again.code, again.err) == (2, f"error: {path} is there already: --force overwrites it\n")
    assert call(*line, "--force").code == 0
    assert path.read_bytes() == before


def test_a_folder_of_something_else_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="a folder of something else"):
        require_free((tmp_path,), force=True)


@pytest.mark.parametrize(
    ("path", "name", "found"),
    [("a.onnx", None, "onnx"), ("A.KERAS", None, "keras"), ("folder/", None, "saved-model"),
     ("folder", "saved-model", "saved-model"), ("v1.0/", None, "saved-model"), ("a.safetensors", None, "safetensors")],
)  # fmt: skip
def test_the_format_is_that_of_the_suffix(path: str, name: str | None, found: str) -> None:
    assert format_of(path, name).name == found


@pytest.mark.parametrize(
    ("path", "name"), [("model", None), ("a.txt", None), ("a.txt", "onnx"), ("a.keras", "saved-model")]
)
def test_what_says_no_format_is_refused(path: str, name: str | None) -> None:
    with pytest.raises(UsageError):
        format_of(path, name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("quickstart", "-o", "x.keras", "--fold-norms"), "--fold-norms is for onnx, not for keras"),
        (("quickstart", "-o", "x.onnx", "--names", "timm"), "--names is for safetensors, not for onnx"),
        (("quickstart", "-o", "x.safetensors", "--weights", "best"), "best weights are those of a run"),
        (("quickstrat", "-o", "x.safetensors"), "did you mean 'quickstart'?"),
        (("torchvision/mobilenet_v2", "-o", "x.safetensors", "--names", "timm", "--no-compare"), "not one of timm's"),
        (("resnet20_v1", "-o", "x.safetensors", "--names", "nothing.pth", "--no-compare"), "no file nothing.pth"),
    ],
)
def test_mistakes_are_told(arguments: tuple[str, ...], message: str, call: Call, tmp_path: Path) -> None:
    done = call("export", *arguments, cwd=tmp_path)
    assert done.code in (1, 2, 4)
    assert message in done.err


def test_help_lists_every_format(call: Call) -> None:
    told = call("export", "--help").out
    assert all(f"{one.name} " in told for one in FORMATS)


def test_weights_whose_images_nobody_knows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    archbuilder.export("quickstart", path, compare=False)
    with pytest.raises(UsageError, match="is fitted on training images"):
        of_spec(load("quickstart"), path)
    assert of_spec(load("quickstart"), path, bare=True).is_bare


@pytest.mark.parametrize("name", ["torchvision/resnet18", "torchvision/resnext50_32x4d", "he2015/resnet34"])
def test_torchvisions_names_come_back_to_their_places(name: str, tmp_path: Path) -> None:
    archbuilder.export(name, tmp_path / "x.safetensors", compare=False, names="torchvision")
    graph, names = archbuilder.expand(name), tensor_names(tmp_path / "x.safetensors")
    assert {"conv1.weight", "bn1.num_batches_tracked", "layer4.1.bn2.running_var", "fc.bias"} <= names
    assert transfer(tmp_path / "x.safetensors", graph).match.how != "by name"


def tensor_names(path: Path) -> set[str]:
    content = path.read_bytes()
    return {*json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])}


def test_a_file_of_theirs_gives_its_names(tmp_path: Path) -> None:
    """Those that `torchvision` gives, all called otherwise."""
    handover = handed("torchvision/resnet18")
    theirs: dict[str, Array] = {
        name.replace("layer", "block"): array
        for name, array in named_as("torchvision", handover.graph, handover.weights).items()
    }
    np.savez(tmp_path / "theirs.npz", **theirs)  # type: ignore[arg-type]
    archbuilder.export(
        "torchvision/resnet18", tmp_path / "x.safetensors", compare=False, names=str(tmp_path / "theirs.npz")
    )
    assert tensor_names(tmp_path / "x.safetensors") - {"__metadata__"} == {*theirs}


@pytest.mark.keras
def test_a_run_hands_over_what_it_learned(tiny: Path, tmp_path: Path, call: Call) -> None:
    run = archbuilder.train(tiny, out=tmp_path / "run", epochs=1)
    handover = of_run(Run.open(tmp_path / "run"), "final")
    assert handover.classes == tuple("0123456789")
    assert handover.normaliser is not None
    done = call("export", run.folder, "-o", tmp_path / "x.keras", "--weights", "final", "--json")
    told = json.loads(done.out)
    assert told["comparison"]["origin"] == "its test set"
    assert call("export", run.folder, "-o", tmp_path / "y.keras", "--weights", "some.h5").code == 2
    assert call("export", run.folder, "-o", tmp_path / "y.keras", "--set", "head=[]").code == 2


def test_a_package_that_is_not_there_is_named() -> None:
    with pytest.raises(MissingError, match="needs nowhere: pip install 'archbuilder\\[nowhere\\]', or --no-compare"):
        replace(FORMATS[0], packages=(), runtime=("nowhere",)).require(compare=True)


@pytest.mark.parametrize(("made", "page"), [("table", "exports.md"), ("summary", "export.md")])
def test_tables_of_the_documentation_are_those_of_the_lines(made: str, page: str) -> None:
    lines = run_path(str(ROOT / "benchmarks" / "exports.py"))[made]()
    assert "\n".join(lines) in (ROOT / "docs" / page).read_text(encoding="utf-8")


@pytest.mark.keras
@pytest.mark.parametrize("kind", FORMATS[:2], ids=lambda kind: kind.name)
@pytest.mark.parametrize(
    "given",
    [
        {"function": "softmax"},
        {"function": "sigmoid"},
        {"function": None, "scaling": Scaling((3.0,) * 10, (7.0,) * 10)},
    ],
    ids=str,
)
def test_what_the_network_does_not_do_itself_is_put_behind_it(
    kind: Format, given: dict[str, Any], tmp_path: Path
) -> None:
    for package in (*kind.packages, *kind.runtime):
        pytest.importorskip(package)
    handover = handed("quickstart", ["head=[global_average_pool, {dense: {units: 10}}]"])
    [output] = handover.outputs
    done = export(replace(handover, outputs=(replace(output, **given),)), tmp_path / f"x{kind.suffix}", kind)
    assert done.comparison is not None
    assert kind.bound is not None
    assert done.comparison.worst <= kind.bound
