"""The data of a training section: what is learned from, and what it is checked on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self, assert_never

from pydantic import BeforeValidator, Field, StrictInt, model_validator

from archbuilder.errors import UsageError
from archbuilder.formatting import counted
from archbuilder.spec.base import Fraction, Kind, Model, Text, one_of
from archbuilder.spec.short import Short, checks, one_of_short, problem
from archbuilder.spec.values import shown


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
    """PNG, JPEG and other images by class, under `train/`, `val/` and `test/` or right in the folder."""

    kind: Literal["image_folder"] = "image_folder"
    path: Text | None = Field(None, description="The folder, from where archbuilder is called; --data goes before it.")


class Csv(Kind):
    """A table with an image in each row, by its path from the table's folder on, and what it is labelled with."""

    kind: Literal["csv"] = "csv"
    path: Text | None = Field(None, description="The file, from where archbuilder is called; --data goes before it.")
    image: Text | None = Field(None, description="The column of paths; none: the one called path, file or image.")
    labels: tuple[Text, ...] = Field((), description="The columns of labels; none: label, or all that are left.")
    part: Text | None = Field(None, description="The column of train, val and test; none: the one called split.")


class Npz(Kind):
    """A NumPy archive with x_train, y_train, x_test and y_test: classes, flags or numbers, as the loss has it."""

    kind: Literal["npz"] = "npz"
    path: Text | None = Field(None, description="The file, from where archbuilder is called; --data goes before it.")


class TfRecord(Kind):
    """TFRecord files of tf.train.Example with image/encoded and image/class/label, `train-*` and `validation-*`."""

    kind: Literal["tfrecord"] = "tfrecord"
    path: Text | None = Field(None, description="The folder, from where archbuilder is called; --data goes before it.")


class Tfds(Kind):
    """A data set of TensorFlow Datasets, which is an extra: `pip install 'archbuilder[tfds]'`."""

    kind: Literal["tfds"] = "tfds"
    name: Text = Field(description="Its name there, such as imagenet2012 or oxford_flowers102.")


MAX_FOLDS = 1000
LabelKind = Literal["classes", "flags", "numbers"]
"""What an image is labelled with: its class, a 0 or 1 for each of several labels, or numbers."""
Source = Digits | Cifar10 | Cifar100 | ImageFolder | Csv | Npz | TfRecord | Tfds


def _check_amount(value: object) -> object:
    is_integer = isinstance(value, int) and not isinstance(value, bool)
    if (is_integer and isinstance(value, int) and value >= 1) or (isinstance(value, float) and 0 < value < 1):
        return value
    message = "a number of images (at least 1) or a share of them (between 0 and 1) is expected"
    raise problem(f"{message}, not {shown(value)}")


class Holdout(Short):
    """Training images that are set apart, by a shuffle; each class gives its share."""

    kind: Literal["holdout"] = "holdout"
    amount: Annotated[StrictInt | float, BeforeValidator(_check_amount)] = Field(
        0.1, description="How many images, or which share of them."
    )

    def count(self, total: int) -> int:
        """The number of training images that are set apart; raises UsageError where none would be left."""
        count = max(1, round(self.amount * total)) if isinstance(self.amount, float) else self.amount
        if count >= total:
            raise UsageError(
                f"{count} of {total} training images cannot be held out: nothing would be left to learn from"
            )
        return count


class Fold(Kind):
    """One of several parts of the training images, which are dealt by a shuffle of the seed, class by class."""

    kind: Literal["fold"] = "fold"
    number: Annotated[int, Field(strict=True, ge=1, le=MAX_FOLDS)] = Field(description="Which of them, from 1 on.")
    of: Annotated[int, Field(strict=True, ge=2, le=MAX_FOLDS)] = Field(description="How many there are.")

    @model_validator(mode="after")
    def _is_one_of_them(self) -> Self:
        if self.number > self.of:
            raise problem(f"there is no fold {self.number} of {self.of}", at="number")
        return self

    def count(self, total: int) -> int:
        """The number of images in it, which may be one more than in others; raises UsageError where some have none."""
        if self.of > total:
            raise UsageError(f"{counted(total, 'training image')} cannot be parted into {self.of} folds")
        return (total - self.number) // self.of + 1


class OnTest(Kind):
    """The test set itself, as in Keras' CIFAR-10 example; the best epoch is then chosen on the images that judge it."""

    kind: Literal["test"] = "test"


Validation = Holdout | Fold | OnTest


class Refuse(Kind):
    """All images that cannot be read are named, and nothing is learned."""

    kind: Literal["stop"] = "stop"


class Skip(Short):
    """Images that cannot be read are counted and left out."""

    kind: Literal["skip"] = "skip"
    most: Fraction = Field(0.05, description="The share of all images above which it stops all the same.")


Unreadable = Refuse | Skip


class Data(Model):
    """What is learned from, and what it is checked on."""

    source: Annotated[Source, *checks(one_of(Source, "data sets"))] = Field(
        description="digits, cifar10, cifar100, image_folder, csv, npz, tfrecord or tfds."
    )
    test: Annotated[Holdout, *checks(one_of_short(Holdout, "ways to come to test images"))] | None = Field(
        None, description="{holdout: images or share} of all images, where the data has no test images of its own."
    )
    validation: Annotated[Validation, *checks(one_of_short(Validation, "validations"))] | None = Field(
        None,
        description="{holdout: images or share} or {fold: {number, of}} of the training set, or test; none: val/, or "
        "{holdout: 0.1}.",
    )
    on_unreadable: Annotated[Unreadable, *checks(one_of_short(Unreadable, "answers to unreadable images"))] = Field(
        Refuse(), description="stop, or {skip: share}: leave out images that cannot be read, up to that share."
    )

    def held_out(self, total: int) -> int:
        """The number of training images that are not learned from, where the data has no part for validation."""
        validation = self.validation or Holdout()
        return 0 if isinstance(validation, OnTest) else validation.count(total)

    def set_apart(self, total: int) -> int:
        """The number of images that are set apart for testing."""
        return self.test.count(total) if self.test else 0


@dataclass(frozen=True)
class Known:
    """What is known of a data set."""

    name: str
    train_images: int
    """Those to be held out are among them."""
    classes: int
    labels: LabelKind = "classes"
    """What its images are labelled with; of flags and numbers, `classes` counts the columns."""
    names: tuple[str, ...] = ()
    """The names of the classes, if they are known."""
    shape: tuple[int, int, int] | None = None
    """The shape of its images; none where they take that of the input."""
    has_test: bool = True
    """Whether it has test images of its own."""


def known_of(source: Source) -> Known | None:
    """What is known of a data set before it is read; none where only the data itself tells."""
    match source:
        case Digits():
            return Known(source.kind, 1433, 10)
        case Cifar10():
            return Known(source.kind, 50_000, 10, shape=(32, 32, 3))
        case Cifar100():
            return Known(source.kind, 50_000, 100, shape=(32, 32, 3))
        case ImageFolder() | Csv() | Npz() | TfRecord() | Tfds():
            return None
        case _:
            assert_never(source)
