"""Files of weights, whole, damaged and hostile."""

from __future__ import annotations

import json
import os
import pickle
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from archbuilder.errors import ArchbuilderError, MissingError
from archbuilder.graph.network import Graph
from archbuilder.weights import weight_file
from archbuilder.weights.reading import read
from archbuilder.weights.transfer import transfer
from archbuilder.weights.weight_file import natural_order
from tests.weights.conftest import graph, torch_state, write_keras2, write_safetensors

KERNEL = np.arange(24, dtype=np.float32).reshape(2, 3, 4, 1)


def refused(path: Path, words: str) -> None:
    with pytest.raises(ArchbuilderError, match=words) as caught:
        read(path)
    assert caught.value.exit_code == 1


def keras3(path: Path, layers: dict[str, list[Any]]) -> Path:
    """As Keras wrote it before it told the names of layers."""
    with h5py.File(path, "w") as file:
        for name, arrays in layers.items():
            for index, array in enumerate(arrays):
                file[f"layers/{name}/vars/{index}"] = array
    return path


def test_natural_order() -> None:
    assert natural_order(["conv2d_10", "conv2d_2", "conv2d", "b"]) == ["b", "conv2d", "conv2d_2", "conv2d_10"]


@pytest.mark.parametrize("at", ["", "model_weights"])
def test_legacy_layers_keep_the_order_of_the_model(at: str, tmp_path: Path) -> None:
    norm = {f"b/{part}:0": np.ones(1) for part in ("gamma", "beta", "moving_mean", "moving_variance")}
    layers: dict[str, dict[str, Any]] = {"z": {"z/kernel:0": KERNEL, "z/bias:0": np.ones(1)}, "relu": {}, "b": norm}
    found = read(write_keras2(tmp_path / "x.h5", layers, at)).layers
    assert [(layer.name, layer.kind, *layer.tensors) for layer in found] == [
        ("z", "conv", "kernel", "bias"), ("b", "norm", "gamma", "beta", "moving_mean", "moving_variance"),
    ]  # fmt: skip
    assert str(found[0].tensors["kernel"]) == "z/kernel 2x3x4x1"


def test_legacy_models_within_models(tmp_path: Path) -> None:
    inner = {"conv1/kernel:0": KERNEL, "conv1/bias:0": np.ones(1), "fc/kernel:0": np.ones((2, 3))}
    found = read(write_keras2(tmp_path / "x.h5", {"resnet": inner})).layers
    assert [(layer.name, layer.kind) for layer in found] == [("conv1", "conv"), ("fc", "dense")]


def test_long_lists_of_names_are_in_several_attributes(tmp_path: Path) -> None:
    path = write_keras2(tmp_path / "x.h5", {name: {f"{name}/kernel:0": KERNEL} for name in "cab"})
    with h5py.File(path, "a") as file:
        del file.attrs["layer_names"]
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"c", b"a"], [b"b"]
    assert [layer.name for layer in read(path).layers] == ["c", "a", "b"]


def test_keras_3_layers_are_in_natural_order(tmp_path: Path) -> None:
    layers: dict[str, list[Any]] = {f"conv2d_{n}": [KERNEL] for n in (10, 9, 1)} | {
        "conv2d": [KERNEL, np.ones(1)],
        "dense": [np.ones((2, 2))],
    }
    found = read(keras3(tmp_path / "x.weights.h5", layers)).layers
    assert [layer.name for layer in found] == ["conv2d", "conv2d_1", "conv2d_9", "conv2d_10", "dense"]
    assert str(found[0].tensors["bias"]) == "layers/conv2d/vars/1 1"


def test_a_depthwise_kernel_is_one_of_groups(tmp_path: Path) -> None:
    found = read(keras3(tmp_path / "x.weights.h5", {"depthwise_conv2d": [KERNEL]})).layers
    np.testing.assert_array_equal(found[0].tensors["kernel"].array, KERNEL.reshape(2, 3, 1, 4))


@pytest.mark.parametrize(
    ("layer", "names", "parts"),
    [
        ("batch_normalization_2", "0123", ["gamma", "beta", "moving_mean", "moving_variance"]),
        ("batch_normalization", "012", ["gamma or beta", "moving_mean", "moving_variance"]),
        ("batch_normalization", "01", ["moving_mean", "moving_variance"]),
        ("layer_normalization", "01", ["gamma", "beta"]),
        ("layer_normalization", "0", ["gamma or beta"]),
        ("b", ["gamma", "moving_mean", "moving_variance"], ["gamma", "moving_mean", "moving_variance"]),
        ("b", ["b_beta", "b_running_mean", "b_running_std"], ["gamma or beta", "moving_mean", "moving_variance"]),
        ("b", ["beta"], ["beta"]),
    ],
)
def test_norms_that_do_not_scale_or_shift(layer: str, names: Sequence[str], parts: list[str], tmp_path: Path) -> None:
    """Only Keras 2 names the vectors of a norm; without names, a lone one may be either."""
    if names[0].isdecimal():
        path = keras3(tmp_path / "x.weights.h5", {layer: [np.ones(3)] * len(names)})
    else:
        path = write_keras2(tmp_path / "x.h5", {layer: {f"{layer}/{name}:0": np.ones(3) for name in names}})
    assert [(one.kind, *one.tensors) for one in read(path).layers] == [("norm", *parts)]


def test_a_lone_vector_is_a_shift_where_the_network_only_shifts(small: Graph, tmp_path: Path) -> None:
    """In a network whose norms also scale, it is not known which of both it is."""
    only_shifts = graph("{conv: {bias: false}}", "{conv: {bias: false}, norm: {scale: false}}")
    layers: dict[str, list[Any]] = {}
    for node in only_shifts.nodes:
        layers |= {node.name.replace("/", "."): [np.ones(one.shape) for one in node.weights]} if node.weights else {}
    path = keras3(tmp_path / "x.weights.h5", layers)
    assert transfer(path, only_shifts).arrays()["stem/norm1"].keys() == {"beta", "moving_mean", "moving_variance"}
    with pytest.raises(ArchbuilderError, match=r"left over in the file: layers/stem.norm1/vars/0 4"):
        transfer(path, small)


def test_what_is_neither_is_left_over(tmp_path: Path, small: Graph) -> None:
    path = keras3(tmp_path / "x.weights.h5", {"lstm": [np.ones((2, 8)), np.ones((2, 8)), np.ones(8)]})
    with pytest.raises(ArchbuilderError, match="and 68 more"):
        transfer(path, small)


@pytest.mark.parametrize("kind", ["external link", "soft link", "external data", "virtual data"])
def test_no_other_file_is_read(kind: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(96))
    other = keras3(tmp_path / "other.h5", {"conv2d": [KERNEL]})
    path = keras3(tmp_path / "x.weights.h5", {"dense": [np.ones((2, 2))]})
    with h5py.File(path, "a") as file:
        at = "layers/conv2d/vars"
        match kind:
            case "external link":
                file["layers/conv2d"] = h5py.ExternalLink(str(other), "layers/conv2d")
            case "soft link":
                file["layers/conv2d"] = h5py.SoftLink("/layers/dense")
            case "external data":
                file.create_group(at).create_dataset(
                    "0", (2, 3, 4, 1), "f4", external=[(str(tmp_path / "secret"), 0, 96)]
                )
            case _:
                layout = h5py.VirtualLayout((2, 3, 4, 1), "f4")
                layout[...] = h5py.VirtualSource(str(other), f"{at}/0", (2, 3, 4, 1))
                file.create_group(at).create_virtual_dataset("0", layout)
    refused(path, "links elsewhere" if "link" in kind else "lies in another file")


def test_a_bomb_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        vars_ = file.create_group("layers/dense/vars")
        vars_.create_dataset("0", (1 << 15, 1 << 15), "f4", chunks=(1024, 1024), compression="gzip")
    refused(tmp_path / "x.h5", "stores next to nothing")


def test_the_whole_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = keras3(tmp_path / "x.h5", {"dense": [np.ones((100, 100))]})
    monkeypatch.setattr(weight_file, "LIMIT_BYTES", 50_000)
    refused(path, "declares more than")


def test_groups_of_several_names(tmp_path: Path) -> None:
    """A group that holds itself, or groups that hold the next one twice, have names without end."""
    for twice in (False, True):
        with h5py.File(tmp_path / "x.h5", "w") as file:
            group = file.create_group("layers")
            for _ in range(18 * twice):
                group["b"] = group = group.create_group("a")
            group["c"] = group
        refused(tmp_path / "x.h5", "is there under another name as well")


def test_groups_that_are_nested_deeply(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_group(f"layers{'/a' * 25}")
    refused(tmp_path / "x.h5", "more than 20 deep")


def test_keras_archives(tmp_path: Path) -> None:
    weights = keras3(tmp_path / "w.h5", {"conv2d": [KERNEL]})
    with zipfile.ZipFile(tmp_path / "x.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "not even JSON, and never looked at")
        archive.write(weights, "model.weights.h5")
    assert [layer.name for layer in read(tmp_path / "x.keras").layers] == ["conv2d"]
    with zipfile.ZipFile(tmp_path / "y.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    refused(tmp_path / "y.keras", r"there is no model\.weights\.h5")


@pytest.mark.parametrize("suffix", [".h5", ".keras", ".safetensors", ".weights.h5", ".pth"])
@pytest.mark.parametrize(
    "content", [b"", b"nothing of the kind" * 9, b"\x89HDF\r\n\x1a\n" + bytes(200), b"PK\x03\x04" + bytes(99)]
)
def test_garbage(suffix: str, content: bytes, tmp_path: Path) -> None:
    if suffix == ".pth":
        pytest.importorskip("torch")
    (tmp_path / f"x{suffix}").write_bytes(content)
    with pytest.raises(ArchbuilderError) as caught:
        read(tmp_path / f"x{suffix}")
    assert caught.value.exit_code == 1


def test_no_file_and_no_such_kind_of_file(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match="there is no file"):
        read(tmp_path / "x.h5")
    (tmp_path / "x.bin").write_bytes(b"")
    refused(tmp_path / "x.bin", r"it is no \.weights\.h5, \.keras, \.h5, \.safetensors, \.npz, or a file of PyTorch")


def test_safetensors_types(tmp_path: Path) -> None:
    values = np.array([[1.5, -2.0], [0.25, 3.0]])
    arrays = {
        "a.weight": values.astype(np.float64), "b.weight": values.astype(np.float16),
        "c.weight": (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16),
        "d.num_batches_tracked": np.array(3), "e.position_ids": np.arange(4),
    }  # fmt: skip
    found = read(write_safetensors(tmp_path / "x.safetensors", arrays)).layers
    assert [layer.name for layer in found] == ["a", "b", "c"]
    for layer in found:
        kernel = layer.tensors["kernel"].array
        assert kernel.dtype == np.float32
        np.testing.assert_array_equal(kernel, values.T)


def test_safetensors_in_our_layout_and_names(small: Graph, tmp_path: Path) -> None:
    arrays = {
        f"{node.name.replace('/', '.')}.{weight.name}": np.ones(weight.shape, np.float32)
        for node in small.nodes
        for weight in node.weights
    }
    assert transfer(write_safetensors(tmp_path / "x.safetensors", arrays), small).match.how == "by name"


@pytest.mark.parametrize(
    "entry",
    [
        {"data_offsets": [0, 1 << 40]}, {"data_offsets": [-16, 0]}, {"data_offsets": [8, 0]}, {"data_offsets": "ab"},
        {"shape": [1 << 40, 1 << 40]}, {"shape": [-2, -2]}, {"shape": ["x"]}, {"dtype": []},
    ],
)  # fmt: skip
def test_a_safetensors_header_that_lies(entry: dict[str, Any], tmp_path: Path) -> None:
    right = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    path = write_safetensors(
        tmp_path / "x.safetensors", {"a.weight": np.ones((2, 2), np.float32)}, **{"a.weight": right | entry}
    )
    refused(path, "cannot be read as safetensors")


@pytest.mark.parametrize("header", ["[]", '{"a": 3}', "{" * 100_000, '{"a.weight": {"dtype": "F32"}}'])
def test_safetensors_headers_of_another_form(header: str, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(len(header).to_bytes(8, "little") + header.encode())
    refused(tmp_path / "x.safetensors", "cannot be read as safetensors")


def test_one_weight_shared_by_two_names_in_safetensors(tmp_path: Path) -> None:
    entry = {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}
    text = json.dumps({"a.weight": entry, "b.weight": entry}).encode()
    (tmp_path / "x.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))
    assert len(read(tmp_path / "x.safetensors").layers) == 2


@pytest.mark.parametrize("nest", ["", "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_torch_files(nest: str, prefix: str, small: Graph, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    state = {prefix + name: torch.from_numpy(np.array(array)) for name, array in torch_state(small).items()}
    torch.save({nest: state, "epoch": 3} if nest else state, tmp_path / "x.pth")
    found = transfer(tmp_path / "x.pth", small)
    same = transfer(write_safetensors(tmp_path / "x.safetensors", torch_state(small)), small)
    for name, arrays in same.arrays().items():
        for part, array in arrays.items():
            np.testing.assert_array_equal(found.arrays()[name][part], array)


class Malice:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch was_here",)


def test_a_torch_file_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": Malice()}, "x.pth")
    (tmp_path / "y.pth").write_bytes(pickle.dumps(Malice()))
    for name in ("x.pth", "y.pth"):
        refused(Path(name), "is refused")
    assert not Path("was_here").exists()


def test_a_torch_tensor_larger_than_its_storage(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.save({"conv1.weight": torch.zeros(1).expand(1 << 20, 1 << 20)}, tmp_path / "x.pth")
    refused(tmp_path / "x.pth", "declares more than")


@pytest.mark.parametrize(("version", "words"), [(None, "which is not installed"), ("2.5.1+cpu", "2.6 or later")])
def test_without_a_sound_torch(
    version: str | None, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Old:
        __version__ = version

    monkeypatch.setitem(sys.modules, "torch", Old if version else None)
    (tmp_path / "x.pth").write_bytes(b"")
    with pytest.raises(MissingError, match=words) as caught:
        read(tmp_path / "x.pth")
    assert caught.value.exit_code == 4


def test_a_graph_whose_last_stage_is_no_output(small: Graph, tmp_path: Path) -> None:
    """A backbone still takes in all tensors of the file."""
    backbone = graph("head:", "outputs: [stage1]\nhead:")
    assert backbone.outputs == ("stage1/unit2/relu1",) or len(backbone.outputs) == 1
    assert transfer(write_safetensors(tmp_path / "x.safetensors", torch_state(small)), small).match.problems == ()


SUFFIXES = (".weights.h5", ".keras", ".safetensors", ".pth")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("make", [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_ordinary_file_is_not_waited_for(make: Any, suffix: str, tmp_path: Path) -> None:
    if suffix == ".pth":
        pytest.importorskip("torch")
    make(tmp_path / f"x{suffix}")
    refused(tmp_path / f"x{suffix}", "it is (a folder|no ordinary file)")


def test_any_damage_to_a_file_is_one_error(tmp_path: Path, small: Graph) -> None:
    """Wherever a byte is changed or the file is cut, it is read or refused in a sentence; nothing else is raised."""
    weights = keras3(tmp_path / "w.h5", {"conv2d": [KERNEL], "dense": [np.ones((2, 2))]})
    with zipfile.ZipFile(tmp_path / "w.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(weights, "model.weights.h5")
    tensors = write_safetensors(tmp_path / "w.safetensors", {"a.weight": np.ones((2, 2), np.float32)})
    random = np.random.default_rng(0)
    for whole in (weights, tmp_path / "w.keras", tensors):
        content = whole.read_bytes()
        path, outcomes = tmp_path / f"x{whole.suffix}", set()
        for at in random.integers(0, len(content), 150):
            flipped = bytes([content[at] ^ int(random.integers(1, 256))])
            path.write_bytes(content[:at] + (flipped + content[at + 1 :] if at % 3 else b""))
            try:
                outcomes.add(bool(read(path).layers))
            except ArchbuilderError as error:
                assert str(path) in str(error) or path.name in str(error)
                outcomes.add(False)
        assert False in outcomes


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_keras_archives_of_other_packings(method: int, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.keras", "w", method) as archive:
        archive.write(keras3(tmp_path / "w.h5", {"conv2d": [KERNEL]}), "model.weights.h5")
    refused(tmp_path / "x.keras", "packed in a way that is not read")


def test_a_small_keras_archive_of_zeros(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.weights.h5", bytes(100_000_000))
    refused(tmp_path / "x.keras", "would unpack to 100,000,000 bytes")


@pytest.mark.parametrize(
    "header",
    [
        '{"a": {"dtype": "F32", "shape": [1e999], "data_offsets": [0, 4]}}', '{"a": 1e999}', '{"a": NaN}', "[" * 5000,
        '{"a": {"dtype": "F32", "shape": [1.5], "data_offsets": [0, 6]}}', '{"a": {"dtype": "F32", "shape": "22"}}',
        '{"a": {"dtype": "F32", "shape": [' + "9" * 5000 + '], "data_offsets": [0, 4]}}', '{"a": []}', '"a"', "", "\xff",
        '{"a": {"dtype": "F32", "shape": [' + "1, " * 99 + '1], "data_offsets": [0, 4]}}',
    ],
    ids=range(12),
)  # fmt: skip
def test_safetensors_headers_with_wrong_values(header: str, tmp_path: Path) -> None:
    content = header.encode("latin-1")
    (tmp_path / "x.safetensors").write_bytes(len(content).to_bytes(8, "little") + content + bytes(4))
    refused(tmp_path / "x.safetensors", "its header is damaged")


def test_many_names_of_one_dataset(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        vars_ = file.create_group("layers/dense/vars")
        vars_["0"] = np.ones((500, 500), np.float32)
        for number in range(1, 200):
            vars_[str(number)] = vars_["0"]
    refused(tmp_path / "x.h5", "too much for its size")


@pytest.mark.parametrize("kind", [np.dtype("S4"), h5py.string_dtype(), np.dtype([("a", "f4")])], ids=str)
def test_datasets_of_other_things(kind: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", (2, 2), kind)
    refused(tmp_path / "x.h5", "no array of numbers|stores next to nothing")
