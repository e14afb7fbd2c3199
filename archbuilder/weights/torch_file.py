"""`.pth` and `.pt`, read by PyTorch's own restricted reader, which makes tensors and nothing else."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from archbuilder.aliases import Array
from archbuilder.errors import ArchbuilderError, MissingError
from archbuilder.weights.torch_layout import layers
from archbuilder.weights.weight_file import LIMIT_BYTES, Budget, WeightFile

_SAFE_SINCE = (2, 6)
"""The first PyTorch whose `weights_only` cannot be got round (CVE-2025-32434)."""
_NESTS = ("state_dict", "model_state_dict", "model")
"""The keys under which training scripts put the weights in their checkpoints."""
_UNREADABLE = (
    pickle.UnpicklingError, zipfile.BadZipFile, RuntimeError, EOFError, ValueError, KeyError, AttributeError, TypeError,
)  # fmt: skip


def read_torch(path: Path) -> WeightFile:
    """Raises MissingError without a sound PyTorch, ArchbuilderError where the file holds more than plain data."""
    torch = _torch(path)
    try:
        if _size(path) > LIMIT_BYTES:
            raise ArchbuilderError(f"{path} declares more than {LIMIT_BYTES >> 30} GiB")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old pickles; what comes of them is checked here
            content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        reason = str(error).strip().partition("\n")[0]
        raise ArchbuilderError(f"{path} is refused: not weights and plain data alone ({reason})") from error
    found, channels_first = layers(_arrays(torch, content, Budget(path.name)))
    return WeightFile(path.name, found, channels_first)


def _torch(path: Path) -> Any:
    try:
        import torch
    except ImportError:
        message = f"{path} is read by PyTorch, which is not installed: pip install 'archbuilder[weights]'"
        raise MissingError(f"{message}; or save the weights as .safetensors") from None
    if tuple(int(part) for part in torch.__version__.split(".")[:2]) < _SAFE_SINCE:
        raise MissingError(f"PyTorch {torch.__version__} does not read files of strangers safely; 2.6 or later does")
    return torch


def _size(path: Path) -> int:
    """The size of the file once it is decompressed."""
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())


def _arrays(torch: Any, content: Any, budget: Budget) -> dict[str, Array]:
    for nest in _NESTS:
        if isinstance(content, Mapping) and isinstance(content.get(nest), Mapping):
            content = content[nest]
    if not isinstance(content, Mapping):
        raise ArchbuilderError(f"{budget.file} holds no mapping of names to tensors")
    arrays = {}
    for name, value in content.items():
        if isinstance(value, torch.Tensor) and value.is_floating_point():
            budget.take(str(name), tuple(value.shape), value.element_size())
            arrays[str(name)] = value.detach().float().numpy()
    return arrays
