"""Framing: which part of an image at its own size is taken, and how it comes to the input's size."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictInt

from archbuilder.spec.base import Kind, one_of
from archbuilder.spec.short import checks, misplaced, problem
from archbuilder.spec.values import shown

MAX_SIDE = 10_000


def _check_side(value: object) -> object:
    sides = value if isinstance(value, list | tuple) else (value, value)
    if all(type(side) is int and 0 < side <= MAX_SIDE for side in sides) and len(sides) == 2 and sides[0] <= sides[1]:
        return value
    raise problem(f"a number of pixels up to {MAX_SIDE}, or [least, most] of them, is expected, not {shown(value)}")


def _check_range(value: object) -> object:
    if isinstance(value, list | tuple) and len(value) == 2 and all(type(end) in (int, float) for end in value):
        low, high = value
        if 0 < low <= high < float("inf"):
            return value
    raise problem(f"[least, most], two numbers above 0 in this order, is expected, not {shown(value)}")


Range = Annotated[tuple[float, float], BeforeValidator(_check_range)]


class Resize(Kind):
    """Brings the shorter side to a length and keeps the ratio; without one, the whole image to the input's size."""

    kind: Literal["resize"] = "resize"
    shorter_side: Annotated[StrictInt | tuple[StrictInt, StrictInt], BeforeValidator(_check_side)] | None = Field(
        None, description="Its length in pixels, or [least, most]: a random whole number for each image."
    )

    @property
    def sides(self) -> tuple[int, int] | None:
        """The least and the most that the shorter side may come to."""
        side = self.shorter_side
        return (side, side) if isinstance(side, int) else side


class RandomCrop(Kind):
    """A part of the input's size, from a random place of the resized image."""

    kind: Literal["random_crop"] = "random_crop"


class RandomResizedCrop(Kind):
    """A part of random area, ratio and place, resized to the input's size (arXiv:1409.4842, as in torchvision)."""

    kind: Literal["random_resized_crop"] = "random_resized_crop"
    scale: Range = Field((0.08, 1.0), description="The least and the largest share of the image's area.")
    ratio: Range = Field((3 / 4, 4 / 3), description="The least and the largest ratio of width to height.")


class CentreCrop(Kind):
    """The middle of the resized image, in the input's size."""

    kind: Literal["centre_crop"] = "centre_crop"


class TenCrop(Kind):
    """The corners and the middle of the resized image, and their mirror images; their probabilities are averaged."""

    kind: Literal["ten_crop"] = "ten_crop"


Framing = Resize | RandomCrop | RandomResizedCrop | CentreCrop
TestFraming = Resize | CentreCrop | TenCrop
AnyFraming = Framing | TenCrop


def check_sizes(steps: tuple[Any, ...]) -> tuple[Any, ...]:
    """The steps as they are; raises at the first that is out of place.

    An image is at its own size, then resized, then at the input's size; what is no framing works on the last.
    """
    size, last = "own", ""
    for index, step in enumerate(steps):
        if not isinstance(step, AnyFraming):
            if size == "resized":
                break
            size, last = "input's", step.kind
        elif size == "input's":
            raise misplaced(f"'{step.kind}' is too late: behind '{last}' the image has the input's size", index)
        else:
            size, last = _sized(step, size, index), step.kind
    if size == "resized":
        message = "a crop is missing: 'resize' with `shorter_side` does not end in the input's size"
        raise misplaced(message, next(index for index, step in enumerate(steps) if isinstance(step, Resize)))
    return steps


def _sized(step: AnyFraming, size: str, index: int) -> str:
    """The size that the image has behind a framing step."""
    is_crop = isinstance(step, RandomCrop | CentreCrop | TenCrop)
    if is_crop and size == "own":
        raise misplaced(f"'{step.kind}' needs `resize: {{shorter_side: ...}}` before it", index)
    if not is_crop and size == "resized":
        raise misplaced(f"a crop is missing between 'resize' and '{step.kind}'", index)
    return "resized" if isinstance(step, Resize) and step.shorter_side else "input's"


def fixed(steps: tuple[Any, ...]) -> tuple[Any, ...]:
    """The steps of testing, where nothing is random."""
    for index, step in enumerate(steps):
        if isinstance(step, Resize) and isinstance(step.shorter_side, tuple):
            message = "in testing nothing is random: one number of pixels is expected, not a range"
            raise misplaced(message, index, "resize", "shorter_side")
    return check_sizes(steps)


Testing = Annotated[
    tuple[Annotated[TestFraming, *checks(one_of(TestFraming, "framing steps of testing"))], ...],
    AfterValidator(fixed),
]
