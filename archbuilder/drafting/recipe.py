"""The recipe of a new spec: one that learns without tuning, from scratch or from the weights of others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from archbuilder.drafting.network import FEW, Draft
from archbuilder.drafting.survey import Survey
from archbuilder.graph.network import Graph
from archbuilder.graph.parts import left
from archbuilder.spec.document import Data
from archbuilder.spec.preprocessing import PREPROCESSING
from archbuilder.spec.training import Training

TEST, VALIDATION = 0.2, 0.1
SEEN = 20_000
"""How many images a small network sees until it has learned, each counted as often as it is seen."""
FEWEST_EPOCHS, MOST_EPOCHS = 25, 80
IMBALANCED = 3


@dataclass(frozen=True)
class Line:
    """A key of the recipe with its value, and why it is so."""

    key: str
    value: Data
    why: str = ""
    whys: Mapping[str, str] = field(default_factory=dict)
    """Why the keys below it are so."""


def from_scratch(found: Survey, draft: Draft) -> list[Line]:
    """A recipe for images that are few or many, none of which says anything but by its pixels."""
    many = found.images >= FEW
    batch = 128 if many else 32 if found.images >= 1_000 else 16
    epochs = 30 if many else _epochs(found.images)
    return [
        *_data(found),
        Line("normalise", "channel_mean_std", "of the images to learn from"),
        *_augment(found, draft),
        Line("batch_size", batch),
        Line("stop", {"epochs": epochs}),
        *_loss(found),
        Line("optimizer", {"sgd": {"momentum": 0.9, "nesterov": True}}),
        *_decay(draft.graph, 5e-4),
        Line("learning_rate", {"one_cycle": {"peak": 0.1 if many else 0.05}}, "up, then down to 0 at the end"),
        *_averaged(found),
        *_keep(found, epochs),
    ]


def fine_tuning(found: Survey, draft: Draft) -> list[Line]:
    """A recipe that changes the weights of others little: a small rate, early parts and norms frozen."""
    epochs = max(3, min(20, SEEN // found.images))
    frozen = _frozen(draft.graph, found)
    return [
        *_data(found),
        *_prepared(draft),
        *_augment(found, draft),
        Line("batch_size", 32 if found.images >= 256 else 16),
        Line("stop", {"epochs": epochs}),
        *_loss(found),
        Line("freeze", [*frozen], "as they came: there are too few images to learn them anew"),
        Line("rate_factors", {"head": 10}, "it begins fresh"),
        Line("optimizer", {"sgd": {"momentum": 0.9, "nesterov": True}}),
        *_decay(draft.graph, 1e-4),
        Line("learning_rate", {"cosine": {"initial": 1e-3, "warmup": {"epochs": 1}}}, "small, so that little is lost"),
        *_keep(found, epochs),
    ]


def _epochs(images: int) -> int:
    return max(FEWEST_EPOCHS, min(MOST_EPOCHS, round(SEEN / max(1, images * (1 - TEST) * (1 - VALIDATION)))))


def _data(found: Survey) -> Iterator[Line]:
    data: dict[str, Data] = {"source": {found.source: {"path": str(found.path)}}}
    if not found.has_test:
        data["test"] = {"holdout": TEST}
    data["validation"] = None if found.has_validation else {"holdout": VALIDATION}
    if found.source != "npz":
        data["on_unreadable"] = "skip"
    by_class = "of each class" if found.kind == "classes" else "of the images"
    whys = {
        "source": "from where archbuilder is called; --data goes before it",
        "test": f"a fifth {by_class} judges the network at the end, and is seen before by nobody",
        "validation": "the part that the data has"
        if found.has_validation
        else f"a tenth {by_class} that is left judges each epoch",
        "on_unreadable": "a few images that are broken stop nothing; they are counted and named",
    }
    yield Line("data", data, whys=whys)


def _augment(found: Survey, draft: Draft) -> Iterator[Line]:
    """Small shifts, and one small change more: mirrored or turned far, an image may be of another class."""
    resized = found.source == "npz" and (found.sizes.height, found.sizes.width) != draft.input[:2]
    shift: Data = {"pad_crop": {"pad": max(1, draft.side // 10), "fill": "reflect"}}
    change: list[Data] = [{"rand_augment": {"operations": 1, "magnitude": 9}}] if found.channels in (1, 3) else []
    why = "add `- flip` where a mirror image is of the same class"
    yield Line("augment", [*(["resize"] if resized else []), *change, shift], why)
    if resized:
        yield Line("testing", ["resize"], "to the input's size, here as above")


def _loss(found: Survey) -> Iterator[Line]:
    if found.kind == "flags":
        yield Line("loss", "binary_cross_entropy", "several labels an image")
    elif found.kind == "numbers":
        yield Line("loss", "mean_squared_error", "numbers; they are standardised")
    else:
        counts = [count for count in found.counts if count]
        if max(counts) >= IMBALANCED * min(counts):
            yield Line("class_weights", "balanced", f"the classes have {min(counts):,} to {max(counts):,} images")


def _decay(graph: Graph, rate: float) -> Iterator[Line]:
    """None where the layers say it themselves."""
    if not any(weight.l2 for node in graph.nodes for weight in node.weights):
        yield Line("weight_decay", {"coupled": rate, "kinds": ["conv", "dense"]})


def _averaged(found: Survey) -> Iterator[Line]:
    """Over about fifty iterations; of many images, the last epochs at a small rate do the same."""
    if found.images < FEW:
        yield Line("moving_average", {"decay": 0.98}, "steadier from epoch to epoch")


def _keep(found: Survey, epochs: int) -> Iterator[Line]:
    few = found.images < FEW
    keep: dict[str, Data] = {"best": "validation_loss" if few or found.kind == "numbers" else "validation_accuracy"}
    why = "of few images, the loss tells more than the accuracy" if few else ""
    yield Line("keep", {**keep, "every_epochs": max(1, epochs // 10)}, why)


def _prepared(draft: Draft) -> Iterator[Line]:
    """How the images have to arrive, if the bundled spec says so; it is never guessed."""
    said = draft.spec.network.weights
    if said is None:
        yield Line(
            "normalise", "channel_mean_std", f"{draft.base} does not say what its weights expect: see docs/weights.md"
        )
        return
    known = PREPROCESSING[said.preprocessing]
    normalise = known.normalise.model_dump()
    yield Line("normalise", _plain(normalise), f"as in {said.preprocessing}, which the weights of {draft.base} expect")
    yield Line("colours", known.colours, "blue first, as do they" if known.colours == "bgr" else "")


def _plain(value: object) -> Data:
    """Lists for tuples, and numbers of no more digits than they were written with."""
    match value:
        case dict():
            return {key: _plain(one) for key, one in value.items()}
        case tuple() | list():
            return [_plain(one) for one in value]
        case _:
            return value


def _frozen(graph: Graph, found: Survey) -> list[str]:
    """Norms, and the stem with the first stages: all but the last where images are few."""
    stages = sorted({node.name.split("/")[0] for node in graph.nodes if node.name.startswith("stage")}, key=_number)
    early = stages[:-1] if found.images < FEW else stages[:1]
    there = left(graph, ())
    return [part for part in ("stem", *early, "norms") if part in there]


def _number(stage: str) -> int:
    return int(stage.removeprefix("stage"))


def model_of(lines: list[Line]) -> Training:
    """The recipe as it is meant, whatever the bundled spec says."""
    return Training.model_validate({line.key: line.value for line in lines})
