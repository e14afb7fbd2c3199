"""The small files of a run, as models: what was changed, damaged or planted is told by its field, not met later.

What else a file notes, by other versions or for people alone, is kept but never looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archbuilder.aliases import Json, Precision
from archbuilder.bounded_files import BadFileError, bounded_bytes
from archbuilder.errors import MissingError

FORM = 1
"""The version of what a run folder holds, and how."""
MAX_BYTES = 2**24
"""Of a JSON file of a run: a resolved spec and the names of a million classes fit in."""
MAX_METRICS = 2**26
"""Of `metrics.jsonl`, where a line has some three hundred bytes."""
_LONGEST_FIELD = 80

Count = Annotated[int, Field(ge=0, le=2**53)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


TrackerName = Literal["csv", "tensorboard", "wandb"]
"""Another tool that gets the numbers of a run."""


class Record(BaseModel):
    """What all of these files have in common: exact types, finite numbers, nothing that is changed afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def to_json(self) -> Json:
        """What the file holds."""
        return self.model_dump(mode="json", exclude_unset=True)


class WeightChoices(Record):
    """What was decided where the file of first weights left something open."""

    assume_order: bool = False
    adapt_stem: bool = False
    part: str | None = None


class Scaling(Record):
    """What made the numbers of the training set standardised."""

    mean: list[float]
    deviation: list[Annotated[float, Field(gt=0)]]


class Data(Record):
    """What a run knows of its data."""

    name: str
    path: str | None
    origin: str
    fingerprint: str
    classes: list[str]
    train: Count
    validation: Count
    test: Count
    scaling: Scaling | None = None


class FirstWeights(Record):
    """The file that a run's weights came from."""

    path: str
    sha256: Sha256
    choices: WeightChoices = WeightChoices()


class Environment(Record):
    """`environment.json`: what a run began with."""

    model_config = ConfigDict(extra="allow")

    form: Count = 1
    """Of the version `FORM` of run folders."""
    created: str = ""
    """When the run began, as ISO 8601 has it, in UTC."""
    network: str = ""
    spec: str
    data: Data
    precision: Precision
    seed: Count
    versions: dict[str, str]
    backend: Literal["tensorflow", "jax"] = "tensorflow"
    frozen: list[str] = []
    log: list[TrackerName] = []
    """The trackers that get its numbers."""
    weights: FirstWeights | None = None


class Machine(Record):
    """`machine.json`: where a run was begun, which is nobody else's business."""

    host: str
    command: list[str]


class Best(Record):
    """The best epoch so far, by the value that the spec keeps the best of."""

    epoch: Count
    iteration: Count
    validation_accuracy: float | None = None
    validation_mae: float | None = None
    validation_loss: float | None = None


class Tested(Best):
    """What some weights come to on the test set."""

    test_loss: float
    test_accuracy: Share | None = None
    test_mae: Annotated[float, Field(ge=0)] | None = None


class End(Record):
    """Where a run ended that was stopped early."""

    epoch: Count
    iteration: Count


class Result(Record):
    """`result.json`: what a run came to."""

    best: Tested
    final: Tested
    stopped_early: End = End(epoch=0, iteration=0)


class Leg(Record):
    """What a finished run went on with: more epochs, and perhaps another learning rate."""

    begins: Annotated[int, Field(ge=1, le=2**53)]
    """How many iterations had been made."""
    epochs: Annotated[int, Field(ge=1, le=2**31)]
    """How many there are to be in all."""
    set: list[Annotated[str, Field(pattern=r"^training\.learning_rate[.=]")]]
    """Edits of the spec that make the rate of this leg, which counts from its beginning; none where it stays."""
    before: Result
    """What the run had come to."""


class Legs(Record):
    """`legs.json`: the legs of a run after the first, which is that of its spec."""

    legs: Annotated[list[Leg], Field(max_length=10_000)]


class Metrics(Record):
    """A line of `metrics.jsonl`: the numbers of an epoch."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    epoch: Count
    iteration: Count


class Sum(Record):
    """Size and SHA-256 of a file."""

    size: Count
    sha256: Sha256


class SavedWeights(Sum):
    """What is known of weights that were saved."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    iteration: Count = 0


class Weights(Record):
    """`weights.json`: the weights that were saved."""

    best: SavedWeights = SavedWeights(size=0, sha256="0" * 64)
    final: SavedWeights = SavedWeights(size=0, sha256="0" * 64)


class Divergence(Record):
    """`diverged.json`: why there was no sense in going on."""

    message: str


class Holder(Record):
    """`.holder.json`: the process that trains in a folder."""

    pid: Count
    host: str
    since: str


class Manifest(Record):
    """`manifest.json` of a checkpoint."""

    format: Count
    spec: str
    files: dict[str, Sum]


class Waiting(Record):
    """How long a value has not improved."""

    best: float | None
    waited: Count


class Plateau(Waiting):
    """The same, and what the learning rate has fallen to since."""

    factor: Share
    cooling: Count


class LowError(Record):
    """Whether the training error has been low enough."""

    reached: bool
    right: float
    count: float


class Progress(Record):
    """`progress.json` of a checkpoint: the few numbers beside its arrays."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    iteration: Count
    best: Best | None = None
    plateau: Plateau | None = None
    low_error: LowError | None = None
    early_stopping: Waiting | None = None


AnyRecord = TypeVar("AnyRecord", bound=BaseModel)


def read(path: Path, kind: type[AnyRecord]) -> AnyRecord:
    """A file of a run; raises MissingError that names the file and the field."""
    try:
        return parsed(bounded_bytes(path, MAX_BYTES, follow_links=False), kind)
    except BadFileError as error:
        raise unreadable(path, error) from error


def parsed(content: bytes, kind: type[AnyRecord]) -> AnyRecord:
    """Raises BadFileError with the first field that is not as it is written by a run."""
    try:
        return kind.model_validate_json(content)
    except ValidationError as error:
        raise BadFileError(_reason(error)) from error


def unreadable(path: Path, reason: object) -> MissingError:
    """That a file of a run is not what the run wrote, and what helps."""
    return MissingError(f"{path} cannot be read: {reason}; put back what the run wrote, or train anew")


def _reason(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(map(str, first["loc"]))
    shown = "".join(c if c.isprintable() else "?" for c in field)[:_LONGEST_FIELD]
    match first["type"]:
        case "json_invalid":
            return "it is no JSON, or nested too deeply"
        case "missing":
            return f"{shown} is missing in it"
        case "extra_forbidden":
            return f"{shown} has no place in it"
        case _:
            return f"{shown or 'what it holds'} is not of the kind that belongs there"
