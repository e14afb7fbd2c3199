"""Files of PyTorch, read by PyTorch's own restricted reader, which makes tensors and nothing else."""

from __future__ import annotations

import pickle
import re
import warnings
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from archbuilder.aliases import Array
from archbuilder.bounded_files import BadFileError, open_archive, path_size, regular_file
from archbuilder.bounded_pickles import names_in
from archbuilder.errors import ArchbuilderError, MissingError
from archbuilder.formatting import printable
from archbuilder.weights.torch_layout import layers
from archbuilder.weights.weight_file import RATIO, Budget, WeightFile

_SAFE_SINCE = (2, 6)
"""The first PyTorch whose `weights_only` cannot be got round (CVE-2025-32434)."""
_NESTING = 5
"""How deep mappings of weights may stand in a checkpoint, under whatever keys."""
_PICKLE = "data.pkl"
_LONGEST_PICKLE = 2**22
"""The largest bundled network, with the state of an optimizer, needs a tenth of it."""
_PICKLES = 5
"""How many stand before the data of a file of PyTorch 1.5 and before: magic number, protocol, system, content, keys."""
_PLAIN = frozenset({
    "collections OrderedDict", "collections defaultdict", "collections Counter", "torch Size", "torch device",
    "torch.storage UntypedStorage", "torch.nn.parameter Parameter",
    *(f"torch._utils _rebuild_{what}" for what in ("tensor", "tensor_v2", "parameter", "parameter_with_state")),
})  # fmt: skip
"""What weights are put together of; `torch.FloatStorage` and the like, and `torch.float32`, besides."""
_OF_TORCH = re.compile(r"torch(\.cuda)? \w+Storage|torch (b?float\d+|u?int\d+|bool|half|double|long|strided)")
_UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, ValueError, LookupError, AttributeError, TypeError, AssertionError,
    MemoryError, OverflowError, OSError, ArithmeticError,
)  # fmt: skip


def read_torch(path: Path) -> WeightFile:
    """Raises MissingError without a sound PyTorch, ArchbuilderError where the file holds more than plain data."""
    torch = _torch(path)
    try:
        size = _require_plain(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old pickles; what comes of them is checked here
            content = torch.load(path, map_location="cpu", weights_only=True)
    except BadFileError as error:
        raise _refused(path, error) from error
    except _UNREADABLE as error:
        raise _refused(path, "PyTorch cannot read it") from error
    found, channels_first = layers(_arrays(torch, content, Budget(path.name, size)))
    return WeightFile(path.name, found, channels_first)


def _refused(path: Path, reason: object) -> ArchbuilderError:
    message = f"{path} is refused: not weights and plain data alone ({reason})"
    return ArchbuilderError(f"{message}; save the weights anew, by torch.save(model.state_dict(), ...)")


def _require_plain(path: Path) -> int:
    """The size of a file whose pickles are short and ask for tensors alone; raises BadFileError for any other."""
    with regular_file(path) as file:
        size = path_size(file)
        if file.read(4) != b"PK\x03\x04":
            file.seek(0)
            start = BytesIO(file.read(_LONGEST_PICKLE))
            for _ in range(_PICKLES):
                _require_plain_pickle(start)
            return size
    with open_archive(path, ratio=RATIO) as archive:
        pickles = [name for name in archive.members if PurePosixPath(name).suffix == ".pkl"]
        if [PurePosixPath(name).name for name in pickles] != [_PICKLE]:
            raise BadFileError(f"there has to be one {_PICKLE} in it")
        _require_plain_pickle(BytesIO(archive.read(pickles[0], _LONGEST_PICKLE)))
    return size


def _require_plain_pickle(content: BytesIO) -> None:
    for name in sorted(names_in(content)):
        if name not in _PLAIN and not _OF_TORCH.fullmatch(name):
            raise BadFileError(f"it asks for {printable(name.replace(' ', '.')[:100])}")


def _torch(path: Path) -> Any:
    try:
        import torch
    except ImportError:
        message = f"{path} is read by PyTorch, which is not installed: pip install 'archbuilder[weights]'"
        raise MissingError(f"{message}; or save the weights as .safetensors") from None
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _SAFE_SINCE:
        raise MissingError(f"PyTorch {torch.__version__} does not read files of strangers safely; 2.6 or later does")
    return torch


def _arrays(torch: Any, content: Any, budget: Budget) -> dict[str, Array]:
    """The weights of a checkpoint; where it holds several mappings of them, with the keys that lead to each."""
    if not isinstance(content, Mapping):
        raise ArchbuilderError(f"{budget.file} holds no mapping of names to tensors")
    found = dict(_mappings(torch, content, "", _NESTING))
    arrays = {}
    for keys, weights in found.items():
        for name, value in weights.items():
            budget.take(name, tuple(value.shape), value.element_size())
            arrays[f"{keys}{name}" if len(found) > 1 else name] = value.detach().float().numpy()
    return arrays


def _mappings(torch: Any, content: Mapping[Any, Any], keys: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each mapping of names to floating point tensors; the state of an optimizer is none."""
    if {"state", "param_groups"} <= content.keys() or not depth:
        return
    inner = [(name, value) for name, value in content.items() if isinstance(value, Mapping)]
    below = [one for name, value in inner for one in _mappings(torch, value, f"{keys}{name}.", depth - 1)]
    yield from below
    here = {
        str(name): value
        for name, value in content.items()
        if isinstance(value, torch.Tensor) and value.is_floating_point() and (value.ndim or not below)
    }
    if here:
        yield keys, here
