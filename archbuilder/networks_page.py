"""The page docs/networks.md: the bundled specs in groups, which of them to take for what, and what each costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from archbuilder.catalogue import Entry

INTRODUCTION = """\
# Networks

Written by `archbuilder list --markdown`; the tests fail where it differs from the code. Each group begins with which
network to take for what.

- **parameters** are the trainable ones. `archbuilder list` also has the total, with the moving statistics of norms.
- **multiply-adds** are those of convolutions and dense layers for one image, in millions. `archbuilder list --json` has
  them exactly.
- **error** is what was published, in percent of the test images: those whose likeliest class is wrong (top-1), and
  behind a stroke those whose class is not among the five likeliest (top-5).
- Small numbers in brackets are the notes below a table: how an error was measured, and where a network is from.
"""
HEADINGS = """\
| spec | depth | parameters | multiply-adds | error |
| --- | ---: | ---: | ---: | ---: |"""
"""What a network is stands below its name, since names are long: a column of its own would be a few letters wide."""


@dataclass(frozen=True)
class Group:
    """The specs of one folder."""

    heading: str
    choices: Mapping[str, str]
    """Which to take for what: a purpose, and a sentence with the names of specs in backticks."""


GROUPS = {
    "": Group(
        "Keras' CIFAR-10 example, and archbuilder's own",
        {
            "First steps": "`quickstart` learns handwritten digits in a minute, without a download.",
            "Small images, little time": "`resnet20_fast`, half an hour for CIFAR-10 on two cores.",
            "Numbers to compare with": "`resnet20_v1` to `resnet110_v1`, `resnet56_v2` and `resnet110_v2`, "
            "if yours are from Keras' example; those of the papers are in the next two groups.",
            "What shortcuts bring": "`plain56_v1` beside `resnet56_v1`, or another two of one depth.",
        },
    ),
    "he2015": Group(
        "He et al. 2015, Deep residual learning for image recognition",
        {
            "Numbers to compare with": "`he2015/resnet20` to `he2015/resnet110` on CIFAR-10, `he2015/resnet34` to "
            "`he2015/resnet152` on ImageNet.",
            "What shortcuts bring": "`he2015/plain34` beside `he2015/resnet34`, and options A, B and C: "
            "`he2015/resnet34_a`, `he2015/resnet34`, `he2015/resnet34_c`.",
            "Weights to load": "`torchvision/resnet50` or `keras_applications/resnet50`, for which there are files; "
            "these here are the paper's.",
        },
    ),
    "he2016": Group(
        "He et al. 2016, Identity mappings in deep residual networks",
        {
            "Small images": "`he2016/resnet164`, a lower error than `he2016/resnet110` for as many parameters.",
            "Lowest error": "`he2016/resnet1001` on CIFAR-10, `he2016/resnet200` on ImageNet; both take long.",
            "Numbers to compare with": "shortcuts of other kinds, such as `he2016/resnet110_constant_scaling`, "
            "and norm, activation and addition in other orders, such as `he2016/resnet110_original`.",
        },
    ),
    "torchvision": Group(
        "As in torchvision",
        {
            "Weights to load": "all of them take torchvision's files ([weights](weights.md)).",
            "Own images": "`torchvision/resnet50` with weights; `torchvision/resnet18` for few images or little time.",
            "Lower error": "`torchvision/convnext_tiny` or `torchvision/resnext50_32x4d` at about the cost of "
            "`torchvision/resnet50`; at more, `torchvision/convnext_base` (the lowest here), "
            "`torchvision/resnext101_32x8d` or `torchvision/wide_resnet50_2`.",
            "Little arithmetic, as on phones": "`torchvision/efficientnet_b0`, or by falling cost and rising error "
            "`torchvision/mobilenet_v3_large` and `torchvision/mobilenet_v3_small`. Without weighed channels, of fewer "
            "kinds of layers: `torchvision/mobilenet_v2`, `torchvision/shufflenet_v2_x1_0`.",
            "Few parameters": "`torchvision/efficientnet_b0`, or `torchvision/densenet121`, whose units keep all that "
            "arrives.",
            "Families to change in size": "`torchvision/regnet_y_400mf` and `torchvision/convnext_tiny`, which differ "
            "from their larger relatives in a few numbers.",
            "What came before": "`torchvision/googlenet`, of paths side by side instead of shortcuts.",
        },
    ),
    "keras_applications": Group(
        "As in keras.applications",
        {
            "Weights to load": "all of them take the files of keras.applications ([weights](weights.md)).",
            "Own images": "`keras_applications/resnet50v2`, which has fewer multiply-adds and a lower error than "
            "`keras_applications/resnet50`.",
            "Lower error": "`keras_applications/convnext_tiny`, or `keras_applications/inception_resnet_v2` at three "
            "times its cost.",
            "Little arithmetic": "`keras_applications/mobilenet_v2`.",
            "Few parameters": "`keras_applications/densenet121`; `keras_applications/mobilenet_v2` has even fewer.",
        },
    ),
    "related": Group(
        "Relatives",
        {
            "Small images, few parameters": "`related/densenet_bc100`.",
            "Small images, lowest error": "`related/wide_resnet28_10`.",
            "Own images, channels weighed": "`related/se_resnet50`, at the multiply-adds of `he2015/resnet50`; "
            "places as well: `related/cbam_resnet50`, at those of `torchvision/resnet50`.",
            "Own images, few at a time": "`related/resnet50_gn`, whose norms do not depend on the batch.",
            "A class for each pixel": "`related/unet_resnet34`, to build and export: maps cannot be trained here yet.",
            "Maps of several sizes": "`related/fpn_resnet50`, as the backbone of a detector; likewise.",
            "Weights of torchvision to load": "`related/alexnet_torchvision`.",
            "What came before": "`related/alexnet`, `related/vgg16`, and with gates for shortcuts `related/highway19` "
            "and `related/highway32`.",
        },
    ),
}
"""The folders of bundled specs, and what stands in each."""


def markdown(entries: Sequence[Entry]) -> str:
    """All networks in Markdown, a section for each folder: the content of docs/networks.md."""
    sections = [_section(group, _in_folder(folder, entries)) for folder, group in GROUPS.items()]
    return "\n".join([INTRODUCTION, *sections])


def _in_folder(folder: str, entries: Sequence[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.name.rpartition("/")[0] == folder]


def _section(group: Group, entries: Sequence[Entry]) -> str:
    notes = _notes(entries)
    choices = [f"- **{purpose}**: {choice}" for purpose, choice in group.choices.items()]
    rows = [_row(entry, notes) for entry in entries]
    explained = [f"{number}. {note}" for note, number in notes.items()]
    return "\n".join([f"## {group.heading}\n", *choices, "", HEADINGS, *rows, "", *explained, ""])


def _notes(entries: Sequence[Entry]) -> dict[str, int]:
    """How errors were measured, then where networks are from: each text once, with its number."""
    measured = [figure.conditions for entry in entries for figure in entry.published]
    texts = dict.fromkeys([*measured, *(entry.source for entry in entries)])
    return {text: number for number, text in enumerate(texts, 1)}


def _row(entry: Entry, notes: Mapping[str, int]) -> str:
    name = f"`{entry.name}`{_mark(notes[entry.source])}"
    errors = "<br>".join(f"{_unbroken(figure.values)}{_mark(notes[figure.conditions])}" for figure in entry.published)
    return f"| {name}<br>{entry.summary} | {entry.depth} | {entry.trainable:,} | {entry.macs / 1e6:,.1f} | {errors} |"


def _unbroken(text: str) -> str:
    return text.replace(" ", "&nbsp;")


def _mark(number: int) -> str:
    return f"<sup>({number})</sup>"
