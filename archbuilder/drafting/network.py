"""The network of a new spec: a bundled one, at a size and with a head that fit the images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from archbuilder.drafting.survey import Survey
from archbuilder.errors import UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.graph.network import Graph
from archbuilder.spec import Spec, load
from archbuilder.spec.data import LabelKind
from archbuilder.spec.document import Data

FEW = 5_000
"""Fewer images to learn from than this are few: a small network learns them as well, in a fraction of the time."""
SMALL = 40
"""Up to this side, images are seen at full resolution by the first stage."""
LARGE = 80
LEAST_SIDE, MOST_SIDE, MOST_SIDE_OF_MANY = 16, 96, 224
WIDE = 1.5
"""From this ratio of their sides on, images are not made square."""
ACTIVATIONS: Mapping[LabelKind, tuple[str, ...]] = {"classes": ("softmax",), "flags": ("sigmoid",), "numbers": ()}
_DENSE = "dense"


@dataclass(frozen=True)
class Draft:
    """What of the bundled network stays, what is written anew, and why."""

    base: str
    why: str
    input: tuple[int, int, int]
    why_input: str
    changes: Mapping[str, Data] = field(default_factory=dict)
    """Keys of the spec that are not as in the bundled one, the head among them."""

    @property
    def side(self) -> int:
        return min(self.input[:2])

    @property
    def spec(self) -> Spec:
        """The bundled spec."""
        return load(self.base)

    @property
    def graph(self) -> Graph:
        return expand(self.spec)


def fitting(found: Survey) -> Draft:
    """A network for images that no weights of others go before."""
    height, width = _input_sides(found)
    shape, side = (height, width, found.channels), min(height, width)
    why_input = _why(found, (height, width))
    if found.images >= FEW:
        if side <= SMALL:
            why = f"{found.images:,} small images, for which 20 layers are enough"
            return Draft("resnet20_fast", why, shape, why_input, _head(found))
        why = f"{found.images:,} images of this size; a GPU is worth having"
        return Draft("torchvision/resnet18", why, shape, why_input, _head(found))
    why = f"small, for {found.images:,} images to learn from; larger networks would only take longer"
    if side <= SMALL:
        return Draft("quickstart", why, shape, why_input, _head(found))
    return Draft("quickstart", why, shape, why_input, {**_strided(), **_head(found)})


def _strided() -> dict[str, Data]:
    """A stem of half the resolution, and a stage more, so that a unit sees a good part of a larger image."""
    stages: list[Data] = [{"units": 1, "filters": 16}]
    stages += [{"units": 1, "filters": filters, "stride": 2} for filters in (32, 64, 128)]
    return {"stem": [{"conv": {"filters": 16, "kernel": 3, "stride": 2}}, "norm", "relu"], "stages": stages}


def _head(found: Survey) -> dict[str, Data]:
    return {"head": ["global_average_pool", {_DENSE: {"units": len(found.classes)}}, *ACTIVATIONS[found.kind]]}


def like(name: str, found: Survey, keeps_channels: bool) -> Draft:
    """The network of a name at its own size, with a head for the images; `keeps_channels` is for weights of others."""
    spec = load(name)
    height, width, channels = spec.network.input
    shape = (height, width, channels if keeps_channels else found.channels)
    return Draft(name, "as was asked for", shape, f"that of {name}", {"head": _with_units(spec, found)})


def _with_units(spec: Spec, found: Survey) -> list[Data]:
    """The head with a unit in its last dense layer for each class, label or number, and the activation for them."""
    data = spec.document.data
    head = data.get("head") if isinstance(data, dict) else None
    layers = list(head) if isinstance(head, list) else []
    dense = [place for place, layer in enumerate(layers) if _is_dense(layer)]
    if not dense or spec.network.outputs:
        raise UsageError(
            f"the head of {spec.name} has no dense layer that could tell {_told(found)}: take another network"
        )
    last = layers[dense[-1]]
    settings = last[_DENSE] if isinstance(last, dict) else None
    kept = dict(settings) if isinstance(settings, dict) else {}
    return [*layers[: dense[-1]], {_DENSE: {**kept, "units": len(found.classes)}}, *ACTIVATIONS[found.kind]]


def _is_dense(layer: Data) -> bool:
    return layer == _DENSE or (isinstance(layer, dict) and _DENSE in layer)


def _told(found: Survey) -> str:
    match found.kind:
        case "classes":
            return f"{len(found.classes):,} classes"
        case "flags":
            return f"{len(found.classes):,} labels"
        case "numbers":
            return f"{len(found.classes):,} numbers"
        case _:
            assert_never(found.kind)


def _input_sides(found: Survey) -> tuple[int, int]:
    """Height and width of the input, near those of the images; square unless one side is much longer."""
    height, width = found.sizes.height, found.sizes.width
    if found.source == "npz" and max(height, width) <= MOST_SIDE:
        return height, width
    most = MOST_SIDE_OF_MANY if found.images >= FEW else MOST_SIDE
    side = _rounded(min(height, width), most)
    ratio = max(height, width) / min(height, width)
    longer = side if ratio < WIDE else _rounded(round(side * min(ratio, 2)), 2 * most)
    return (longer, side) if height > width else (side, longer)


def _rounded(pixels: int, most: int) -> int:
    """A multiple of four, or of 16 for larger images, so that halves are whole."""
    step = 4 if pixels <= SMALL else 16
    return max(LEAST_SIDE, min(most, -(-pixels // step) * step))


def _why(found: Survey, sides: tuple[int, int]) -> str:
    sizes = found.sizes
    if sizes.are_alike:
        return f"the images have {sizes.height}x{sizes.width} pixels"
    median = f"half of the images have no more than {sizes.height}x{sizes.width} pixels"
    return f"{median}, none a side under {sizes.least} or over {sizes.most}"
