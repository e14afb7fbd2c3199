"""A Keras model as a file."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.aliases import Array
from archbuilder.atomic_files import replace_file
from archbuilder.errors import UsageError
from archbuilder.exporting.comparing import Answers, Compute
from archbuilder.exporting.formats import Options
from archbuilder.exporting.handover import Handover
from archbuilder.graph.network import Graph

if TYPE_CHECKING:
    import keras

METADATA = "archbuilder.json"
"""The member of the archive that Keras does not look at."""
LEVELS = 900
"""Python stops at a depth of 1,000, of which who loads a model has used some."""


def save_model(model: keras.Model, path: Path) -> None:
    """The file is complete or not there at all. Raises UsageError where the name does not end in .keras."""
    if path.suffix != ".keras":
        raise UsageError(f"a model is saved to a file that ends in .keras, not to {path}")
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, model.save)


def notes(graph: Graph) -> Iterator[str]:
    """What those have to know who load the file of a network."""
    from archbuilder.keras_model.build import levels

    if levels(graph) > LEVELS:
        yield "Keras recurses deeper than Python lets it: sys.setrecursionlimit(100_000) has to come before load_model"


def write(handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> None:
    from archbuilder.exporting.keras_network import whole_model

    whole_model(handover).save(path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(METADATA, json.dumps(metadata, indent=1))


def load(path: Path, handover: Handover) -> Compute:
    """By the layers of the file, which is loaded as any other."""
    import keras

    from archbuilder.exporting.keras_network import computed
    from archbuilder.keras_model.build import logits_of, recursion_for, with_outputs

    with recursion_for(len(handover.graph.nodes)):
        model = keras.models.load_model(path)
    logits = [logits_of(handover.graph, model, one.node) for one in handover.outputs]
    both = with_outputs(handover.graph, model, [*logits, *model.outputs], model.name)

    def compute(images: Array) -> Answers:
        found = computed(both, images)
        return Answers(tuple(found[: len(logits)]), tuple(found[len(logits) :]))

    return compute
