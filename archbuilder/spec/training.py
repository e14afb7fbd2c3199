"""The `training` section of a spec: everything that a run depends on, but for where the data lies and the machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, StrictInt, field_validator, model_serializer, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import PydanticCustomError

from archbuilder.spec.base import Flag, Integer, Kind, Model, Positive, Text, named, one_of
from archbuilder.spec.learning_rate import LearningRate
from archbuilder.spec.values import shown

Factor = Annotated[float, Field(strict=True, ge=0, lt=1)]
Weight = Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)]


def _problem(message: str, at: str | None = None) -> PydanticCustomError:
    return PydanticCustomError("bad-training", "{message}", {"message": message} | ({"at": at} if at else {}))


class Short(Kind):
    """A member of a union with one field, which may stand right under its name: `{holdout: 5000}`."""

    @classmethod
    def _settings_schema(cls, schema: JsonSchemaValue) -> JsonSchemaValue:
        settings = super()._settings_schema(schema)
        [only] = settings["properties"].values()
        return {"description": schema.get("description", ""), "anyOf": [settings, only]}

    @model_serializer(mode="wrap")
    def _under_its_name(self, handler: Callable[[Any], dict[str, Any]]) -> Any:
        [value] = [value for key, value in handler(self).items() if key != "kind"]
        return {self.kind: value}


def _one_of_short(union: Any, plural: str) -> Any:
    """`one_of`, where the members that are `Short` may be written short."""
    kinds = [member.model_fields["kind"].default for member in union.__args__]
    fields = {
        member.model_fields["kind"].default: next(name for name in member.model_fields if name != "kind")
        for member in union.__args__
        if issubclass(member, Short)
    }

    def lengthen(value: object) -> object:
        if isinstance(value, Short):
            value = value.model_dump()
        if isinstance(value, dict) and len(value) == 1:
            [(name, content)] = value.items()
            if name in fields and not isinstance(content, dict):
                return {name: {fields[name]: content}}
            if name not in kinds:
                return {name: {}}  # for the message that there is no such thing, whatever its settings
        return value

    return Annotated[one_of(union, plural), BeforeValidator(lengthen)]


def _checks(union: Any) -> tuple[Any, ...]:
    """What `one_of` adds to a union; standing apart, it leaves the union itself to the type checker."""
    return tuple(union.__metadata__)


class Digits(Kind):
    """scikit-learn's 1,797 handwritten digits, enlarged to the input's size; they need no download."""

    kind: Literal["digits"] = "digits"


class Cifar10(Kind):
    """CIFAR-10: 50,000 and 10,000 images of 32x32 in ten classes (Krizhevsky 2009)."""

    kind: Literal["cifar10"] = "cifar10"


class Cifar100(Kind):
    """CIFAR-100: 50,000 and 10,000 images of 32x32 in a hundred classes (Krizhevsky 2009)."""

    kind: Literal["cifar100"] = "cifar100"


class ImageFolder(Kind):
    """PNG and JPEG files under `train/<class>/` and `test/<class>/`, resized to the input's size."""

    kind: Literal["image_folder"] = "image_folder"
    path: Text | None = Field(None, description="The folder, from where archbuilder is called; --data goes before it.")


class Npz(Kind):
    """A NumPy archive with x_train, y_train, x_test and y_test."""

    kind: Literal["npz"] = "npz"
    path: Text | None = Field(None, description="The file, from where archbuilder is called; --data goes before it.")


Source = Digits | Cifar10 | Cifar100 | ImageFolder | Npz


def _check_amount(value: object) -> object:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if (is_integer and isinstance(value, int) and value >= 1) or (isinstance(value, float) and 0 < value < 1):
        return value
    message = "a number of images (at least 1) or a share of them (between 0 and 1) is expected"
    raise _problem(f"{message}, not {shown(value)}")


class Holdout(Short):
    """Training images that are set apart, by a shuffle of the seed; each class gives its share."""

    kind: Literal["holdout"] = "holdout"
    amount: Annotated[StrictInt | float, BeforeValidator(_check_amount)] = Field(
        0.1, description="How many images, or which share of them."
    )


class OnTest(Kind):
    """The test set itself, as the reference code does; the best epoch is then chosen on the images that judge it."""

    kind: Literal["test"] = "test"


Validation = Holdout | OnTest


class Data(Model):
    """What is learned from, and what it is checked on."""

    source: Annotated[Source, *_checks(one_of(Source, "data sets"))] = Field(
        description="digits, cifar10, cifar100, image_folder or npz."
    )
    validation: Annotated[Validation, *_checks(_one_of_short(Validation, "validations"))] = Field(
        Holdout(), description="{holdout: images or share} of the training set, or test."
    )


class Shift(Kind):
    """Moves each image by a random distance along both axes, with bilinear interpolation."""

    kind: Literal["shift"] = "shift"
    fraction: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(
        0.1, description="The largest distance as a share of the image's height and width."
    )
    fill: Literal["nearest", "zero"] = Field("nearest", description="What comes in: the border's pixels, or zeros.")


class PadCrop(Kind):
    """Zeros around the normalised image, and a random crop of its old size (He et al. 2015, section 4.2)."""

    kind: Literal["pad_crop"] = "pad_crop"
    pad: Annotated[int, Field(strict=True, ge=1, le=512)] = Field(4, description="How many zeros on each side.")


class Flip(Short):
    """Mirrors every second image, at random."""

    kind: Literal["flip"] = "flip"
    direction: Literal["horizontal", "vertical"] = Field("horizontal", description="horizontal swaps left and right.")


Augmentation = Shift | PadCrop | Flip


class Stop(Model):
    """When training ends: after so many epochs, or after so many iterations."""

    epochs: Positive | None = Field(None, description="Passes over the training images.")
    iterations: Positive | None = Field(None, description="Updates of the weights.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.epochs is None) == (self.iterations is None):
            raise _problem("training stops after either epochs or iterations: one of them is expected")
        return self


class CrossEntropy(Model):
    """The cross-entropy of the softmax with the labels."""

    label_smoothing: Factor = Field(0.0, description="The share of each label that is spread over all classes.")


class Loss(Model):
    """What training makes small, besides the weights themselves."""

    cross_entropy: CrossEntropy = Field(default_factory=CrossEntropy, description="The only one there is so far.")


class Sgd(Kind):
    """Stochastic gradient descent, with the rate inside the velocity (`v = momentum * v - rate * gradient`)."""

    kind: Literal["sgd"] = "sgd"
    momentum: Factor = Field(0.9, description="The share of the velocity that is kept.")
    nesterov: Flag = Field(False, description="Whether the gradient is taken ahead of the velocity.")


class Adam(Kind):
    """Adam (arXiv:1412.6980), with Keras' defaults."""

    kind: Literal["adam"] = "adam"
    beta_1: Factor = Field(0.9, description="The share of the old mean of the gradients that is kept.")
    beta_2: Factor = Field(0.999, description="The share of the old mean of their squares that is kept.")
    epsilon: Weight = Field(1e-7, description="Added to the root of the mean square.")


class AdamW(Adam):
    """Adam with decoupled weight decay (arXiv:1711.05101), whose amount stands in `weight_decay`."""

    kind: Literal["adamw"] = "adamw"  # type: ignore[assignment]


Optimizer = Sgd | Adam | AdamW
Weighted = Literal["conv", "dense", "norm", "bias"]


class WeightDecay(Model):
    """Pulls weights to zero; either coupled, `x * w` in the gradient, or decoupled, `w -= rate * x * w`."""

    coupled: Weight | None = Field(None, description="As the papers and PyTorch: adds it times w to the gradient.")
    decoupled: Weight | None = Field(None, description="As AdamW and SGDW: takes rate times it times w off w.")
    on: tuple[Weighted, ...] = Field(
        ("conv", "dense"), description="Kernels of conv and dense layers, norm (scale and shift), bias."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.coupled is None) == (self.decoupled is None):
            raise _problem("weight decay is either coupled or decoupled: one of them is expected")
        return self

    @field_validator("on")
    @classmethod
    def _on_something(cls, on: tuple[Weighted, ...]) -> tuple[Weighted, ...]:
        if not on:
            raise _problem("at least one of conv, dense, norm, bias is expected")
        return on


class Keep(Model):
    """What a run leaves behind."""

    best: Literal["validation_accuracy", "validation_loss"] = Field(
        "validation_accuracy", description="What the best weights are chosen by."
    )
    last: Positive = Field(3, description="How many checkpoints are kept.")
    every_epochs: Positive = Field(1, description="How many epochs lie between two checkpoints.")


class Training(Model):
    """How a network is trained."""

    data: Data = Field(description="The data set, and what of it is for validation.")
    normalise: Literal["pixel_mean", "channel_mean_std", "none"] = Field(
        "pixel_mean",
        description="What happens to pixel/255: the mean image of the training set comes off; or each channel's mean, "
        "and it is divided by the channel's deviation; or nothing.",
    )
    augment: tuple[Annotated[Augmentation, *_checks(_one_of_short(Augmentation, "augmentations"))], ...] = Field(
        (), description="What is done to the training images at random, in this order."
    )
    batch_size: Positive = Field(128, description="Images in an iteration.")
    stop: Stop = Field(description="When training ends.")
    loss: Annotated[Loss, BeforeValidator(lambda value: _loss(value))] = Field(
        default_factory=Loss, description="What training makes small."
    )
    optimizer: Annotated[Optimizer, *_checks(one_of(Optimizer, "optimizers"))] = Field(
        description="How the weights are updated."
    )
    weight_decay: WeightDecay | None = Field(None, description="Pulls weights to zero; excludes l2 of the layers.")
    learning_rate: LearningRate = Field(description="The rate of each iteration.")
    keep: Keep = Field(default_factory=Keep, description="What a run leaves behind.")
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = Field(
        "auto", description="What it is computed in; auto takes the fastest that was shown to reach the same accuracy."
    )
    seed: Annotated[Integer, Field(ge=0, lt=2**31)] = Field(0, description="Decides everything that is random.")

    @model_validator(mode="after")
    def _adamw_decays(self) -> Self:
        decoupled = self.weight_decay is not None and self.weight_decay.decoupled is not None
        if isinstance(self.optimizer, AdamW) and not decoupled:
            raise _problem("adamw needs `weight_decay: {decoupled: ...}`; without it, it is adam", at="optimizer")
        return self


def _loss(value: object) -> object:
    """Also reads the plain name of a loss."""
    if isinstance(value, Loss):
        return value
    name, fields = named(value, "losses")
    return {name: fields}
