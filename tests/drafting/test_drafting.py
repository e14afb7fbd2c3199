"""New specs: whatever the images are, the spec that is written for them loads, fits them, and says why it is so."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import archbuilder
from archbuilder.drafting import network, recipe
from archbuilder.drafting.drafting import write
from archbuilder.drafting.survey import survey
from archbuilder.errors import ArchbuilderError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.words import op_name
from archbuilder.linting.linting import lint
from archbuilder.spec import load, require_training
from archbuilder.spec.data import Holdout
from archbuilder.spec.preprocessing import PREPROCESSING
from tests.conftest import Call


def photo(path: Path, size: tuple[int, int] = (20, 20), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size).save(path)


def folder(*parts: str, each: int = 4, **photos: Any) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        for part in parts:
            for name in ("cat", "dog"):
                for number in range(each):
                    photo(root / "pets" / part / name / f"{number}.png", **photos)
        return root / "pets"

    return make


def table(text: str, name: str = "t.csv") -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        for image in "abcdef":
            photo(root / "pets" / f"{image}.png")
        (root / "pets" / name).write_text(text, encoding="utf-8")
        return root / "pets" / name

    return make


def archive(**arrays: Any) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        np.savez(root / "a.npz", **arrays)
        return root / "a.npz"

    return make


PIXELS = np.zeros((12, 20, 24, 3), np.uint8)
CASES: dict[str, tuple[Callable[[Path], Path], tuple[int, ...], tuple[int, ...], str]] = {
    "flat": (folder(""), (20, 20, 3), (2,), "softmax"),
    "train and test": (folder("train", "test"), (20, 20, 3), (2,), "softmax"),
    "train and val": (folder("train", "val"), (20, 20, 3), (2,), "softmax"),
    "all parts": (folder("train", "val", "test"), (20, 20, 3), (2,), "softmax"),
    "grey": (folder("", mode="L"), (20, 20, 1), (2,), "softmax"),
    "16 bits": (folder("", mode="I;16"), (20, 20, 1), (2,), "softmax"),
    "alpha": (folder("", mode="RGBA"), (20, 20, 3), (2,), "softmax"),
    "wide": (folder("", size=(80, 40)), (40, 80, 3), (2,), "softmax"),
    "large": (folder("", size=(300, 250)), (96, 96, 3), (2,), "softmax"),
    "tiny": (folder("", size=(3, 3)), (16, 16, 3), (2,), "softmax"),
    "classes": (table("path,label\na.png,x\nb.png,y\nc.png,x\nd.png,y\n"), (20, 20, 3), (2,), "softmax"),
    "columns": (table("path,x,y,z\na.png,1,0,0\nb.png,0,1,0\nc.png,0,0,1\n"), (20, 20, 3), (3,), "softmax"),
    "flags": (table("path,label\na.png,x|y\nb.png,y\nc.png,\n"), (20, 20, 3), (2,), "sigmoid"),
    "numbers": (table("path;age;height\na.png;1,5;2\nb.png;2;3\n"), (20, 20, 3), (2,), "dense"),
    "npz": (archive(x_train=PIXELS, y_train=np.arange(12) % 3, x_test=PIXELS, y_test=np.arange(12) % 3), (20, 24, 3), (3,), "softmax"),
    "npz of floats": (archive(x=PIXELS[..., 0] / 255, y=np.arange(12) / 7), (20, 24, 1), (1,), "dense"),
    "npz of flags": (archive(x=np.moveaxis(PIXELS, -1, 1), y=np.eye(12, 4) + np.eye(12, 4, 1)), (20, 24, 3), (4,), "sigmoid"),
    "npz, large": (archive(images=np.zeros((6, 120, 130, 3), np.uint8), labels=np.arange(6) % 2), (96, 96, 3), (2,), "softmax"),
}  # fmt: skip
TO_SET_APART = {"train and test", "train and val", "all parts", "npz"}


@pytest.mark.parametrize("case", CASES)
def test_what_is_written_fits_the_images(case: str, tmp_path: Path) -> None:
    make, shape, width, last = CASES[case]
    written = write(tmp_path / "mine.yaml", make(tmp_path))
    spec = load(tmp_path / "mine.yaml")
    graph, training = expand(spec), require_training(spec)
    assert (graph.input.shape, graph[graph.outputs[-1]].shape) == (shape, width)
    assert op_name(graph[graph.outputs[-1]].op) == last
    assert training.data.test == (None if case in TO_SET_APART else Holdout(amount=0.2))
    assert (training.data.validation is None) == (case == "all parts")
    assert lint(spec) == []
    assert written.spec == spec or written.spec.dump() == spec.dump()


def test_it_says_why(tmp_path: Path) -> None:
    write(tmp_path / "mine.yaml", folder("")(tmp_path))
    comments = [line.partition("# ")[2] for line in (tmp_path / "mine.yaml").read_text("utf-8").splitlines()]
    assert sum(map(bool, comments)) >= 10
    assert "2 classes of 4 images (cat, dog), 8 images to learn from, in colour, of 20x20 pixels." in comments
    assert "2 classes of 4 images (cat, dog)" in load(tmp_path / "mine.yaml").network.summary  # and not of digits


NAMES = (
    "quickstart", "resnet20_v1", "resnet20_fast", "resnet56_v2", "torchvision/resnet50", "torchvision/convnext_tiny",
    "keras_applications/densenet121", "related/alexnet", "related/vgg16", "keras_applications/mobilenet_v2",
    "he2015/resnet110", "related/densenet_bc100",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_a_bundled_recipe_is_left_over(name: str, tmp_path: Path) -> None:
    found = survey(folder("")(tmp_path))
    written = write(tmp_path / "mine.yaml", found.path, name=name)
    draft = network.like(name, found, keeps_channels=False)
    assert written.spec.training == recipe.model_of(recipe.from_scratch(found, draft))
    assert written.spec.network.input[:2] == load(name).network.input[:2]
    assert expand(written.spec).outputs
    assert not [one for one in lint(written.spec) if one.code == "decays-twice"]


@pytest.mark.parametrize(
    "name", ["keras_applications/resnet50", "keras_applications/mobilenet_v2", "torchvision/resnet18"]
)
def test_fine_tuning_prepares_images_as_the_weights_expect_them(name: str, tmp_path: Path) -> None:
    found = survey(folder("")(tmp_path))
    draft = network.like(name, found, keeps_channels=True)
    said = load(name).network.weights
    assert said is not None
    training = recipe.model_of(recipe.fine_tuning(found, draft))
    known = PREPROCESSING[said.preprocessing]
    assert (training.colours, training.normalise) == (known.colours, known.normalise)
    assert {"stem", "stage1", "norms"} <= set(training.freeze)
    assert training.rate_factors == {"head": 10}


def test_what_a_bundled_spec_does_not_say_of_its_weights_is_not_guessed(tmp_path: Path) -> None:
    found = survey(folder("")(tmp_path))
    lines = recipe.fine_tuning(found, network.like("he2015/resnet18", found, keeps_channels=True))
    [line] = [line for line in lines if line.key == "normalise"]
    assert line.why == "he2015/resnet18 does not say what its weights expect: see docs/weights.md"


def test_imbalance_and_many_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = folder("", each=4)
    for number in range(20):
        photo(make(tmp_path) / "cat" / f"more{number}.png")
    training = require_training(write(tmp_path / "mine.yaml", tmp_path / "pets").spec)
    assert training.class_weights == "balanced"
    monkeypatch.setattr(network, "FEW", 20)
    assert write(tmp_path / "many.yaml", tmp_path / "pets").base == "resnet20_fast"
    for file in (tmp_path / "pets").rglob("*.png"):
        photo(file, (250, 250))
    written = write(tmp_path / "many.yaml", tmp_path / "pets", force=True)
    assert (written.base, written.spec.network.input) == ("torchvision/resnet18", (224, 224, 3))


def test_unreadable_images_are_named(tmp_path: Path) -> None:
    (folder("")(tmp_path) / "cat" / "0.png").write_bytes(b"")
    [note] = write(tmp_path / "mine.yaml", tmp_path / "pets").notes
    assert note.startswith("1 of 8 images that were looked at cannot be read: ")


@pytest.mark.parametrize("name", ["my pets & more", "a: b #c", "[x]", 'qu"ote', "ü", "-x", "2024"])
def test_names_are_whatever_a_system_allows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder("")(tmp_path).rename(tmp_path / name)
    (tmp_path / name / "dog").rename(tmp_path / name / "x\x1b[2J\ny")
    spec = write(Path(f"{name}.yaml"), Path(name)).spec
    assert spec.dump() == load(Path(f"{name}.yaml")).dump()
    assert require_training(spec).data.source.path == name  # type: ignore[union-attr]
    assert "\x1b" not in (tmp_path / f"{name}.yaml").read_text("utf-8")


@pytest.mark.faults
@pytest.mark.parametrize(("arguments", "message", "code"), [
    (["x.yaml", "--data", "nowhere"], "there is no nowhere: a folder of classes, a table", 4),
    (["x.yaml", "--data", "x.txt"], "x.txt is neither: a folder of classes", 2),
    (["x.yaml", "--data", "empty"], "no folders of classes with images", 4),
    (["x.txt", "--data", "pets"], "the name of a spec's file ends in .yaml", 2),
    (["there.yaml", "--data", "pets"], "there.yaml is there already: --force overwrites it", 2),
    (["x.yaml", "--data", "pets", "--weights", "w.h5"], "which network are the weights of", 2),
    (["x.yaml", "--data", "pets", "--like", "resnet5"], "there is no spec called 'resnet5'", 4),
    (["x.yaml", "--data", "pets", "--like", "related/fpn_resnet50"], "has no dense layer that could tell 2 classes", 2),
    (["x.yaml"], "Missing option '--data'", 2),
])  # fmt: skip
def test_mistakes_are_told_and_nothing_is_written(
    arguments: list[str], message: str, code: int, call: Call, tmp_path: Path
) -> None:
    folder("")(tmp_path)
    (tmp_path / "empty").mkdir()
    for name in ("there.yaml", "x.txt", "w.h5"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    done = call("new", *arguments, cwd=tmp_path)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert not (tmp_path / "x.yaml").exists()
    assert (tmp_path / "there.yaml").read_text(encoding="utf-8") == "x"


def test_the_command_line(call: Call, tmp_path: Path) -> None:
    folder("")(tmp_path)
    done = call("new", "mine.yaml", "--data", "pets", cwd=tmp_path)
    assert done.code == 0
    assert done.out.splitlines()[-1] == "To train: archbuilder train mine.yaml"
    done = call("new", "mine.yaml", "--data", "pets", "--json", "--force", cwd=tmp_path)
    told = json.loads(done.out)
    assert (told["like"], told["data"]["classes"]) == ("quickstart", {"cat": 4, "dog": 4})
    assert call("validate", "mine.yaml", cwd=tmp_path).code == 0


def test_in_python(tmp_path: Path) -> None:
    path = folder("")(tmp_path)
    spec = archbuilder.new(tmp_path / "mine.yaml", path)
    assert spec.name == "mine"
    with pytest.raises(ArchbuilderError, match="--force overwrites it"):
        archbuilder.new(tmp_path / "mine.yaml", path)
    assert archbuilder.new(tmp_path / "mine.yaml", path, like="resnet20_v1", force=True).network.input == (32, 32, 3)
