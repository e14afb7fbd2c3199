"""What neither names nor shapes hold, but is known of those who give such names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from archbuilder.graph.network import Graph, Node
from archbuilder.graph.ops import Conv
from archbuilder.weights.naming_schemes import position, scheme
from archbuilder.weights.weight_file import Layer

_STRIDES = {"torchvision": 3, "Hugging Face": 3, "keras.applications": 1, "Caffe": 1}
"""The size of the kernels that have the stride of bottlenecks, by the scheme of the names."""
_PRE_ACTIVATED, _CADENE = re.compile(r"_preact_"), re.compile(r"\.se_module\.")
"""Of keras.applications, these stride on the 3x3; of networks with such gates, some do and some do not."""
_INCEPTION = re.compile(r"(?:Mixed_\d[a-e]|inception\d[a-e])\.branch")


def notes(graph: Graph, pairs: Mapping[str, Layer]) -> Iterator[str]:
    """What is likely to be another function or to want other images, a sentence each."""
    names = [layer.name for layer in pairs.values()]
    size = _size(names)
    against = next((node for node in graph.nodes if size and _strides_on(node, graph, pairs) == 4 - size), None)
    if size and against is not None:
        yield (
            f"networks with such names stride on the {size}x{size} of their bottlenecks, {graph.name} on "
            f"the {4 - size}x{4 - size} ({against.name}): the outputs are wrong unless yours strode there, too; "
            f"`stride_on: {'spatial' if size == 3 else 'reduce'}` of the library's bottlenecks is as they do"
        )
    if any(map(_INCEPTION.match, names)):
        yield (
            "torchvision's weights for networks with such names expect images from -1 to 1, as its transform_input "
            "makes them: `weights: {preprocessing: tf}`"
        )


def _size(names: Iterable[str]) -> int | None:
    names = list(names)
    known = scheme(names)
    if known is None or any(map(_CADENE.search, names)):
        return None
    return 3 if any(map(_PRE_ACTIVATED.search, names)) else _STRIDES[known]


def _strides_on(node: Node, graph: Graph, pairs: Mapping[str, Layer]) -> int | None:
    """The size of its kernel where a convolution of a bottleneck has a stride; None for all else."""
    if node.name not in pairs or not isinstance(node.op, Conv) or max(node.op.stride) == 1:
        return None
    place = position(pairs[node.name].name)
    if place is None or place.shortcut or not place.section.startswith("stage"):
        return None
    path = node.name.rpartition("/")[0]
    beside = {one.op.kernel for one in graph.nodes if one.name.rpartition("/")[0] == path and isinstance(one.op, Conv)}
    return node.op.kernel[0] if beside == {(1, 1), (3, 3)} else None
