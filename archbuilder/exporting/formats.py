"""The formats that a network is handed over in: a closed list, each with a module of its own, imported when it is used.

A new format is one entry here, and its module, which has `write` and `load`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from archbuilder.errors import MissingError, UsageError

if TYPE_CHECKING:
    from archbuilder.exporting.comparing import Compute
    from archbuilder.exporting.handover import Handover
    from archbuilder.exporting.litert_process import Precision

FormatName = Literal[
    "onnx", "keras", "saved-model", "safetensors", "litert", "litert-float16", "litert-int8", "onnx-int8", "keras-code",
    "torch-code",
]  # fmt: skip
FLOAT32, FLOAT16 = 1e-5, 1e-2
"""How far logits may be from the original's, relative to the largest."""


@dataclass(frozen=True)
class Options:
    """What some formats can do otherwise."""

    fold_norms: bool = False
    """Folds each batch norm into the convolution before it."""
    names: str = "archbuilder"
    """Whose names the tensors of a file of weights have: ours, those of torchvision or timm, or those of a file."""
    calibration: Path | None = None
    """A folder of images that int8 is calibrated on; without one, those that a run learned from are."""


DEFAULT = Options()


_EXTRAS = {"ai_edge_litert": "litert"}
"""What installs a package, where that is not called the same."""


@dataclass(frozen=True)
class LayerError:
    """How far what a layer gives is from the original, relative to its size (root mean squares)."""

    layer: str
    error: float


class Writer(Protocol):
    """The module of a format."""

    def write(
        self, handover: Handover, path: Path, options: Options, metadata: dict[str, str]
    ) -> Sequence[LayerError] | None:
        """Writes the file or folder, where there is none yet, and what lies beside it; says what it cost each layer."""

    def load(self, path: Path, handover: Handover) -> Compute:
        """What was written, as it answers where its users run it."""


@dataclass(frozen=True)
class Format:
    """One format."""

    name: FormatName
    suffix: str
    """What its files end in; none for a folder."""
    what: str
    """What it is, for --help."""
    module: Callable[[], Writer]
    bound: float | None = FLOAT32
    """How far logits may be from the original's; None where accuracy alone counts."""
    needs_keras: bool = False
    """Whether TensorFlow and Keras write it."""
    options: tuple[str, ...] = ()
    """The options that it takes."""
    packages: tuple[str, ...] = ()
    """The packages that write it."""
    runtime: tuple[str, ...] = ()
    """The packages, besides, that it is compared with."""
    beside: tuple[str, ...] = ()
    """The suffixes of further files, which have the same stem."""

    def files(self, path: Path) -> tuple[Path, ...]:
        """All that is written, the file itself first."""
        return (path, *(path.with_suffix(suffix) for suffix in self.beside))

    def require(self, compare: bool) -> None:
        """Raises MissingError where a package is not installed that writes the format or, to compare, runs it."""
        for package in (*self.packages, *(self.runtime if compare else ())):
            if find_spec(package) is None:
                without = "" if package in self.packages else ", or --no-compare"
                first = (*self.packages, *self.runtime)[0]
                extra = _EXTRAS.get(first, first)
                raise MissingError(f"{self.name} needs {package}: pip install 'archbuilder[{extra}]'{without}")

    def require_options(self, options: Options) -> None:
        """Raises UsageError for an option that is for other formats."""
        for field in fields(options):
            if getattr(options, field.name) != field.default and field.name not in self.options:
                takers = " and ".join(one.name for one in FORMATS if field.name in one.options)
                raise UsageError(f"--{field.name.replace('_', '-')} is for {takers}, not for {self.name}")


def _onnx() -> Writer:
    from archbuilder.exporting import onnx_file

    return onnx_file


def _keras() -> Writer:
    from archbuilder.exporting import keras_file

    return keras_file


def _saved_model() -> Writer:
    from archbuilder.exporting import saved_model

    return saved_model


def _safetensors() -> Writer:
    from archbuilder.exporting import safetensors_file

    return safetensors_file


def _keras_code() -> Writer:
    from archbuilder.exporting import keras_code

    return keras_code


def _torch_code() -> Writer:
    from archbuilder.exporting import torch_code

    return torch_code


def _litert(precision: Precision) -> Callable[[], Writer]:
    def writer() -> Writer:
        from archbuilder.exporting.litert_file import LiteRtWriter

        return LiteRtWriter(precision)

    return writer


def _onnx_int8() -> Writer:
    from archbuilder.exporting import onnx_int8

    return onnx_int8


_LITERT = partial(Format, suffix=".tflite", needs_keras=True, runtime=("ai_edge_litert",))
FORMATS = (
    Format("onnx", ".onnx", "for ONNX Runtime and others", _onnx, options=("fold_norms",), packages=("onnx",),
           runtime=("onnxruntime",)),
    Format("keras", ".keras", "a model of stock Keras layers", _keras, needs_keras=True),
    Format("saved-model", "", "a folder for TensorFlow", _saved_model, needs_keras=True),
    Format("safetensors", ".safetensors", "the weights alone", _safetensors, options=("names",)),
    _LITERT("litert", what="for phones and small devices", module=_litert("float32")),
    _LITERT("litert-float16", what="half as large", module=_litert("float16"), bound=FLOAT16),
    _LITERT(
        "litert-int8", what="a quarter as large, of integers", module=_litert("int8"), bound=None,
        options=("calibration",),
    ),
    Format(
        "onnx-int8", ".onnx", "a quarter as large, of integers", _onnx_int8, bound=None, options=("calibration",),
        packages=("onnx", "onnxruntime"),
    ),
    Format("keras-code", ".py", "Keras code that stands alone, weights beside it (.h5)", _keras_code, beside=(".h5",)),
    Format("torch-code", ".py", "PyTorch code that stands alone, weights beside it (.safetensors)", _torch_code,
           runtime=("torch", "safetensors"), beside=(".safetensors",)),
)  # fmt: skip
"""The first with a suffix is the one that a file of this suffix is written in."""


def format_of(path: str | Path, name: str | None = None) -> Format:
    """The format that is asked for, or that the suffix of a path says; a path that ends in `/` is a folder's.

    Raises UsageError where neither says one, or both say two.
    """
    text = str(path)
    is_folder = text.endswith("/") or Path(text).is_dir()
    suffix = "" if is_folder else Path(text).suffix.lower()
    said = [one for one in FORMATS if one.suffix == suffix and (suffix or is_folder)]
    if name is None:
        if said:
            return said[0]
        raise UsageError(f"the suffix of a file says its format, or --format does: {_listed()}")
    found = next((one for one in FORMATS if one.name == name), None)
    if found is None:
        raise UsageError(f"there is no format '{name}': {_listed()}")
    if suffix != found.suffix:
        wanted = f"files that end in {found.suffix}" if found.suffix else "a folder, whose name has no suffix"
        raise UsageError(f"{found.name} is written to {wanted}, not to {path}")
    return found


def _listed() -> str:
    return ", ".join(f"{one.name} ({one.suffix or 'a folder/'})" for one in FORMATS)
