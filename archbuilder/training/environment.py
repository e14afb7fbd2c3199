"""The machine and the software that a training runs on, and what it may use of them."""

from __future__ import annotations

import os
import platform
import re
from importlib.metadata import version
from typing import Any, Literal

import tensorflow as tf

from archbuilder.aliases import Precision
from archbuilder.errors import UsageError
from archbuilder.machine.backend import backend
from archbuilder.machine.hardware import processor

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
        "devices": [gpu_name(gpu) for gpu in tf.config.list_physical_devices("GPU")] or ["CPU"],
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that the numbers depend on."""
    packages = ("archbuilder", "tensorflow", "keras", "numpy", *(("jax",) if backend() == "jax" else ()))
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def take_memory_as_needed() -> None:
    """Lets several programs share a GPU; TensorFlow would take all of its memory at once. Beside JAX it takes none."""
    try:
        if backend() == "jax":
            tf.config.set_visible_devices([], "GPU")
        for gpu in tf.config.get_visible_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)
    except RuntimeError:  # the caller has used the GPU before and has made this choice already
        return


def computes_on_gpu() -> bool:
    if backend() == "jax":
        import jax

        return any(one.platform == "gpu" for one in jax.devices())
    return bool(tf.config.list_physical_devices("GPU"))


def resolve_precision(wanted: Literal["auto"] | Precision) -> Precision:
    """What `auto` comes to here: bfloat16 on GPUs that have it, else float32. Raises UsageError for float16 on JAX."""
    if backend() == "jax" and wanted == "mixed_float16":
        raise UsageError(
            "on JAX, networks are trained in float32 or mixed_bfloat16, not in mixed_float16: "
            "--set training.precision=mixed_bfloat16"
        )
    if wanted != "auto":
        return wanted
    gpus = _gpus_of_jax() if backend() == "jax" else list(map(_capability, tf.config.list_physical_devices("GPU")))
    return "mixed_bfloat16" if gpus and min(gpus) >= _AMPERE else "float32"


def _capability(gpu: Any) -> tuple[int, int]:
    found: tuple[int, int] = tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
    return found


def _gpus_of_jax() -> list[tuple[int, int]]:
    """Their compute capabilities, such as "8.0"; zero for those of other makers, which say something else."""
    import jax

    said = (str(getattr(one, "compute_capability", "")) for one in jax.devices() if one.platform == "gpu")
    found = (re.fullmatch(r"(\d+)\.(\d+)", text) for text in said)
    return [(int(one[1]), int(one[2])) if one else (0, 0) for one in found]


def gpu_name(gpu: Any) -> str:
    return str(tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name))
