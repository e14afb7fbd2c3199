"""`archbuilder lint`: each rule where it applies and where it does not, at its place."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from archbuilder.errors import SpecError
from archbuilder.linting.fitting import FITTING
from archbuilder.linting.linting import lint
from archbuilder.linting.rules import RULES
from archbuilder.spec import bundled, load, load_text
from archbuilder.spec.data import Cifar10
from tests.conftest import Call

PAPERS = [name for name in bundled() if name.startswith(("he2015/", "he2016/"))]
SOUND = """\
archbuilder: 1
name: sound
input: [8, 8, 1]
stem: [{conv: {filters: 4, kernel: 3, l2: 0}}, norm, relu]
head: [global_average_pool, {dense: {units: 10}}, softmax]
training:
  data: {source: digits, validation: {holdout: 133}}
  augment: [{pad_crop: {pad: 2}}]
  batch_size: 130
  accumulate: 1
  stop: {epochs: 20}
  optimizer: {sgd: {momentum: 0.9, nesterov: true}}
  weight_decay: {coupled: 1e-4, kinds: [conv, dense]}
  learning_rate: {steps: {initial: 0.1, unit: epochs, drops: {10: 0.01}, warmup: {iterations: 10}}}
"""
CASES = [
    ("warmup: {iterations: 10}", "plateau: {combine: overruled}", "plateau-overruled", "plateau"),
    ("sgd: {momentum: 0.9, nesterov: true}", "adam: {}", "l2-with-adam", "coupled"),
    ("sgd: {momentum: 0.9, nesterov: true}", "rmsprop: {momentum: 0.9}", "l2-with-adam", "coupled"),
    ("[conv, dense]", "[conv, norm, bias]", "decay-on-norm", "kinds"),
    ("{holdout: 133}", "test", "best-on-test", "validation"),
    ("10: 0.01", "10: 0.01, 20: 0.001", "never-reached", "20"),
    ("unit: epochs, drops: {10:", "unit: iterations, drops: {200:", "never-reached", "200"),
    ("iterations: 10", "epochs: 25", "never-reached", "epochs"),
    ("{epochs: 20}", "{iterations: 99}", "never-reached", "10"),
    ("steps: {initial: 0.1, unit: epochs, drops: {10: 0.01}", "one_cycle: {peak: 1, unit: epochs, rise: 21", "never-reached", "rise"),
    ("steps: {initial: 0.1, unit: epochs, drops: {10: 0.01}", "exponential: {initial: 1, factor: 0.5, every: 20", "never-reached", "every"),
    ("steps: {initial: 0.1, unit: epochs, drops: {10: 0.01}", "piecewise: {unit: epochs, points: {5: 1, 30: 0.1, 40: 0}", "never-reached", "30"),
    ("steps: {initial: 0.1, unit: epochs, drops: {10: 0.01}", "plateau: {initial: 1, patience: 20", "patience-too-long", "patience"),
    ("accumulate: 1", "early_stopping: {patience: 20}", "patience-too-long", "patience"),
    ("pad: 2", "pad: 8", "padding-too-large", "pad"),
    ("pad_crop: {pad: 2}", "cutout: 8", "cutout-too-large", "cutout"),
    ("[{pad_crop: {pad: 2}}]\n  batch_size: 130", "[mixup: 0.2]\n  batch_size: 1", "mixing-one-image", "mixup"),
    ("holdout: 133", "holdout: 9", "holdout-size", "holdout"),
    ("holdout: 133", "holdout: 1424", "holdout-size", "holdout"),
    ("batch_size: 130", "batch_size: 1301", "batch-larger-than-data", "batch_size"),
    ("accumulate: 1", "accumulate: 66", "norm-on-one-image", "accumulate"),
    ("batch_size: 130", "batch_size: 1", "norm-on-one-image", "batch_size"),
    ("norm, relu]", "norm, point: here, relu]", "unused-point", "point"),
    ("momentum: 0.9", "momentum: 0", "nesterov-without-momentum", "nesterov"),
]  # fmt: skip


def codes(name: str, *edits: str) -> set[str]:
    return {warning.code for warning in lint(load(name, edits))}


def test_a_sound_recipe_has_no_contradictions() -> None:
    assert lint(load_text(SOUND)) == []


@pytest.mark.parametrize(("old", "new", "code", "token"), CASES)
def test_a_contradiction_is_shown_at_its_token(old: str, new: str, code: str, token: str) -> None:
    assert SOUND.count(old) == 1
    found = [(one.code, one.span) for one in lint(load_text(SOUND.replace(old, new)))]
    shown = [(code, span.text[span.column - 1 :][: span.length]) for code, span in found if span is not None]
    assert (code, token) in shown


@pytest.mark.parametrize("over", ["layer", "group, groups: 2", "instance"])
def test_a_norm_of_single_images_needs_no_others(over: str) -> None:
    alone = SOUND.replace("batch_size: 130", "batch_size: 1")
    assert "norm-on-one-image" in {one.code for one in lint(load_text(alone))}
    own = alone.replace("norm, relu", f"{{norm: {{over: {over}}}}}, relu")
    assert "norm-on-one-image" not in {one.code for one in lint(load_text(own))}


def test_training_that_stops_before_the_rate_can_fall() -> None:
    plateau = "training.learning_rate={plateau: {initial: 0.1, patience: 5}}"
    for patience, watch, expected in (
        (5, "loss", {"stops-before-plateau"}),
        (6, "loss", set()),
        (5, "accuracy", set()),
    ):
        early = f"training.early_stopping={{watch: validation_{watch}, patience: {patience}}}"
        assert codes("quickstart", plateau, early) == expected


def test_the_recipe_of_keras_example_has_its_flaws_named() -> None:
    assert codes("resnet20_v1") == {"plateau-overruled", "l2-with-adam", "best-on-test"}


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_recipes(name: str) -> None:
    """On CIFAR-10 they are silent; on ImageNet they choose on the images that judge, since no others are public."""
    recipe = load(name).training
    assert recipe is not None
    assert codes(name) == (set() if isinstance(recipe.data.source, Cifar10) else {"best-on-test"})


def test_a_longer_run_reaches_all_of_its_rates() -> None:
    assert "never-reached" in codes("resnet20_v1", "training.stop.epochs=181")
    assert "never-reached" not in codes("resnet20_v1", "training.stop.epochs=182")


def test_a_spec_without_a_recipe_has_none_to_judge() -> None:
    with pytest.raises(SpecError, match="does not say how it is trained"):
        lint(load_text("archbuilder: 1\nname: x\ninput: [8, 8, 1]\nhead: [flatten, {dense: {units: 2}}]\n"))


def test_each_rule_is_tested_and_explained() -> None:
    page = (Path(__file__).parents[2] / "docs" / "lint.md").read_text(encoding="utf-8")
    explained = re.findall(r"^\| `([a-z0-9-]+)`", page, re.MULTILINE)
    assert explained == [rule.code for rule in (*RULES, *FITTING)]
    assert {rule.code for rule in RULES} == {code for *_, code, _ in CASES} | {"stops-before-plateau"}


def test_exit_codes_and_json(call: Call) -> None:
    assert call("lint", "quickstart") == (0, "quickstart: no contradictions\n", "")
    code, out, _ = call("lint", "he2015/resnet20", "--json", "--set", "training.data.validation=test")
    [warning] = json.loads(out)
    assert (code, warning["code"], warning["file"], warning["line"]) == (1, "best-on-test", "--set", 1)
