"""Other people's names of layers: which unit they mean, and whether its shortcut.

One row a scheme and part; within its place, a layer is found by its kind and its rank. So `layer2.0.bn2` is the second
norm on the residual path of the first unit of stage 2, whatever that unit calls it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from archbuilder.weights.weight_file import natural_key


@dataclass(frozen=True)
class Position:
    """A position in a network: `stem`, `head` or `stage2/unit1`, on the shortcut or not."""

    section: str
    shortcut: bool = False


@dataclass(frozen=True)
class _Row:
    scheme: str
    pattern: str
    """Its groups are the stage and the unit; without groups, `section` says the place."""
    section: str = ""
    shortcut: bool = False
    first: tuple[int, int] = (1, 1)
    """The numbers of the first stage and the first unit in the scheme."""

    def position(self, name: str) -> Position | None:
        found = re.fullmatch(self.pattern, name)
        if found is None:
            return None
        if self.section:
            return Position(self.section, self.shortcut)
        stage, unit = map(_number, found.groups())
        return Position(f"stage{stage - self.first[0] + 1}/unit{unit - self.first[1] + 1}", self.shortcut)


_HUGGING, _EITHER = r"(?:resnet\.)?", "(?:convolution|normalization)"
_ROWS = (
    # torchvision (and timm): resnet, resnext, wide_resnet
    _Row("torchvision", r"(?:conv|bn)1", "stem"),
    _Row("torchvision", r"layer(\d+)\.(\d+)\.(?:conv|bn)\d", first=(1, 0)),
    _Row("torchvision", r"layer(\d+)\.(\d+)\.downsample\.\d", shortcut=True, first=(1, 0)),
    _Row("torchvision", r"fc", "head"),
    # Hugging Face: ResNetForImageClassification, whose backbone alone lacks the prefix
    _Row("Hugging Face", rf"{_HUGGING}embedder\.embedder\.{_EITHER}", "stem"),
    _Row("Hugging Face", rf"{_HUGGING}encoder\.stages\.(\d+)\.layers\.(\d+)\.layer\.\d\.{_EITHER}", first=(0, 0)),
    _Row("Hugging Face", rf"{_HUGGING}encoder\.stages\.(\d+)\.layers\.(\d+)\.shortcut\.{_EITHER}", shortcut=True,
         first=(0, 0)),
    _Row("Hugging Face", r"classifier\.1", "head"),
    # keras.applications: resnet, resnet_v2; the paper counts the stem as the first stage
    _Row("keras.applications", r"conv1_(?:conv|bn)", "stem"),
    _Row("keras.applications", r"conv(\d+)_block(\d+)_(?:preact|[1-9])_(?:conv|bn)", first=(2, 1)),
    _Row("keras.applications", r"conv(\d+)_block(\d+)_0_(?:conv|bn)", shortcut=True, first=(2, 1)),
    _Row("keras.applications", r"post_bn|probs|predictions", "head"),
    # keras.applications: resnet50 until 2019, named as in Caffe
    _Row("Caffe", r"conv1|bn_conv1", "stem"),
    _Row("Caffe", r"(?:res|bn)(\d)([a-z])_branch2[a-c]", first=(2, 1)),
    _Row("Caffe", r"(?:res|bn)(\d)([a-z])_branch1", shortcut=True, first=(2, 1)),
    _Row("Caffe", r"fc1000", "head"),
    # keras.applications: vgg16, vgg19
    _Row("keras.applications", r"block(\d+)_conv(\d+)"),
    _Row("keras.applications", r"fc[12]", "head"),
)  # fmt: skip


def position(name: str) -> Position | None:
    """The position of the layer of this name; None for a name that no scheme knows."""
    return next((found for row in _ROWS if (found := row.position(name))), None)


def scheme(names: Iterable[str]) -> str | None:
    """The scheme that knows at least half of these names; None if there is none."""
    known = [next((row.scheme for row in _ROWS if row.position(name)), None) for name in names]
    counted = [one for one in known if one]
    return max(counted, key=counted.count) if 2 * len(counted) >= len(known) > 0 else None


def rank(name: str) -> list[tuple[int, str]]:
    """A key that orders the layers of one kind within their place; the `preact` norm comes before those numbered."""
    return natural_key(name.replace("_preact_", "_0_"))


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else ord(text) - ord("a") + 1
