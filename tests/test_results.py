"""What README and docs say of measured runs is what the runs left in `docs/measured/`, made by the commands that are shown."""

from __future__ import annotations

import csv
import json
import re
import shlex
import statistics
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

import archbuilder
from archbuilder.aliases import Json
from archbuilder.spec.training import Training

ROOT = Path(__file__).parent.parent
MEASURED, DEGRADATION = ROOT / "docs" / "measured", ROOT / "examples" / "degradation"
RUNS = sorted(file.parent.relative_to(MEASURED).as_posix() for file in MEASURED.rglob("result.json"))
Row = list[str]


@cache
def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(heading: str) -> str:
    """What stands in `docs/results.md` below a heading, up to the next one."""
    return page("docs/results.md").split(f"\n{heading}\n", 1)[1].split("\n#", 1)[0]


def rows(text: str) -> list[Row]:
    """The cells of all tables in it, without lines."""
    lines = (line for line in text.splitlines() if re.match(r"\| (?!-)", line))
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]


def named(text: str) -> dict[str, Row]:
    """Rows by the code that they begin with."""
    return {found[1]: row for row in rows(text) if (found := re.match("`([^`]*)`", row[0]))}


def last(run: str) -> Json:
    return metrics(run)[-1]


@cache
def metrics(run: str) -> list[Json]:
    return [json.loads(line) for line in (MEASURED / run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def accuracy(run: str, which: str = "final") -> float:
    result: Json = json.loads((MEASURED / run / "result.json").read_text(encoding="utf-8"))
    return float(result[which]["test_accuracy"])


def percent(share: float) -> str:
    return f"{100 * share:.2f} %"


def trained(spec: str | Path, *edits: str) -> Training:
    """The recipe of a spec, without what is kept of a run, by which nothing is decided."""
    training = archbuilder.load(spec, edits).training
    assert training is not None
    return training.model_copy(update={"keep": None})


def as_measured(run: str) -> Training:
    return trained(MEASURED / run / "spec.yaml")


def command(text: str, number: int = 0) -> tuple[str, list[str]]:
    """The network and the edits of one of the commands that are shown."""
    shown = re.findall(r"^    (?:KERAS_BACKEND=jax )?archbuilder (train (?:.*\\\n)*.*)$", text, re.MULTILINE)
    words = shlex.split(shown[number])
    return words[1], [edit for option, edit in pairwise(words) if option == "--set"]


CANDIDATES = named(section("### Looking for a better recipe"))
INGREDIENTS = named(section("### What each ingredient brings"))
SEEDS = range(3)
ALL_IMAGES = [run for run in RUNS if "all_images" in run]


def test_every_run_is_quoted() -> None:
    quoted = {"he2015/resnet20", *(f"degradation/{file.stem}" for file in DEGRADATION.glob("*.yaml"))}
    quoted |= {"resnet20_fast/whole", *(f"resnet20_fast/{name}" for name in CANDIDATES)}
    quoted |= {five(name, seed) for name in INGREDIENTS for seed in SEEDS}
    assert set(RUNS) == quoted | set(ALL_IMAGES)
    assert len(ALL_IMAGES) == 3


def test_the_network_of_the_paper() -> None:
    text, run = section("## The paper's ResNet-20"), "he2015/resnet20"
    spec, edits = command(text)
    assert (spec, trained(spec, *edits)) == (run, as_measured(run))
    (published,) = archbuilder.load(run).network.published
    final = 1 - accuracy(run)
    assert [row[1:] for row in rows(text)[1:]] == [
        [f"{published.error:.2f} %", percent(final), percent(1 - accuracy(run, "best"))]
    ]
    assert (
        f"64,000 iterations, {len(metrics(run))} epochs, in {sum(line['seconds'] for line in metrics(run)):.0f} seconds"
        in text
    )
    assert last(run)["iteration"] == 64_000
    assert f"{percent(final)} test error (published: {published.error:.2f} %)" in page("README.md")


@pytest.mark.parametrize("name", CANDIDATES)
def test_candidates(name: str) -> None:
    run, (_, edits, validation, test) = f"resnet20_fast/{name}", CANDIDATES[name]
    spec, common = command(section("### Looking for a better recipe"))
    assert trained(spec, *common, *re.findall("`([^`]*)`", edits)) == as_measured(run)
    assert (validation, test) == (percent(last(run)["validation_accuracy"]), percent(accuracy(run)))


def test_candidates_stand_in_the_order_of_held_out_images() -> None:
    accuracies = [float(row[2].removesuffix(" %")) for row in CANDIDATES.values()]
    assert accuracies == sorted(accuracies, reverse=True)


def test_all_images() -> None:
    text = section("### Looking for a better recipe")
    spec, edits = command(text, 1)
    accuracies = [accuracy(run) for run in ALL_IMAGES]
    for seed, run in enumerate(ALL_IMAGES):
        assert trained(spec, *edits, f"training.seed={seed}") == as_measured(run)
    (shown,) = (row for row in rows(text) if row[0] == "test accuracy")
    assert shown[1:] == [*map(percent, accuracies), spread(accuracies)]
    assert f"missed by {91.25 - 100 * statistics.mean(accuracies):.2f} points" in text


def test_the_whole_command() -> None:
    """Its accuracy and its time, in the page and in README, and the run of the recipe as it is."""
    text, run = section("## resnet20_fast: CIFAR-10 in half an hour"), "resnet20_fast/whole"
    spec, edits = command(text)
    assert trained(spec, *edits) == as_measured(run)
    seconds = json.loads((MEASURED / run / "seconds.json").read_text(encoding="utf-8"))
    minutes = f"{seconds['train'] / 60:.1f} minutes"
    assert f"**{percent(accuracy(run))} test accuracy after {minutes}**" in text
    assert accuracy(run, "best") == accuracy(run)  # the page says that the best weights are the final ones
    assert f"| {100 * accuracy(run):.1f} % test accuracy after {minutes} |" in page("README.md")


@pytest.mark.parametrize("name", INGREDIENTS)
def test_ingredients(name: str) -> None:
    text = section("### What each ingredient brings")
    spec, _ = command(text)
    edits = ["", *re.findall(r"^    \.\.\. (.*)$", text, re.MULTILINE)][[*INGREDIENTS].index(name)]
    said = ["training.stop={epochs: 5}", *shlex.split(edits)[1::2]]
    for seed in SEEDS:
        assert trained(spec, *said, f"training.seed={seed}") == as_measured(five(name, seed))
    accuracies = [accuracy(five(name, seed)) for seed in SEEDS]
    assert INGREDIENTS[name][1:] == [*map(percent, accuracies), spread(accuracies), difference(name, accuracies)]


def test_both_precisions() -> None:
    text = section("## bfloat16 beside float32")
    for name, words in (("float32", "float32"), ("as_it_is", "bfloat16")):
        assert f"{spread([accuracy(five(name, seed)) for seed in SEEDS])} in {words}" in text


def five(name: str, seed: int) -> str:
    """One of the runs of five epochs."""
    return f"resnet20_fast/five/{name}-{seed}"


def spread(values: list[float]) -> str:
    return f"{100 * statistics.mean(values):.2f} ± {100 * statistics.stdev(values):.2f} %"


def difference(name: str, accuracies: list[float]) -> str:
    """What a run has beside the first row, seed by seed."""
    if name == "as_it_is":
        return ""
    apart = [100 * (one - accuracy(five("as_it_is", seed))) for seed, one in enumerate(accuracies)]
    return f"{statistics.mean(apart):+.2f} ± {statistics.stdev(apart):.2f}"


@pytest.mark.parametrize("name", sorted(file.stem for file in DEGRADATION.glob("*.yaml")))
def test_degradation(name: str) -> None:
    run = f"degradation/{name}"
    assert trained(DEGRADATION / f"{name}.yaml") == as_measured(run)
    assert archbuilder.expand(DEGRADATION / f"{name}.yaml") == archbuilder.expand(MEASURED / run / "spec.yaml")
    (shown,) = (row for row in rows(page("examples/degradation/README.md")) if row[0] == name)
    end = last(run)
    assert shown[1:] == [
        percent(1 - end["accuracy"]), percent(1 - end["validation_accuracy"]), percent(1 - accuracy(run)),
        f"{sum(line['seconds'] for line in metrics(run)):.0f}",
    ]  # fmt: skip
    with (DEGRADATION / "degradation.csv").open(newline="", encoding="utf-8") as file:
        lines = [line for line in csv.DictReader(file) if line["network"] == name]
    assert [(float(line["training_error"]), float(line["validation_error"])) for line in lines] == [
        (round(100 * (1 - line["accuracy"]), 2), round(100 * (1 - line["validation_accuracy"]), 2))
        for line in metrics(run)
    ]


def test_speed_of_a_gpu() -> None:
    words = {"bfloat16": "bfloat16", "tf32": "float32, TF32", "highest": "float32, exact"}
    found: dict[tuple[str, ...], list[int]] = {}
    for text in (MEASURED / "speed.jsonl").read_text(encoding="utf-8").splitlines():
        line = json.loads(text)
        key = (f"`{line['spec']}`", words[line["products"]], str(line["side_by_side"]))
        found.setdefault(key, []).append(round(line["images_per_second"] / 128))
    shown = {tuple(row[:3]): row[3] for row in rows(section("### On a GPU"))[1:]}
    assert shown == {key: " to ".join(map(str, sorted({min(rates), max(rates)}))) for key, rates in found.items()}
    alone = found["`resnet20_fast`", "bfloat16", "1"]
    assert f"| {alone[0]} iterations a second |" in page("README.md")
