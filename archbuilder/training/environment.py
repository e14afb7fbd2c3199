"""The machine and the software that a training runs on, and what it may use of them."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from typing import Any, Literal

from archbuilder.aliases import Precision
from archbuilder.errors import UsageError
from archbuilder.machine.backend import backend
from archbuilder.machine.hardware import instructions, processor

_AMPERE = (8, 0)
"""The first compute capability of NVIDIA GPUs that computes in bfloat16."""


def describe() -> dict[str, Any]:
    """Versions, processor and devices, for `environment.json`."""
    return {
        "versions": versions(),
        "backend": backend(),
        "platform": platform.platform(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "devices": gpus() or ["CPU"],
    }


def gpus() -> list[str]:
    """The names of the GPUs that the engine can use."""
    if backend() == "jax":
        return [one.device_kind for one in _gpus_of_jax()]
    return [_name(gpu) for gpu in _gpus_of_tensorflow()]


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that the numbers depend on."""
    packages = ("archbuilder", backend(), "keras", "numpy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def take_memory_as_needed() -> None:
    """Lets several programs share a GPU; TensorFlow would take all of its memory at once, JAX three quarters."""
    if backend() == "jax":
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        return
    import tensorflow as tf

    try:
        for gpu in tf.config.get_visible_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # the caller has used the GPU before and has made this choice already
        return


def computes_on_gpu() -> bool:
    return bool(gpus())


def resolve_precision(wanted: Literal["auto"] | Precision) -> Precision:
    """What `auto` comes to here: bfloat16 on GPUs that have it, else float32. Raises UsageError for float16 on JAX."""
    if backend() == "jax" and wanted == "mixed_float16":
        raise UsageError(
            "on JAX, networks are trained in float32 or mixed_bfloat16, not in mixed_float16: "
            "--set training.precision=mixed_bfloat16"
        )
    if wanted != "auto":
        return wanted
    found = _capabilities_by_jax() if backend() == "jax" else list(map(_capability, _gpus_of_tensorflow()))
    return "mixed_bfloat16" if found and min(found) >= _AMPERE else "float32"


def emulates_bfloat16() -> bool:
    """Whether TensorFlow computes in bfloat16 without instructions for it, which are those of AVX-512."""
    return backend() == "tensorflow" and not gpus() and "AVX2" in (found := instructions()) and "AVX-512" not in found


def _capability(gpu: Any) -> tuple[int, int]:
    found: tuple[int, int] = _details(gpu).get("compute_capability", (0, 0))
    return found


def _capabilities_by_jax() -> list[tuple[int, int]]:
    """Those such as "8.0"; zero for GPUs of other makers, which say something else."""
    said = (str(getattr(one, "compute_capability", "")) for one in _gpus_of_jax())
    found = (re.fullmatch(r"(\d+)\.(\d+)", text) for text in said)
    return [(int(one[1]), int(one[2])) if one else (0, 0) for one in found]


def _name(gpu: Any) -> str:
    return str(_details(gpu).get("device_name", gpu.name))


def _gpus_of_jax() -> list[Any]:
    import jax

    return [one for one in jax.devices() if one.platform == "gpu"]


def _gpus_of_tensorflow() -> list[Any]:
    import tensorflow as tf

    return list(tf.config.list_physical_devices("GPU"))


def _details(gpu: Any) -> dict[str, Any]:
    import tensorflow as tf

    return dict(tf.config.experimental.get_device_details(gpu))
