"""Receptive fields as two sources published them, beside ours.

    python -m tests.graph.published_fields

prints the table of docs/numbers.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from archbuilder.graph.receptive_field import ReceptiveField, receptive_fields
from archbuilder.markup import markdown_text
from tests import zoo

ARAUJO = [
    ("related/alexnet", "stem/conv1", 11, 4, 0),
    ("related/alexnet", "stem/max_pool1", 19, 8, 0),
    ("related/alexnet", "stem/conv2", 51, 8, 16),
    ("related/alexnet", "stem/conv3", 99, 16, 32),
    ("related/alexnet", "stem/conv4", 131, 16, 48),
    ("related/alexnet", "stem/conv5", 163, 16, 64),
    ("related/alexnet", "stem/max_pool3", 195, 32, 64),
    ("related/vgg16", "stage1", 6, 2, 2),
    ("related/vgg16", "stage2", 16, 4, 6),
    ("related/vgg16", "stage3", 44, 8, 18),
    ("related/vgg16", "stage4", 100, 16, 42),
    ("related/vgg16", "stage5", 212, 32, 90),
    ("he2015/resnet50", "stage4", 483, 32, 239),
    ("he2015/resnet101", "stage4", 1027, 32, 511),
    ("he2015/resnet152", "stage4", 1507, 32, 751),
]
"""google-research/receptive_field, RECEPTIVE_FIELD_TABLE.md: size, effective stride and effective padding.

Its ResNets have the stride of a block in the last unit, so that only their ends are those of the paper's.
"""
WANG = {
    "torchvision/resnet18": (7, 11, 43, 99, 211, 435),
    "torchvision/resnet34": (7, 11, 59, 179, 547, 899),
    "torchvision/resnet50": (7, 11, 35, 91, 267, 427),
    "torchvision/resnet101": (7, 11, 35, 91, 811, 971),
}
"""gist.github.com/samson-wang/a6073c18f2adf16e0ab5fb95b53db3e6: conv1, maxpool, layer1 to layer4."""
WANGS_PARTS = ("stem/conv1", "stem", "stage1", "stage2", "stage3", "stage4")


def field_of(network: str, part: str) -> ReceptiveField:
    """That of a node, or of the last node of a stage."""
    graph = zoo.graph_of(network)
    last = [node.name for node in graph.nodes if node.name == part or node.section.partition("/")[0] == part][-1]
    return fields_of(network)[last]


@cache
def fields_of(network: str) -> Mapping[str, ReceptiveField]:
    return receptive_fields(zoo.graph_of(network))


def rows() -> Iterator[tuple[str, str, str, str, str]]:
    """A network, a part of it, the source, and size (stride, padding) as published and as we have them."""
    for network, part, *published in ARAUJO:
        field = field_of(network, part)
        ours = (field.size[0], field.stride[0], field.padding[0])
        yield network, part, "Araujo et al.", ", ".join(map(str, published)), ", ".join(map(str, ours))
    for network, sizes in WANG.items():
        for part, size in zip(WANGS_PARTS, sizes, strict=True):
            yield network, part, "Wang", str(size), str(field_of(network, part).size[0])


def table() -> str:
    return markdown_text([("network", "part", "source", "published", "archbuilder"), *rows()], (3, 4))


if __name__ == "__main__":
    print(table())
