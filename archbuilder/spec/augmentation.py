"""The augmentations of a training section."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from archbuilder.spec.base import Fraction, Kind
from archbuilder.spec.framing import Framing, check_sizes
from archbuilder.spec.short import Short, Weight, checks, one_of_short

Alpha = Annotated[float, Field(strict=True, gt=0, le=100)]


class Shift(Kind):
    """Moves each image by a random distance along both axes, with bilinear interpolation."""

    kind: Literal["shift"] = "shift"
    fraction: Annotated[float, Field(strict=True, gt=0, lt=1)] = Field(
        0.1, description="The largest distance as a share of the image's height and width."
    )
    fill: Literal["nearest", "zero"] = Field("nearest", description="What comes in: the border's pixels, or zeros.")


class PadCrop(Kind):
    """Pixels around the image, and a random crop of its old size (He et al. 2015, section 4.2)."""

    kind: Literal["pad_crop"] = "pad_crop"
    pad: Annotated[int, Field(strict=True, ge=1, le=512)] = Field(4, description="How many pixels on each side.")
    fill: Literal["zero", "reflect"] = Field(
        "zero", description="What they are: zeros, the mean of the normalised image; or the image in a mirror."
    )


class Flip(Short):
    """Mirrors every second image, at random."""

    kind: Literal["flip"] = "flip"
    direction: Literal["horizontal", "vertical"] = Field("horizontal", description="horizontal swaps left and right.")


class ColourJitter(Kind):
    """Changes brightness, contrast and saturation by random factors, each between 1 - x and 1 + x."""

    kind: Literal["colour_jitter"] = "colour_jitter"
    brightness: Fraction = Field(0.4, description="x of the blend with black.")
    contrast: Fraction = Field(0.4, description="x of the blend with the mean grey value of the image.")
    saturation: Fraction = Field(0.4, description="x of the blend with the grey image.")


class Lighting(Short):
    """Adds random multiples of the principal components of ImageNet's colours (Krizhevsky et al. 2012, section 4.1)."""

    kind: Literal["lighting"] = "lighting"
    deviation: Weight = Field(0.1, description="The deviation of the multiples.")


class RandAugment(Kind):
    """Applies some of fourteen changes to place and colour, drawn for each image anew (arXiv:1909.13719)."""

    MOST: ClassVar[int] = 30

    kind: Literal["rand_augment"] = "rand_augment"
    operations: Annotated[int, Field(strict=True, ge=1, le=14)] = Field(2, description="How many one after the other.")
    magnitude: Annotated[float, Field(strict=True, ge=0, le=MOST)] = Field(
        9, description="How strong each is, from 0 to 30; at 0, only equalize and auto-contrast change anything."
    )


class Cutout(Short):
    """Sets a square to zero, which is the mean of the normalised image; its middle is anywhere (arXiv:1708.04552)."""

    kind: Literal["cutout"] = "cutout"
    size: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(description="The length of its side in pixels.")


class MixUp(Short):
    """Blends each image and its label with the next ones of the batch (arXiv:1710.09412)."""

    kind: Literal["mixup"] = "mixup"
    alpha: Alpha = Field(0.2, description="The share that is kept has the distribution Beta(alpha, alpha).")


class CutMix(Short):
    """Puts a rectangle of the next image of the batch in, and mixes the labels by the areas (arXiv:1905.04899)."""

    kind: Literal["cutmix"] = "cutmix"
    alpha: Alpha = Field(1.0, description="The area that is kept has the distribution Beta(alpha, alpha).")


Colours = ColourJitter | Lighting | RandAugment
"""Augmentations that work on pixels as they are stored; normalisation follows the last of them."""
Geometry = Shift | PadCrop | Flip | Cutout
Mixing = MixUp | CutMix
"""Augmentations that mix labels, too."""
Augmentation = Framing | Colours | Geometry | Mixing
AnyAugmentation = Annotated[Augmentation, *checks(one_of_short(Augmentation, "augmentations"))]
Augmentations = Annotated[tuple[AnyAugmentation, ...], AfterValidator(check_sizes)]
