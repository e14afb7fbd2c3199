"""The check of a machine: each thing that archbuilder can use, whether it is there, and what to do if it is not."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from archbuilder.machine import hardware
from archbuilder.machine.backend import backend


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for."""

    name: str
    found: str
    """A description of what is there; empty if nothing is."""
    advice: str = ""
    """Advice on how to get what is missing."""
    is_needed: bool = False
    """Whether nothing can be built or trained without it."""

    @property
    def is_there(self) -> bool:
        return bool(self.found)


@dataclass(frozen=True)
class Check:
    """Looks for one thing; whatever it raises means that the thing is missing."""

    name: str
    look: Callable[[], str]
    """The function that describes what is there; empty text if nothing is."""
    advice: str = ""
    is_needed: bool = False

    def finding(self) -> Finding:
        try:
            found, reason = self.look(), ""
        except ModuleNotFoundError:
            found, reason = "", ""
        except Exception as error:  # a broken installation raises anything
            found, reason = "", _first_line(error)
        advice = "" if found else "; ".join(filter(None, (reason, self.advice)))
        return Finding(self.name, found, advice, self.is_needed)


def examine() -> Iterator[Finding]:
    """All findings; TensorFlow is loaded on the way, and what is missing or broken raises nothing."""
    return (check.finding() for check in CHECKS)


def _python() -> str:
    return f"{platform.python_version()} on {platform.platform()}"


def _archbuilder() -> str:
    return f"{version('archbuilder')} in {Path(__file__).parent}"


def _tensorflow() -> str:
    import tensorflow as tf

    return str(tf.__version__)


def _keras() -> str:
    import keras

    return str(keras.__version__)


def _backend() -> str:
    return backend()


def _jax() -> str:
    import jax

    return f"{jax.__version__}: {', '.join(map(str, jax.devices()))}"


def _processor() -> str:
    cores, instructions = hardware.cores(), hardware.instructions()
    return ", ".join([hardware.processor(), f"{cores} core{'s' * (cores != 1)}", *instructions])


def _gpus() -> str:
    """The GPUs that the backend can use; a card that only its driver knows of is no help."""
    from archbuilder.training.environment import gpus

    usable, cards = gpus(), hardware.nvidia_cards()
    if cards and not usable:
        engine = "JAX" if backend() == "jax" else "TensorFlow"
        raise RuntimeError(f"{engine} cannot use {', '.join(name for name, _ in cards)}")
    sizes = [f" ({amount / 1024:.0f} GiB)" if amount else "" for _, amount in cards]
    if len(sizes) != len(usable):  # CUDA_VISIBLE_DEVICES hides some
        sizes = [""] * len(usable)
    return ", ".join(gpu + size for gpu, size in zip(usable, sizes, strict=True))


def _precision() -> str:
    from archbuilder.training.environment import resolve_precision

    return f"auto takes {resolve_precision('auto')}"


def _memory() -> str:
    amount = hardware.memory()
    return hardware.gib(amount) if amount else ""


def _graphviz() -> str:
    """Draws a node, since libraries that are there may still not fit each other."""
    from graphviz import Digraph

    from archbuilder.diagram.rendering import rendered

    digraph = Digraph()
    digraph.node("x")
    rendered(digraph, "svg")
    try:
        import pygraphviz
    except ImportError:
        return "draws, by the system's dot"
    return f"draws, by pygraphviz {pygraphviz.__version__}"


def _tensorboard() -> str:
    return version("tensorboard")


def _onnx() -> str:
    return f"{version('onnx')}, run by ONNX Runtime {version('onnxruntime')}"


def _digits() -> str:
    from sklearn.datasets import load_digits

    return f"{len(load_digits().target):,} images in scikit-learn"


def _cifar10() -> str:
    from archbuilder.data.sources import cifar

    return str(cifar.cached(cifar.CIFAR10) or "")


def _cifar100() -> str:
    from archbuilder.data.sources import cifar

    return str(cifar.cached(cifar.CIFAR100) or "")


def _tfds() -> str:
    folder = Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets")
    prepared = sorted(child.name for child in folder.iterdir() if child.is_dir()) if folder.is_dir() else []
    return f"{version('tensorflow-datasets')}, prepared in {folder}: {', '.join(prepared) or 'nothing yet'}"


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")


_CIFAR = "downloaded by the first training on it; or say with --data where it lies"
CHECKS = (
    Check("Python", _python, is_needed=True),
    Check("archbuilder", _archbuilder, "pip install archbuilder", is_needed=True),
    Check("TensorFlow", _tensorflow, "pip install tensorflow", is_needed=True),
    Check("Keras", _keras, "pip install keras", is_needed=True),
    Check("backend", _backend, "known once Keras is there", is_needed=True),
    Check("JAX", _jax, "only for KERAS_BACKEND=jax: pip install 'archbuilder[jax]'"),
    Check("processor", _processor),
    Check("GPUs", _gpus, "the processor does the work; for cards of NVIDIA: pip install 'tensorflow[and-cuda]'"),
    Check("precision", _precision, "known once TensorFlow is there"),
    Check("memory", _memory, "the system does not tell"),
    Check("Graphviz", _graphviz, "only for draw: pip install pygraphviz"),
    Check("TensorBoard", _tensorboard, "nothing here needs it: pip install tensorboard"),
    Check("ONNX", _onnx, "only for export to .onnx: pip install 'archbuilder[onnx]'"),
    Check("data: digits", _digits, "pip install scikit-learn", is_needed=True),
    Check("data: cifar10", _cifar10, _CIFAR),
    Check("data: cifar100", _cifar100, _CIFAR),
    Check("data: tfds", _tfds, "only for {tfds: ...}: pip install 'archbuilder[tfds]'"),
)
