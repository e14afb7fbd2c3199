"""How fast a training goes."""

from __future__ import annotations

from time import monotonic

PULSE_SECONDS = 0.5


class Pace:
    """How fast the iterations of an epoch follow each other, the first left out: in a new process it is compiled."""

    def __init__(self) -> None:
        self._began = self._counted_from = self._looked = monotonic()
        self._images = -1

    def count(self, images: int) -> None:
        if self._images < 0:
            self._images, self._counted_from = 0, monotonic()
        else:
            self._images += images

    @property
    def images_per_second(self) -> float:
        return max(self._images, 0) / max(monotonic() - self._counted_from, 1e-9)

    @property
    def seconds(self) -> float:
        return monotonic() - self._began

    def is_time_to_look(self) -> bool:
        """Whether half a second has passed since it last was."""
        if monotonic() - self._looked < PULSE_SECONDS:
            return False
        self._looked = monotonic()
        return True
