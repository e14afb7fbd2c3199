"""The augmentations of a training section."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from archbuilder.spec.base import Kind
from archbuilder.spec.framing import Framing, in_order
from archbuilder.spec.short import Short, checks, one_of_short


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


Augmentation = Framing | Shift | PadCrop | Flip
AnyAugmentation = Annotated[Augmentation, *checks(one_of_short(Augmentation, "augmentations"))]
Augmentations = Annotated[tuple[AnyAugmentation, ...], AfterValidator(in_order)]
