"""The augmentations of a training section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from archbuilder.spec.base import Fraction, Kind
from archbuilder.spec.framing import Framing, in_order
from archbuilder.spec.short import Short, Weight, checks, misplaced, one_of_short


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


Colours = ColourJitter | Lighting
"""They work on pixels as they are stored; normalisation follows the last of them."""
Change = Colours | Shift | PadCrop | Flip
Augmentation = Framing | Change
AnyAugmentation = Annotated[Augmentation, *checks(one_of_short(Augmentation, "augmentations"))]
Augmentations = Annotated[tuple[AnyAugmentation, ...], AfterValidator(in_order)]


def require_channels(steps: Sequence[Augmentation], channels: int) -> None:
    """Raises at the first step of a training section that knows no colours of so many channels."""
    for index, step in enumerate(steps):
        known = (3,) if isinstance(step, Lighting) else (1, 3)
        if isinstance(step, Colours) and channels not in known:
            wanted = " or ".join(map(str, known))
            raise misplaced(f"'{step.kind}' needs {wanted} channels, but the input has {channels}", "augment", index)
