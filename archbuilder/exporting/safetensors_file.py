"""The weights alone, by our names or other people's; what was written is read once more, which proves each name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError
from archbuilder.exporting.comparing import Answers, Compute, original_logits
from archbuilder.exporting.formats import Options
from archbuilder.exporting.handover import Handover
from archbuilder.graph.naming import layer_name
from archbuilder.weights.safetensors import write_safetensors
from archbuilder.weights.their_names import LIBRARIES, named_as
from archbuilder.weights.transfer import transfer

OWN = "archbuilder"


def write(handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> None:
    """Raises ArchbuilderError where the network is not one that has such names."""
    graph, weights = handover.graph, handover.weights
    if options.names == OWN:
        tensors: Mapping[str, Array] = {
            f"{layer_name(name)}.{part}": array for name, arrays in weights.items() for part, array in arrays.items()
        }
    else:
        library = next((one for one in LIBRARIES if one == options.names), None)
        tensors = named_as(library or Path(options.names), graph, weights)
    write_safetensors(path, tensors, metadata)
    _require_same(handover, path)


def _require_same(handover: Handover, path: Path) -> None:
    """Raises ArchbuilderError where reading the file does not give the weights, to the bit."""
    found = transfer(path, handover.graph).arrays()
    for name, arrays in handover.weights.items():
        for part, array in arrays.items():
            if not np.array_equal(found[name][part], array):
                raise ArchbuilderError(f"{name}/{part} cannot be told apart by such names: choose others for --names")


def load(path: Path, handover: Handover) -> Compute:
    """The network with the weights of the file; preprocessing and answers are no part of it."""
    logits_of = original_logits(replace(handover, weights=transfer(path, handover.graph).arrays()))

    def compute(images: Array) -> Answers:
        logits = logits_of(images if handover.is_bare else handover.prepared(images))
        return Answers(logits, tuple(one.answers(some) for one, some in zip(handover.outputs, logits, strict=True)))

    return compute
