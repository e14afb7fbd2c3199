"""The `training` section of a spec: everything that a run depends on, but for where the data lies and the machine."""

from __future__ import annotations

from typing import Annotated, Literal, Self, assert_never

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from archbuilder.bounds import PARTS
from archbuilder.spec.augmentation import Augmentations
from archbuilder.spec.base import Integer, Model, Positive, Text, one_of
from archbuilder.spec.data import Data, LabelKind
from archbuilder.spec.framing import AnyFraming, CentreCrop, Framing, Resize, TenCrop, Testing
from archbuilder.spec.learning_rate import Change, LearningRate, Plateau, Watched
from archbuilder.spec.normalisation import AnyNormalisation, PixelMean
from archbuilder.spec.optimization import (
    AdamW,
    BinaryCrossEntropy,
    Clip,
    CrossEntropy,
    Huber,
    Loss,
    MeanSquaredError,
    MovingAverage,
    Optimizer,
    WeightDecay,
)
from archbuilder.spec.preprocessing import Colours
from archbuilder.spec.short import Weight, checks, problem
from archbuilder.spec.values import shown

ClassWeight = Annotated[float, Field(strict=True, ge=0, le=1e6)]


def _named_by_text(value: object) -> object:
    """Names of classes may be numbers, as those of digits are."""
    match value:
        case None | str() | list() | tuple():
            return value
        case dict():
            return {str(name) if isinstance(name, int | float) else name: weight for name, weight in value.items()}
        case _:
            message = (
                f"balanced, a weight for each class by its name, or a list of them is expected, not {shown(value)}"
            )
            raise PydanticCustomError(
                "bad-training", "{message}", {"message": message, "hint": "such as class_weights: balanced"}
            )


def _form_of_weights(value: object) -> str:
    return "word" if isinstance(value, str) else "by name" if isinstance(value, dict) else "in order"


ClassWeights = Annotated[
    Annotated[Literal["balanced"], Tag("word")]
    | Annotated[dict[str, ClassWeight], Tag("by name")]
    | Annotated[tuple[ClassWeight, ...], Tag("in order")],
    Discriminator(_form_of_weights),
    BeforeValidator(_named_by_text),
]


class Stop(Model):
    """When training ends: after so many epochs, or after so many iterations."""

    epochs: Positive | None = Field(None, description="Passes over the training images.")
    iterations: Positive | None = Field(None, description="Updates of the weights.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.epochs is None) == (self.iterations is None):
            raise problem("training stops after either epochs or iterations: one of them is expected")
        return self


class EarlyStopping(Model):
    """Ends training before its time, when a value has not improved for some epochs."""

    watch: Watched = Field("validation_loss", description="The value that is to improve.")
    patience: Positive = Field(10, description="How many epochs without improvement end the training.")
    min_change: Change = Field(0.0, description="An improvement that is not larger does not count as one.")


class Keep(Model):
    """What a run leaves behind."""

    best: Watched = Field(
        "validation_accuracy", description="What the best weights are chosen by; for numbers, validation_mae."
    )
    last: Positive = Field(3, description="How many checkpoints are kept.")
    every_epochs: Positive = Field(1, description="How many epochs lie between two checkpoints.")


NAMES_ELSEWHERE = {
    "lr": "learning_rate", "rate": "learning_rate", "schedule": "learning_rate", "scheduler": "learning_rate",
    "lr_schedule": "learning_rate", "epochs": "stop.epochs", "max_epochs": "stop.epochs",
    "iterations": "stop.iterations", "max_steps": "stop.iterations", "batch": "batch_size", "optim": "optimizer",
    "dataset": "data", "source": "data.source", "split": "data.validation", "validation": "data.validation",
    "momentum": "optimizer.sgd.momentum", "wd": "weight_decay", "decay": "weight_decay", "augmentation": "augment",
    "augmentations": "augment", "transforms": "augment", "normalize": "normalise", "normalization": "normalise",
    "ema": "moving_average", "colors": "colours", "channel_order": "colours", "preprocessing": "normalise",
    "amp": "precision", "dtype": "precision", "patience": "early_stopping",
    "frozen": "freeze", "class_weight": "class_weights", "sampler": "sampling",
    "label_smoothing": "loss.cross_entropy.label_smoothing",
}  # fmt: skip
"""What other tools call the settings of a recipe, and where they stand here."""


class Training(Model):
    """The recipe by which a network is trained."""

    @classmethod
    def hint_for_key(cls, key: str) -> str | None:
        """Where something stands that other tools call so."""
        name = NAMES_ELSEWHERE.get(key.lower())
        return f"it is called training.{name}" if name else None

    data: Data = Field(description="The data set, and what of it is for validation.")
    normalise: AnyNormalisation = Field(
        PixelMean(),
        description="What happens to pixel/255: pixel_mean, channel_mean, channel_mean_std, channels, none.",
    )
    colours: Colours = Field(
        "rgb", description="The order of the channels that the network takes, and that `normalise` has: rgb or bgr."
    )
    augment: Augmentations = Field(
        (), description="What is done to the training images at random, in this order; framing steps come first."
    )
    testing: Testing = Field(
        (), description="The framing of the images that a network is judged by; none: the whole image, resized."
    )
    batch_size: Positive = Field(128, description="Images in an iteration.")
    accumulate: Positive = Field(
        1, description="Into how many parts a batch is split, one after the other, to need less memory."
    )
    synchronise_norms: bool = Field(
        False, description="Whether norms take the statistics of the whole batch where several devices share it."
    )
    stop: Stop = Field(description="When training ends.")
    early_stopping: EarlyStopping | None = Field(None, description="What ends it before its time.")
    loss: Annotated[Loss, *checks(one_of(Loss, "losses"))] = Field(
        CrossEntropy(),
        description="What training makes small: cross_entropy, binary_cross_entropy, mean_squared_error, huber.",
    )
    class_weights: ClassWeights | None = Field(
        None,
        description="What the loss of an image is multiplied by: balanced, {class: weight}, or one for each class.",
    )
    sampling: Literal["shuffled", "balanced"] = Field(
        "shuffled", description="Each image once an epoch; or drawn with replacement, each class as often."
    )
    freeze: tuple[Text, ...] = Field(
        (),
        max_length=PARTS,
        description="Parts whose weights stay as they are, such as stem or stage1; norms are all norms.",
    )
    rate_factors: dict[str, Weight] = Field(
        {}, max_length=PARTS, description="What the learning rate of a part is multiplied by: {head: 10, stem: 0.1}."
    )
    optimizer: Annotated[Optimizer, *checks(one_of(Optimizer, "optimizers"))] = Field(
        description="How the weights are updated."
    )
    weight_decay: WeightDecay | None = Field(None, description="Pulls weights to zero; excludes l2 of the layers.")
    clip: Clip | None = Field(None, description="Makes large gradients small.")
    moving_average: MovingAverage | None = Field(None, description="Averages of the weights, kept in their place.")
    learning_rate: LearningRate = Field(description="The rate of each iteration.")
    keep: Keep = Field(default_factory=Keep, description="What a run leaves behind.")
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "auto", description="What it is computed in; auto takes the fastest that was shown to reach the same accuracy."
    )
    xla: bool = Field(
        False, description="Whether XLA compiles the network and its gradients: for GPUs; on JAX it always does."
    )
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = Field(0, description="Decides everything that is random.")

    @model_validator(mode="after")
    def _goes_together(self) -> Self:
        if self.accumulate > self.batch_size:
            raise problem(f"a batch of {self.batch_size} cannot be split into {self.accumulate}", at="accumulate")
        if self.accumulate > 1 and self.synchronise_norms:
            raise problem("norms cannot be synchronised over a batch in parts", at="synchronise_norms")
        if self.synchronise_norms and self.xla:
            raise problem("XLA cannot compile norms that several devices share", at="xla")
        return self

    @model_validator(mode="after")
    def _adamw_decays(self) -> Self:
        decoupled = self.weight_decay is not None and self.weight_decay.decoupled is not None
        if isinstance(self.optimizer, AdamW) and not decoupled:
            raise problem("adamw needs `weight_decay: {decoupled: ...}`; without it, it is adam", at="optimizer")
        return self

    @model_validator(mode="after")
    def _watches_what_is_measured(self) -> Self:
        """The best is chosen by the accuracy, or for numbers by their mean absolute error."""
        needed = self.measured
        if "best" not in self.keep.model_fields_set and self.keep.best != needed:
            object.__setattr__(self, "keep", self.keep.model_copy(update={"best": needed}))
        rate = self.learning_rate
        plateau = rate if isinstance(rate, Plateau) else rate.plateau
        watching = {
            "keep": self.keep.best,
            "early_stopping": self.early_stopping and self.early_stopping.watch,
            "learning_rate": plateau and plateau.watch,
        }
        for place, watched in watching.items():
            if watched not in (None, "validation_loss", needed):
                raise problem(f"{self.loss.kind} has no {watched}: watch {needed} or validation_loss", at=place)
        return self

    @property
    def measured(self) -> Watched:
        """What chooses the best weights where nothing else is said."""
        return "validation_mae" if self.is_regression else "validation_accuracy"

    @property
    def is_regression(self) -> bool:
        """Whether numbers are learned, not classes or labels."""
        return isinstance(self.loss, MeanSquaredError | Huber)

    @property
    def labels(self) -> LabelKind:
        """What the loss learns from."""
        match self.loss:
            case CrossEntropy():
                return "classes"
            case BinaryCrossEntropy():
                return "flags"
            case MeanSquaredError() | Huber():
                return "numbers"
            case _:
                assert_never(self.loss)

    @property
    def is_framed(self) -> bool:
        """Whether images are taken at their own size."""
        return bool(self.testing) or any(isinstance(step, Framing) for step in self.augment)

    @property
    def training_frame(self) -> tuple[AnyFraming, ...]:
        """The framing of the training images."""
        return tuple(step for step in self.augment if isinstance(step, Framing)) or (Resize(),)

    @property
    def testing_frame(self) -> tuple[AnyFraming, ...]:
        """The framing of the images that a trained network is judged by."""
        return self.testing or (Resize(),)

    @property
    def quick_frame(self) -> tuple[AnyFraming, ...]:
        """The framing after each epoch and for statistics: the middle instead of ten crops."""
        return tuple(CentreCrop() if isinstance(step, TenCrop) else step for step in self.testing_frame)
