"""Files of weights: safetensors, HDF5 of Keras 2 and 3, `.keras` archives, and PyTorch's pickles where it is installed."""

from __future__ import annotations

import io
import json
import zipfile
from functools import cache
from random import Random
from typing import Any

from tests.fuzz.archives import archive, batches
from tests.fuzz.case import Case, Kind
from tests.fuzz.damage import NUMBERS, VALUES, damaged, with_changes

SPEC = b"""\
archbuilder: 1
name: small
input: [8, 8, 3]
stem: [{conv: {filters: 4, kernel: 3, bias: false}}, norm, relu]
stages: []
head: [global_average_pool, {dense: {units: 5}}, softmax]
"""
SHAPES: dict[str, list[int]] = {
    "conv1.weight": [4, 3, 3, 3], "bn1.weight": [4], "bn1.bias": [4], "bn1.running_mean": [4], "bn1.running_var": [4],
    "fc.weight": [5, 4], "fc.bias": [5],
}  # fmt: skip
NAMES = ("conv2d", "batch_normalization", "dense", "vars", "layers", "\x1b[31m", "x" * 300, "depthwise_conv2d")
WORDS: tuple[Any, ...] = (
    *NUMBERS,
    *VALUES,
    "F32",
    "BF16",
    "I8",
    "F8_E4M3",
    [2**62, 4],
    [0] * 70,
    [2**32, 2**32],
    {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
)


def _safetensors(random: Random) -> bytes:
    header, at = {}, 0
    for name, shape in SHAPES.items():
        size = 4
        for side in shape:
            size *= side
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(with_changes(header, random, WORDS)).encode()
    if random.random() < 0.3:
        text = damaged(
            text, random, (b"1e999", b'"__metadata__": 3', b"[" * 10_000, b'{"a":' * 10_000, b"\xff", b'"\\ud800"')
        )
    length = len(text) if random.random() < 0.9 else random.choice(NUMBERS)
    return length.to_bytes(8, "little") + text + bytes(random.choice((at, at, at, 0, at - 1, at + 99)))


@cache
def hdf5(form: int) -> bytes:
    """A sound file: of Keras 3, of Keras 2, and of Keras 3 in compressed pieces."""
    import h5py
    import numpy as np

    file = io.BytesIO()
    arrays: dict[str, list[tuple[int, ...]]] = {
        "conv2d": [(3, 3, 3, 4)],
        "batch_normalization": [(4,)] * 4,
        "dense": [(4, 5), (5,)],
    }
    with h5py.File(file, "w") as root:
        for layer, shapes in arrays.items():
            group = root.create_group(layer if form == 1 else f"layers/{layer}/vars")
            names = [f"{layer}/{number}:0" if form == 1 else str(number) for number in range(len(shapes))]
            for name, shape in zip(names, shapes, strict=True):
                group.create_dataset(name, data=np.ones(shape, "f4"), compression="gzip" if form == 2 else None)
            group.attrs["weight_names"] = names
        if form == 1:
            root.attrs["layer_names"] = list(arrays)
    return file.getvalue()


def _built(random: Random) -> bytes:
    """Groups, datasets, links and attributes at random."""
    import h5py
    import numpy as np

    file = io.BytesIO()
    with h5py.File(file, "w") as root:
        root.create_group("layers")
        groups = [root, root["layers"]]
        for _ in range(random.randrange(12)):
            group, name = random.choice(groups), random.choice((*NAMES, "0", "1"))
            if name in group:
                continue
            match random.randrange(7):
                case 0 | 1:
                    groups.append(group.create_group(name))
                case 2:
                    shape = tuple(random.choice((0, 1, 4, 2**10, 2**20)) for _ in range(random.randrange(5)))
                    group.create_dataset(
                        name,
                        shape,
                        random.choice(("f2", "f4", "f8", "i8", "S9", "c8", "?")),
                        chunks=True if 0 not in shape and shape else None,
                    )
                case 3:
                    group[name] = random.choice(
                        (h5py.SoftLink("/layers"), h5py.SoftLink(name), h5py.ExternalLink("/etc/passwd", "/"), root)
                    )
                case 4:
                    group.create_dataset(
                        name, data=np.array(random.choice((1.0, [1.0] * 4, [[1.0] * 5] * 4, [np.nan])))
                    )
                case 5:
                    group.attrs[random.choice(("layer_names", "weight_names", "name", "layer_names0", "dtype"))] = (
                        random.choice(("conv2d", ["conv2d"], 3, b"\xff", [1.5], h5py.Empty("f4"), "bfloat16"))
                    )
                case _:
                    group.create_dataset(name, data=h5py.Empty("f4"))
    return file.getvalue()


def _hdf5(random: Random) -> bytes:
    if random.random() < 0.3:
        return _built(random)
    return damaged(hdf5(random.randrange(3)), random, tuple(hdf5(form) for form in range(3)))


def _keras(random: Random) -> bytes:
    members = {
        "model.weights.h5": _hdf5(random) if random.random() < 0.4 else hdf5(0),
        "config.json": b"{}",
        "metadata.json": b"{}",
    }
    content = archive(members, random)
    return damaged(content, random) if random.random() < 0.6 else content


def _torch(random: Random) -> bytes:
    """What stands in for PyTorch's files: the walls before its reader are ours, and stand where it is not installed."""
    content = damaged(random.choice(batches()), random, batches())
    if random.random() < 0.3:
        return content
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as opened:
        opened.writestr("x/data.pkl", content)
        opened.writestr("x/data/0", bytes(64))
    return damaged(file.getvalue(), random) if random.random() < 0.3 else file.getvalue()


def safetensors(random: Random) -> Case:
    return _case(
        "x.safetensors", _safetensors(random) if random.random() < 0.8 else damaged(_safetensors(random), random)
    )


def keras_file(random: Random) -> Case:
    suffix, content = random.choice(((".h5", _hdf5), (".weights.h5", _hdf5), (".keras", _keras)))
    return _case(f"x{suffix}", content(random))


def torch_file(random: Random) -> Case:
    return Case({"x.pth": _torch(random)}, ("plain", "x.pth"))


def _case(name: str, content: bytes) -> Case:
    return Case({name: content, "x.yaml": SPEC}, ("build", "x.yaml", "--weights", name))


SAFETENSORS, KERAS_FILES, TORCH_FILES = Kind(safetensors), Kind(keras_file), Kind(torch_file)
