"""ONNX, written from the graph by `onnx` alone: a node for an op, and one Transpose where images enter."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError
from archbuilder.exporting import onnx_ops
from archbuilder.exporting.comparing import Answers, Compute
from archbuilder.exporting.formats import Options
from archbuilder.exporting.handover import Handover, Output
from archbuilder.exporting.onnx_ops import CHANNELS_FIRST, CHANNELS_LAST, Draft, tensor_of
from archbuilder.graph.ops import Shape

OPSET, IR_VERSION = 21, 10
"""Those of ONNX 1.16 and ONNX Runtime 1.18, of 2024."""
MOST_PARAMETERS = 500_000_000
"""A file of protobuf holds less than 2 GiB."""
IMAGES = "images"


def write(handover: Handover, path: Path, options: Options, metadata: dict[str, str]) -> None:
    """Raises ArchbuilderError for a network that is too large for one file."""
    if handover.graph.parameters > MOST_PARAMETERS:
        raise ArchbuilderError(f"a file of ONNX holds at most {MOST_PARAMETERS:,} parameters")
    path.write_bytes(model_of(handover, metadata).SerializeToString())


def load(path: Path, handover: Handover, called: Callable[[str, ModelProto], str] = lambda name, _: name) -> Compute:
    """What ONNX Runtime computes, with the logits as further outputs; raises where the checker of ONNX does.

    `called` finds the tensor of a node in the file that has another name there.
    """
    import onnxruntime

    onnx.checker.check_model(path, full_check=True)
    model = onnx.load(path)
    logits = [handover.logits_node(one) for one in handover.outputs]
    tensors = [called(tensor_of(handover.graph, name), model) for name in logits]
    given = [one.name for one in model.graph.output]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in {*tensors})
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    entry = session.get_inputs()[0].name

    def compute(images: Array) -> Answers:
        found = session.run([*given, *tensors], {entry: images})
        turned = (_channels_last(one) for one in found[len(given) :])
        return Answers(tuple(turned), tuple(found[: len(given)]))

    return compute


def model_of(handover: Handover, metadata: dict[str, str]) -> ModelProto:
    graph = handover.graph
    draft = Draft(graph.name)
    taken = {node.name for node in graph.nodes} | {one.name for one in handover.outputs}
    entry = _free(IMAGES, taken)
    _write_entry(draft, handover, entry)
    onnx_ops.write(draft, graph, handover.weights)
    for output in handover.outputs:
        _write_answers(draft, handover, output)
    kind = TensorProto.FLOAT if handover.is_bare else TensorProto.UINT8
    draft.graph.input.append(helper.make_tensor_value_info(entry, kind, _batch_of(handover.input_shape)))
    for output in handover.outputs:
        shape = _batch_of(graph[output.node].shape)
        draft.graph.output.append(helper.make_tensor_value_info(output.name, TensorProto.FLOAT, shape))
    model = draft.model
    model.ir_version, model.producer_name, model.producer_version = IR_VERSION, "archbuilder", metadata["archbuilder"]
    model.opset_import.append(helper.make_opsetid("", OPSET))
    helper.set_model_props(model, metadata)
    return model


def _write_entry(draft: Draft, handover: Handover, entry: str) -> None:
    """What is done to pixels, and the channels put first."""
    normaliser, tensor = handover.normaliser, entry
    if normaliser is not None:
        if normaliser.turns:
            order = draft.integers(*reversed(range(handover.input_shape[-1])))
            tensor = draft.add("Gather", [tensor, order], f"{entry}:turned", axis=3)
        floats = draft.add("Cast", [tensor], f"{entry}:floats", to=TensorProto.FLOAT)
        factor, shift = (draft.floats(f"{entry}:{word}", getattr(normaliser, word)) for word in ("factor", "shift"))
        scaled = draft.add("Mul", [floats, factor], f"{entry}:scaled")
        tensor = draft.add("Sub", [scaled, shift], f"{entry}:normalised")
    draft.add("Transpose", [tensor], handover.graph.input.name, perm=CHANNELS_FIRST)


def _write_answers(draft: Draft, handover: Handover, output: Output) -> None:
    """What is given of the result of a node, under the name of the output."""
    tensor, name = tensor_of(handover.graph, output.node), output.name
    match output.added:
        case "softmax":
            tensor = draft.add("Softmax", [tensor], f"{name}:softmax", axis=1)
        case "sigmoid":
            tensor = draft.add("Sigmoid", [tensor], f"{name}:sigmoid")
    if output.scaling is not None:
        deviation, mean = (
            draft.floats(f"{name}:{word}", np.array(getattr(output.scaling, word))) for word in ("deviation", "mean")
        )
        tensor = draft.add("Add", [draft.add("Mul", [tensor, deviation], f"{name}:scaled"), mean], f"{name}:numbers")
    if len(handover.graph[output.node].shape) == 3:
        draft.add("Transpose", [tensor], name, perm=CHANNELS_LAST)
    else:
        draft.add("Identity", [tensor], name)


def _batch_of(shape: Shape) -> tuple[str | int, ...]:
    return ("batch", *shape)


def _channels_last(values: Array) -> Array:
    return values.transpose(CHANNELS_LAST) if values.ndim == 4 else values


def _free(name: str, taken: Collection[str]) -> str:
    return name if name not in taken else f"{name}:0"
