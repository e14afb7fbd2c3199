"""The network of an ONNX file, read as data: its nodes become ops one by one, and nothing is run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archbuilder.aliases import Array
from archbuilder.bounded_files import BadFileError, bounded_bytes, path_size, regular_file
from archbuilder.bounds import LAYERS, SIDE
from archbuilder.errors import MissingError
from archbuilder.formatting import shortened
from archbuilder.graph import ops
from archbuilder.graph.ops import Pair, ShapeError
from archbuilder.importing import onnx_nodes
from archbuilder.importing.building import Read, UnreadError
from archbuilder.importing.keras_settings import integer
from archbuilder.importing.onnx_tensors import FIRST, LAST, Maker, NodeOf, Tensor

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

_LIMIT = 2**31
"""A file of protobuf holds less; larger weights lie beside it."""
_BEFORE = ("Cast", "Mul", "Sub", "Add", "Div", "Gather", "Identity")
"""What may be done to pixels before the channels are put first."""


def read_onnx_file(path: Path, name: str, size: Pair | None = None) -> Read:
    """The network of a file; raises MissingError where it cannot be read, or `onnx` is not installed."""
    try:
        import onnx
        from google.protobuf.message import DecodeError
    except ImportError:
        raise MissingError("files of ONNX are read by onnx: pip install 'archbuilder[onnx]'") from None
    try:
        model = onnx.ModelProto()
        model.ParseFromString(bounded_bytes(path, _LIMIT))
        if not model.graph.node:
            raise DecodeError  # any bytes that say nothing are a message of protobuf, and so are none at all
        return _network(model, path, name, size)
    except DecodeError:
        raise MissingError(f"{path} is not read: it is no file of ONNX, or a damaged one") from None
    except (BadFileError, UnreadError) as error:
        raise MissingError(f"{path} is not read: {shortened(str(error))}") from None


def _network(model: ModelProto, path: Path, name: str, size: Pair | None) -> Read:
    graph = model.graph
    if len(graph.node) > LAYERS * 4:
        raise UnreadError(f"it has more than {LAYERS * 4:,} nodes")
    maker = Maker(_Constants(graph, path.parent), max((one.version for one in model.opset_import), default=1))
    _enter(graph, maker, size)
    for proto in graph.node:
        _read(proto, maker)
    outputs = [maker.tensors.get(one.name) for one in graph.output]
    if not outputs or None in outputs:
        raise UnreadError("it does not say which tensors are its outputs")
    values = [maker.whole(one) for one in outputs if one is not None]
    found = maker.builder.graph(name, values)
    maker.builder.note("the file does not say how kernels start: that of the language is assumed, he_normal")
    if maker.has_batch_norms and not maker.told_momentum:
        maker.builder.note("the file does not say how fast moving statistics follow: a momentum of 0.9 is assumed")
    return Read(found, lambda: maker.arrays, tuple(maker.builder.notes), maker.builder.before,
                tuple(one.name for one in graph.output))  # fmt: skip


def _enter(graph: GraphProto, maker: Maker, size: Pair | None) -> None:
    """The images that arrive, with their channels first unless they are put there later."""
    inputs = [one for one in graph.input if one.name not in maker.constants]
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise UnreadError(f"it has {len(inputs)} inputs, and networks of one are read: {names}")
    entry = inputs[0]
    sizes = [one.dim_value for one in entry.type.tensor_type.shape.dim]
    if len(sizes) != 4:
        raise UnreadError(f"its input '{entry.name}' is no batch of images")
    axes = LAST if _is_turned(graph, entry.name) else FIRST
    found = dict(zip(axes, sizes[1:], strict=True))
    if size is not None:
        found |= {"h": found["h"] or size[0], "w": found["w"] or size[1]}
    if not found["h"] or not found["w"]:
        raise UnreadError("its images may be of any size, and a network of one size is read: say which by --size")
    shape = tuple(integer(found[axis], SIDE) for axis in LAST)
    value = maker.builder.add("input", ops.Input(shape))
    maker.tensors[entry.name] = Tensor(value, axes)


def _is_turned(graph: GraphProto, name: str) -> bool:
    """Whether the channels of a tensor are put first, with nothing but pixels prepared before that."""
    names = {name}
    for node in graph.node[:100]:
        if not names & {*node.input}:
            continue
        if node.op_type == "Transpose":
            return [*_attributes(node).get("perm", ())] == [0, 3, 1, 2]
        if node.op_type not in _BEFORE:
            return False
        names.update(node.output)
    return False


def _read(proto: NodeProto, maker: Maker) -> None:
    name = proto.name or (proto.output[0] if proto.output else "")
    told = f"its node '{name}' ({proto.op_type})"
    if proto.domain not in ("", "ai.onnx"):
        raise UnreadError(f"{told} is no operator of ONNX itself")
    try:
        node = NodeOf(proto.op_type, name, tuple(proto.input), tuple(proto.output), _attributes(proto), maker)
        onnx_nodes.read(node)
    except (KeyError, TypeError, IndexError, AttributeError):
        raise UnreadError(f"{told} lacks a setting, or an input") from None
    except (UnreadError, ShapeError) as error:
        raise UnreadError(f"{told}: {error}") from None
    except (ValueError, OverflowError):
        raise UnreadError(f"{told}: one of its settings is of another form") from None


def _attributes(proto: NodeProto) -> dict[str, Any]:
    """The attributes of a node as plain values; a tensor stays one."""
    found: dict[str, Any] = {}
    for one in proto.attribute:
        match one.type:
            case 1:
                found[one.name] = one.f
            case 2:
                found[one.name] = one.i
            case 3:
                found[one.name] = one.s.decode("utf-8", "replace")
            case 4:
                found[one.name] = one.t
            case 6:
                found[one.name] = [*one.floats]
            case 7:
                found[one.name] = [*one.ints]
            case _:
                found[one.name] = None
    return found


class _Constants(Mapping[str, Array]):
    """The tensors that a file brings along, read when they are asked for."""

    def __init__(self, graph: GraphProto, folder: Path) -> None:
        self._protos = {one.name: one for one in graph.initializer}
        self._folder = folder
        self._read: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._read:
            self._read[name] = array_of(self._protos[name], self._folder)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._protos)

    def __len__(self) -> int:
        return len(self._protos)


def array_of(proto: TensorProto, folder: Path) -> Array:
    """The values of a tensor; those outside the file lie in its folder, or are refused."""
    from onnx import TensorProto, numpy_helper

    whole = TensorProto()
    whole.CopyFrom(proto)
    if proto.data_location == TensorProto.EXTERNAL:
        whole.raw_data = _beside(proto, folder)
        whole.data_location = TensorProto.DEFAULT
        del whole.external_data[:]
    try:
        found: Array = np.asarray(numpy_helper.to_array(whole))
    except (ValueError, TypeError, KeyError, MemoryError, OverflowError):
        raise UnreadError(f"its tensor '{proto.name}' is damaged, or of a type that is not read") from None
    return found


def _beside(proto: TensorProto, folder: Path) -> bytes:
    """The bytes of a tensor that lies in a file beside the one that names it."""
    told = {one.key: one.value for one in proto.external_data}
    place = Path(told.get("location", ""))
    target = (folder / place).resolve()
    if place.is_absolute() or ".." in place.parts or not target.is_relative_to(folder.resolve()):
        raise UnreadError(f"its tensor '{proto.name}' lies outside the file's folder")
    try:
        offset, length = int(told.get("offset", 0)), int(told.get("length", -1))
    except ValueError:
        raise UnreadError(f"its tensor '{proto.name}' lies at no place") from None
    try:
        with regular_file(target, follow_links=False) as file:
            size = path_size(file)
            length = size - offset if length < 0 else length
            if not 0 <= offset <= offset + length <= size:
                raise UnreadError(f"its tensor '{proto.name}' lies behind the end of {place}")
            file.seek(offset)
            return file.read(length)
    except BadFileError as error:
        raise UnreadError(f"the file of its tensor '{proto.name}', {place}: {error}") from None
