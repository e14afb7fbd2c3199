"""What a file does to pixels before its network, in words."""

from __future__ import annotations

from itertools import starmap
from math import isclose

from archbuilder.importing.building import Affine
from archbuilder.spec.normalisation import Channels
from archbuilder.spec.preprocessing import PREPROCESSING, Name


def preprocessing_of(before: Affine | None) -> tuple[Name | None, list[str]]:
    """What the file does to pixels from 0 to 255, by its name if it has one, and what to say of it."""
    if before is None:
        return None, []
    count = max(len(before.factor), len(before.offset))
    factor, offset = ((one * count)[:count] for one in (before.factor, before.offset))
    for name, known in PREPROCESSING.items():
        if known.colours != "rgb" or not isinstance(known.normalise, Channels):
            continue
        pairs = list(zip(known.normalise.mean, known.normalise.deviation, strict=True))
        wanted = [(1 / 255 / deviation, -mean / deviation) for mean, deviation in pairs]
        found = list(zip(factor * (3 // count), offset * (3 // count), strict=False))
        if len(found) == 3 and all(
            isclose(a, c, rel_tol=1e-4) and isclose(b, d, rel_tol=1e-4, abs_tol=1e-6)
            for (a, b), (c, d) in zip(found, wanted, strict=True)
        ):
            return name, [f"images are to arrive as {name} has them: the file itself did that to pixels"]
    told = ", ".join(starmap(_told, dict.fromkeys(zip(factor, offset, strict=True))))
    return None, [f"images are to arrive normalised: the file itself did that to pixels, by {told}"]


def _told(factor: float, offset: float) -> str:
    return f"{factor:.6g} * pixel" + (f" {'-' if offset < 0 else '+'} {abs(offset):.6g}" if offset else "")
