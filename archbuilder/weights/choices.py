"""What a person decides where a file of weights leaves it open."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Choices:
    """The answers; without them, what is open is refused."""

    assume_order: bool = False
    """Take layers in their order where names and shapes leave several ways."""
    adapt_stem: bool = False
    """Make a first convolution of another number of channels fit."""
    part: str | None = None
    """The prefix of the network in a file that holds several."""


DEFAULT = Choices()
