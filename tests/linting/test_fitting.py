"""What does not go together in a recipe and its network: `train` refuses it, `lint` warns, and no other command minds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from archbuilder.errors import Diagnostic, SpecError
from archbuilder.linting.fitting import FITTING
from archbuilder.linting.linting import lint, require_fitting
from archbuilder.linting.recipe import Recipe
from archbuilder.spec import bundled, load, load_text
from archbuilder.spec.data import Known
from tests.conftest import Call
from tests.zoo import spec_of

SOUND = """\
archbuilder: 1
name: sound
input: [32, 32, 3]
stem: [{conv: {filters: 4, kernel: 3}}, norm, relu]
head: [global_average_pool, {dense: {units: 10}}, softmax]
outputs: [head]
training:
  data: {source: cifar10, validation: {holdout: 5000}}
  normalise: {channels: {mean: [0.5, 0.5, 0.5], deviation: [1, 1, 1]}}
  augment: [{resize: {shorter_side: 32}}, random_crop, {lighting: 0.1}]
  testing: [{resize: {shorter_side: 36}}, centre_crop]
  stop: {epochs: 20}
  optimizer: sgd
  weight_decay: {coupled: 1e-4}
  learning_rate: {constant: {rate: 0.1}}
"""
CASES = [
    ("outputs: [head]", "outputs: [stem, head]", "many-outputs", "outputs"),
    ("units: 10}}, softmax]", "units: 10}}, sigmoid]", "head-without-loss", "sigmoid"),
    ("units: 10}}, softmax]", "units: 10}}, relu]", "head-without-loss", "relu"),
    ("units: 10}}, softmax]", "units: 10}}, prelu]", "head-without-loss", "prelu"),
    ("units: 10}}, softmax]", "units: 10}}, tanh, {dropout: {rate: 0.5}}]", "head-without-loss", "tanh"),
    ("units: 10}}, softmax]", "units: 10}}, softmax, flatten]", "head-without-loss", "flatten"),
    ("units: 10", "units: 7", "classes-differ", "{units: 7}"),
    ("input: [32, 32, 3]", "input: [32, 32, 1]", "images-differ", "input"),
    ("shorter_side: 32", "shorter_side: 31", "crop-too-large", "shorter_side"),
    ("shorter_side: 36", "shorter_side: 20", "crop-too-large", "shorter_side"),
    ("input: [32, 32, 3]", "input: [36, 32, 3]", "crop-too-large", "shorter_side"),
    ("input: [32, 32, 3]", "input: [32, 32, 1]", "colours-without-channels", "{lighting: 0.1}"),
    (
        "3]\nstem: [{conv: {filters: 4, kernel: 3}}, norm, relu]\nhead: [global_average_pool, {dense: {units: 10}}, "
        "softmax]\noutputs: [head]\ntraining:",
        "1]\nstem: [{conv: {filters: 4, kernel: 3}}, norm, relu]\nhead: [global_average_pool, {dense: {units: 10}}, "
        "softmax]\noutputs: [head]\ntraining:\n  colours: bgr",
        "order-without-colours",
        "colours",
    ),
    ("mean: [0.5, 0.5, 0.5], deviation: [1, 1, 1]", "mean: [0.5], deviation: [1]", "means-differ", "mean"),
    ("filters: 4", "filters: 4, l2: 1e-4", "decays-twice", "weight_decay"),
    ("{holdout: 5000}", "test, test: {holdout: 0.2}", "two-tests", "test"),
    ("holdout: 5000", "holdout: 60000", "nothing-to-learn-from", "validation"),
    (
        ", softmax]\noutputs: [head]\ntraining:",
        "]\noutputs: [head]\ntraining:\n  loss: huber",
        "labels-without-loss",
        "loss",
    ),
    (
        "  learning_rate: {constant: {rate: 0.1}}",
        "  loss: huber\n  learning_rate: {constant: {rate: 0.1, warmup: "
        "{shape: constant, until: {training_error: 0.8}}}}",
        "until-without-classes",
        "training_error",
    ),
    (
        "  optimizer: sgd",
        "  optimizer: sgd\n  class_weights: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]",
        "class-weights-differ",
        "class_weights",
    ),
    ("  optimizer: sgd", "  optimizer: sgd\n  class_weights: [1, 2]", "class-weights-differ", "class_weights"),
    ("  optimizer: sgd", "  optimizer: sgd\n  freeze: [stem, haed]", "part-differs", "haed"),
]
EDITS = [
    ("quickstart", "training.loss=huber", {"head-without-loss", "labels-without-loss"}),
    ("torchvision/resnet50", "input=[640,640,3]", {"crop-too-large"}),
    ("torchvision/resnet50", "input=[224,224,1]", {"means-differ"}),
    ("resnet20_v1", "input=[64,64,3]", {"images-differ"}),
    ("resnet20_v1", "training.data.source=cifar100", {"classes-differ"}),
    ("resnet20_v1", "training.data.validation={holdout: 60000}", {"nothing-to-learn-from"}),
    ("resnet20_v1", "training.weight_decay={coupled: 1e-4}", {"decays-twice"}),
    ("he2015/resnet20", "defaults.conv.l2=1e-4", {"decays-twice"}),
    ("he2015/resnet20", "head=[global_average_pool, {dense: {units: 10}}, sigmoid]", {"head-without-loss"}),
    ("he2015/resnet20", "outputs=[stage1, stage2]", {"many-outputs"}),
    ("he2015/resnet20", "outputs=[stage3]", {"head-without-loss", "classes-differ"}),
    ("quickstart", "training.augment=[colour_jitter, {lighting: 0.1}]", {"colours-without-channels"}),
]
"""A bundled spec, an edit of it, and what then does not go together any more."""
CODES = {rule.code for rule in FITTING}


def token(found: Diagnostic) -> str:
    assert found.span is not None
    return found.span.text[found.span.column - 1 :][: found.span.length]


def test_what_goes_together() -> None:
    spec = load_text(SOUND)
    require_fitting(Recipe.of(spec))
    assert lint(spec) == []


@pytest.mark.parametrize(("old", "new", "code", "expected"), CASES)
def test_an_error_of_training_is_a_warning_of_lint(old: str, new: str, code: str, expected: str) -> None:
    assert SOUND.count(old) == 1
    spec = load_text(SOUND.replace(old, new))
    with pytest.raises(SpecError) as refused:
        require_fitting(Recipe.of(spec))
    [error] = [one for one in refused.value.diagnostics if one.code == code]
    [warning] = [one for one in lint(spec) if one.code == code]
    assert (error.severity, warning.severity) == ("error", "warning")
    assert (error.message, error.span, token(error)) == (warning.message, warning.span, expected)


def test_each_of_them_is_tested() -> None:
    assert {code for *_, code, _ in CASES} == CODES - {"no-test-images"}


def test_data_without_test_images_is_told_once_it_is_read() -> None:
    recipe = Recipe.of(load_text(SOUND))
    with pytest.raises(
        SpecError, match=r"mine has no test images of its own\n(.|\n)*holdout: 0.2}}` sets a fifth"
    ) as refused:
        require_fitting(replace(recipe, data=Known("mine", 100, 10, has_test=False)))
    assert [one.code for one in refused.value.diagnostics] == ["no-test-images", "nothing-to-learn-from"]


@pytest.mark.parametrize("name", bundled())
def test_bundled_recipes_fit(name: str) -> None:
    spec = spec_of(name)
    if spec.training is not None:
        require_fitting(Recipe.of(spec))


@pytest.mark.parametrize(("name", "edit", "codes"), EDITS)
def test_it_is_told_at_the_edit(name: str, edit: str, codes: set[str]) -> None:
    with pytest.raises(SpecError) as refused:
        require_fitting(Recipe.of(load(name, [edit])))
    assert {one.code for one in refused.value.diagnostics} == codes
    assert {token(one) for one in refused.value.diagnostics} == {edit}


@pytest.mark.parametrize(("name", "edit", "codes"), EDITS)
def test_it_is_told_at_the_line_of_the_users_own_file(tmp_path: Path, name: str, edit: str, codes: set[str]) -> None:
    path, (key, value) = tmp_path / "mine.yaml", edit.split("=", 1)
    *around, last = key.split(".")
    lines = [*(f"{'  ' * depth}{part}:" for depth, part in enumerate(around)), f"{'  ' * len(around)}{last}: {value}"]
    path.write_text("\n".join(["archbuilder: 1", f"extends: {name}", "name: mine", *lines, ""]), encoding="utf-8")
    with pytest.raises(SpecError) as refused:
        require_fitting(Recipe.of(load(path)))
    assert {one.code for one in refused.value.diagnostics} == codes
    spans = [one.span for one in refused.value.diagnostics]
    assert {(span.file, span.line) for span in spans if span} == {(str(path), 3 + len(lines))}


@pytest.mark.parametrize(("name", "edit", "codes"), EDITS)
@pytest.mark.parametrize("line", ["build --summary", "draw -o x.dot", "verify", "show"])
def test_no_other_command_minds(call: Call, tmp_path: Path, name: str, edit: str, codes: set[str], line: str) -> None:
    command, *options = line.split()
    done = call(command, name, "--set", edit, *options, cwd=tmp_path)
    assert done.code == (1 if command == "verify" and "is none of" in done.out else 0)
    assert not [code for code in codes if code in done.err]


@pytest.mark.parametrize(("name", "edit", "codes"), EDITS)
@pytest.mark.parametrize("command", ["train", "augment"])
def test_what_needs_the_recipe_refuses_at_once(
    call: Call, tmp_path: Path, name: str, edit: str, codes: set[str], command: str
) -> None:
    done = call(command, name, "--set", edit, cwd=tmp_path)
    assert (done.code, done.out, list(tmp_path.iterdir())) == (3, "", [])
    assert all(f"--set:1:1: error[{code}]" in done.err for code in codes)


@pytest.mark.parametrize("options", [["--epochs", "1"], ["--seeds", "2"]])
def test_a_run_of_another_length_or_seed_is_told_at_the_same_line(
    call: Call, tmp_path: Path, options: list[str]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(SOUND.replace("softmax]", "sigmoid]"), encoding="utf-8")
    done = call("train", path, *options, "--out", tmp_path / "run")
    assert (done.code, (tmp_path / "run").exists()) == (3, False)
    assert f"{path}:5:" in done.err


def test_a_network_that_goes_with_no_recipe_is_valid(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("archbuilder: 1\nextends: torchvision/resnet50\nname: mine\ninput: [640, 640, 1]\n")
    assert call("validate", path) == (0, f"{path}: valid\n", "")


def test_a_recipe_that_contradicts_itself_is_no_spec(call: Call) -> None:
    assert call("build", "resnet20_v1", "--set", "training.accumulate=64").code == 3
