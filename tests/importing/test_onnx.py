"""ONNX files come back as the network that was written, with its weights, whatever their nodes are called."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import archbuilder
from archbuilder.aliases import Array
from archbuilder.errors import MissingError
from archbuilder.exporting.handover import Handover, of_spec, with_weights
from archbuilder.importing.importing import Imported, import_file
from archbuilder.spec import Spec, load_text
from tests.exporting.lively import lively
from tests.importing.keras_models import by_layer

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install 'archbuilder[onnx]'")

TRAINING = """\
training:
  data: {source: npz}
  stop: {epochs: 1}
  optimizer: sgd
  learning_rate: {constant: {rate: 0.1}}
  normalise: {channels: {mean: [0.4, 0.5, 0.6], deviation: [0.2, 0.25, 0.3]}}
"""
NETWORKS = {
    "residual": """\
stem: [{conv: {filters: 8, kernel: 3}}, norm, relu]
unit: basic
shortcut: projection
stages: [{units: 2, filters: 8}, {units: 2, filters: 16, stride: 2}]
head: [global_average_pool, {dense: {units: 5}}, softmax]
""",
    "bottlenecks and identities": """\
stem: [{conv: {filters: 8, kernel: 3}}, norm, relu]
unit: preactivated_bottleneck
shortcut: zero_pad
stages: [{units: 2, filters: 4}, {units: 2, filters: 8, stride: 2}]
head: [norm, relu, global_average_pool, {dense: {units: 5}}, softmax]
""",
    "weights of channels": """\
stem: [{conv: {filters: 8, kernel: 3, bias: true}}, silu, {squeeze_excitation: {ratio: 4}}]
head: [{conv: {filters: 8, kernel: 3, groups: 8}}, {norm: {over: layer}}, gelu, flatten, {dense: {units: 5}}, softmax]
""",
    "paths": """\
stem:
  - concat: {a: [{conv: {filters: 4, kernel: 1}}], b: [{conv: {filters: 4, kernel: 3}}, relu], c: [{max_pool: {size: 3, stride: 1, padding: same}}]}
  - shuffle_channels: {groups: 11}
  - local_response_norm: {size: 4}
  - gate: {transform: [{conv: {filters: 11, kernel: 3}}, tanh], carry: [], gate: [{conv: {filters: 11, kernel: 1, bias: true}}, sigmoid]}
head: [global_max_pool, {dense: {units: 5}}, softmax]
""",
}
"""Networks of nothing that ONNX has no place for, such as dropout."""


def spec_of(name: str, more: str = "") -> Spec:
    return load_text(f"archbuilder: 1\nname: small\ninput: [16, 16, 3]\n{NETWORKS[name]}{more}")


def handed(spec: Spec, *, bare: bool) -> Handover:
    handover = of_spec(spec, bare=bare)
    return with_weights(handover, lively(handover.graph))


def model_of(handover: Handover) -> Any:
    from archbuilder.exporting.onnx_file import model_of

    return model_of(handover, handover.metadata("onnx", None))


def saved(model: Any, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def disguised(model: Any, seed: int) -> Any:
    """The same model with names that mean nothing, nothing said of itself, and its nodes in another order that goes as well."""
    draws, copy = random.Random(seed), onnx.ModelProto()
    copy.CopyFrom(model)
    graph = copy.graph
    del copy.metadata_props[:]
    del graph.value_info[:]
    copy.producer_name = copy.producer_version = graph.doc_string = ""
    graph.name = "$nothing"
    names = {"": ""}

    def renamed(name: str) -> str:
        return names.setdefault(name, f"{draws.choice(['7', 'stage1/unit1', '$x', 'ä', 'if'])} {draws.random()}")

    nodes, known = [*graph.node], {one.name for one in (*graph.initializer, *graph.input)} | {""}
    order: list[Any] = []
    while nodes:
        taken = draws.choice([node for node in nodes if {*node.input} <= known])
        nodes = [node for node in nodes if node is not taken]
        known |= {*taken.output}
        order.append(type(taken).FromString(taken.SerializeToString()))
    del graph.node[:]
    graph.node.extend(order)
    for number, node in enumerate(graph.node):
        node.name = draws.choice(["", f"conv{number}"])
        node.input[:] = [renamed(one) for one in node.input]
        node.output[:] = [renamed(one) for one in node.output]
    constants = [*graph.initializer]
    draws.shuffle(constants)
    constants = [type(one).FromString(one.SerializeToString()) for one in constants]
    del graph.initializer[:]
    graph.initializer.extend(constants)
    for named in (*graph.initializer, *graph.input, *graph.output):
        named.name = renamed(named.name)
    return copy


def logarithms(model: Any, images: Array) -> Array:
    """What ONNX Runtime computes of a model, whose answers are probabilities, as logarithms of them."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'archbuilder[onnx]'")
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    [found] = session.run(None, {session.get_inputs()[0].name: images})
    logs: Array = np.log(np.asarray(found))
    return logs


def rebuilt(found: Imported, weights: Mapping[str, Array]) -> Any:
    """The spec that was found as a model of ONNX, with the weights that were found."""
    return model_of(with_weights(of_spec(found.spec, bare=True), by_layer(weights)))


def images_of(spec: Spec) -> Array:
    return np.random.default_rng(3).normal(size=(4, *archbuilder.expand(spec).input.shape)).astype(np.float32)


def test_outputs_keep_the_names_of_the_file(tmp_path: Path) -> None:
    head = "head: [global_average_pool, {point: box}, {dense: {units: 5}}, softmax, {point: label}]\noutputs: [label, box]\n"
    network = NETWORKS["residual"].split("head:")[0]
    spec = load_text(f"archbuilder: 1\nname: small\ninput: [16, 16, 3]\n{network}{head}")
    found = import_file(saved(model_of(handed(spec, bare=True)), tmp_path / "theirs.onnx"))
    assert found.spec.network.outputs == ("label", "box")
    assert archbuilder.verify(found.spec, spec).same


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("bare", [True, False], ids=["bare", "complete"])
def test_what_was_written_comes_back(name: str, bare: bool, tmp_path: Path) -> None:
    spec = spec_of(name, "" if bare else TRAINING)
    written = handed(spec, bare=bare)
    found = import_file(saved(disguised(model_of(written), 1), tmp_path / "mine.onnx"))
    assert archbuilder.verify(found.spec, spec).same, found.text
    assert [stage.units for stage in found.spec.network.stages] == [stage.units for stage in spec.network.stages]
    given, wanted = found.weights(), written.weights
    assert sorted(array.tobytes() for array in given.values()) == sorted(
        np.asarray(array).tobytes() for layer in wanted.values() for array in layer.values()
    )
    plain, images = handed(spec, bare=True), images_of(spec)
    before, after = logarithms(model_of(plain), images), logarithms(rebuilt(found, given), images)
    assert np.ptp(before, axis=0).max() > 1e-3
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-4)


def test_kernels_that_are_exchanged_are_seen(tmp_path: Path) -> None:
    """Two kernels of one shape in each other's place give other answers: the test above would fail."""
    spec = spec_of("residual")
    written = model_of(handed(spec, bare=True))
    found = import_file(saved(written, tmp_path / "mine.onnx"))
    given, images = dict(found.weights()), images_of(spec)
    one, other = [name for name, array in given.items() if array.shape == (3, 3, 8, 8)][:2]
    given[one], given[other] = given[other], given[one]
    assert np.abs(logarithms(rebuilt(found, given), images) - logarithms(written, images)).max() > 1e-3


OTHERS = {
    "norms of an image that was made a vector": """
        c = Conv(x, kernel, bias)
        f = Flatten(c)
        b = BatchNormalization(f, scale, shift, shift, variance)
        n = LayerNormalization <axis=-1> (b, scale, shift)
        y = Gemm(n, dense)
    """,
    "a local response norm in parts": """
        c = Conv(x, kernel, bias)
        s = Mul(c, c)
        one = Constant <value_ints = [1]> ()
        v = Unsqueeze(s, one)
        amounts = Constant <value_ints = [0, 0, 1, 0, 0, 0, 0, 1, 0, 0]> ()
        p = Pad(v, amounts)
        m = AveragePool <kernel_shape = [3, 1, 1]> (p)
        q = Squeeze(m, one)
        alpha = Constant <value_float = 0.5> ()
        t = Mul(q, alpha)
        k = Constant <value_float = 2.0> ()
        d = Add(t, k)
        beta = Constant <value_float = 0.75> ()
        w = Pow(d, beta)
        r = Div(c, w)
        f = Flatten(r)
        y = Gemm(f, dense)
    """,
    "halves of channels by numbers that are computed": """
        c = Conv(x, kernel, bias)
        size = Shape <start = 1, end = 2> (c)
        two = Constant <value_ints = [2]> ()
        half = Div(size, two)
        zero = Constant <value_ints = [0]> ()
        one = Constant <value_ints = [1]> ()
        all = Mul(half, two)
        a = Slice(c, zero, half, one)
        b = Slice(c, half, all, one)
        r = Relu(b)
        j = Concat <axis = 1> (r, a)
        f = Flatten(j)
        y = Gemm(f, dense)
    """,
    "a view of all numbers by their places": """
        c = Conv(x, kernel, bias)
        g = GlobalAveragePool(c)
        flat = Constant <value_ints = [-1]> ()
        v = Reshape(g, flat)
        batch = Shape <start = 0, end = 1> (g)
        count = Squeeze(batch)
        zero = Constant <value_int = 0> ()
        one = Constant <value_int = 1> ()
        images = Range(zero, count, one)
        eight = Constant <value_int = 8> ()
        begins = Mul(images, eight)
        axes = Constant <value_ints = [1, 2, 3]> ()
        spread = Unsqueeze(begins, axes)
        channels = Range(zero, eight, one)
        places = Constant <value_ints = [0, 2, 3]> ()
        within = Unsqueeze(channels, places)
        indices = Add(spread, within)
        i = Gather(v, indices)
        h = Conv(i, last)
        y = Flatten(h)
    """,
    "weights of channels that are repeated at each place": """
        c = Conv(x, kernel, bias)
        axes = Constant <value_ints = [2, 3]> ()
        m = ReduceMean <keepdims = 0> (c, axes)
        row = Constant <value_ints = [0, 1, -1]> ()
        r = Reshape(m, row)
        k = Conv <pads = [1, 1]> (r, along)
        s = Sigmoid(k)
        place = Constant <value_ints = [0, -1, 1, 1]> ()
        p = Reshape(s, place)
        size = Shape(c)
        e = Expand(p, size)
        w = Mul(c, e)
        f = Flatten(w)
        y = Gemm(f, dense)
    """,
    "paths that part within a path": """
        a = Conv <pads = [1, 1, 1, 1]> (x, kernel, bias)
        e = Relu(a)
        b = Conv <pads = [1, 1, 1, 1]> (e, inner)
        c = Conv <pads = [1, 1, 1, 1]> (e, inner2)
        d = Conv <pads = [1, 1, 1, 1]> (x, kernel2, bias)
        j = Concat <axis = 1> (d, b, c)
        g = GlobalAveragePool(j)
        f = Flatten(g)
        y = Gemm(f, dense2)
    """,
}
"""Nodes as other programs write them."""
ARRAYS = {
    "kernel": (8, 3, 3, 3), "kernel2": (8, 3, 3, 3), "inner": (8, 8, 3, 3), "inner2": (8, 8, 3, 3), "bias": (8,),
    "scale": (288,), "shift": (288,), "variance": (288,), "dense": (288, 5), "dense2": (24, 5), "last": (5, 8, 1, 1), "along": (1, 1, 3),
}  # fmt: skip


def written_by_others(nodes: str) -> Any:
    model = onnx.parser.parse_model(
        f'<ir_version: 9, opset_import: ["" : 18]> g (float[N, 3, 8, 8] x) => (float[N, 5] y) {{{nodes}}}'
    )
    draws = np.random.default_rng(7)
    used = {name for node in model.graph.node for name in node.input}
    for name, shape in ARRAYS.items():
        if name in used:
            array = draws.uniform(0.5, 1.5, shape) if name == "variance" else draws.normal(0, 0.3, shape)
            model.graph.initializer.append(onnx.numpy_helper.from_array(array.astype(np.float32), name))
    return model


@pytest.mark.parametrize("case", OTHERS)
def test_what_others_write_computes_the_same(case: str, tmp_path: Path) -> None:
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'archbuilder[onnx]'")
    model = written_by_others(OTHERS[case])
    found = import_file(saved(disguised(model, 1), tmp_path / "mine.onnx"))
    images = np.random.default_rng(3).normal(size=(3, 3, 8, 8)).astype(np.float32)
    answers = []
    for one, given in ((model, images), (rebuilt(found, found.weights()), images.transpose(0, 2, 3, 1))):
        session = runtime.InferenceSession(one.SerializeToString(), providers=["CPUExecutionProvider"])
        answers.append(session.run(None, {session.get_inputs()[0].name: given})[0])
    assert np.ptp(answers[0], axis=0).max() > 0.1
    np.testing.assert_allclose(answers[1], answers[0], rtol=1e-4, atol=1e-5)


def test_a_view_of_numbers_in_another_order_is_refused(tmp_path: Path) -> None:
    model = written_by_others(OTHERS["a view of all numbers by their places"].replace("Add(spread", "Sub(spread"))
    assert "it takes numbers of images in another order" in refusal(saved(model, tmp_path / "mine.onnx"))


def test_numbers_at_each_place_that_multiply_nothing_are_refused(tmp_path: Path) -> None:
    nodes = OTHERS["weights of channels that are repeated at each place"].replace("Mul(c, e)", "Relu(e)")
    said = refusal(saved(written_by_others(nodes), tmp_path / "mine.onnx"))
    assert "one number for each channel stands at each place" in said


def enlarging(opset: int, kind: str, factor: float, **told: str) -> Any:
    """Images that are made larger by a node of some version."""
    inputs = ["x", "scales"] if kind == "Upsample" or opset < 11 else ["x", "", "scales"]
    scales = onnx.numpy_helper.from_array(np.array([1, 1, factor, factor], np.float32), "scales")
    ends = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 3, *sides])
        for name, sides in (("x", [5, 4]), ("y", [None, None]))
    ]
    nodes = [onnx.helper.make_node(kind, inputs, ["y"], **told)]
    graph = onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:], [scales])
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8)


PLACES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
ROUNDINGS = ("floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def test_images_are_made_larger_as_the_file_says_or_not_at_all(tmp_path: Path) -> None:
    """Each way of choosing pixels, by three factors: it is read as what it computes, or refused."""
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'archbuilder[onnx]'")
    ways: list[tuple[int, str, dict[str, str]]] = [
        (13, "Resize", {"mode": "nearest", "coordinate_transformation_mode": places, "nearest_mode": rounding})
        for places in PLACES for rounding in ROUNDINGS
    ]  # fmt: skip
    ways += [(13, "Resize", {"mode": "linear", "coordinate_transformation_mode": places}) for places in PLACES]
    ways += [
        (opset, kind, {"mode": mode})
        for opset, kind in ((13, "Resize"), (10, "Resize"), (9, "Upsample")) for mode in ("nearest", "linear")
    ]  # fmt: skip
    images = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    read = 0
    for (opset, kind, told), factor in product(ways, (2, 3, 4)):
        model = enlarging(opset, kind, factor, **told)
        try:
            found = import_file(saved(model, tmp_path / "mine.onnx"))
        except MissingError:
            continue
        read += 1
        answers = []
        for one, given in ((model, images), (rebuilt(found, found.weights()), images.transpose(0, 2, 3, 1))):
            session = runtime.InferenceSession(one.SerializeToString(), providers=["CPUExecutionProvider"])
            answers.append(session.run(None, {session.get_inputs()[0].name: given})[0])
        theirs = answers[0].transpose(0, 2, 3, 1) if answers[1].shape != answers[0].shape else answers[0]
        np.testing.assert_allclose(answers[1], theirs, rtol=1e-5, atol=1e-6, err_msg=f"{kind} {told} {factor}")
    assert read >= 20


def small() -> Any:
    return model_of(handed(spec_of("weights of channels"), bare=True))


def lies_at(model: Any, **told: str) -> Any:
    """The same model, whose first kernel lies in another file."""
    kernel = model.graph.initializer[0]
    kernel.ClearField("raw_data")
    kernel.data_location = onnx.TensorProto.EXTERNAL
    for key, value in told.items():
        kernel.external_data.add(key=key, value=value)
    return model


def refusal(path: Path) -> str:
    """What is said of a file whose network and weights are read."""
    with pytest.raises(MissingError) as caught:
        import_file(path).weights()
    return str(caught.value)


def test_weights_beside_the_file_are_read(tmp_path: Path) -> None:
    model = small()
    array = onnx.numpy_helper.to_array(model.graph.initializer[0])
    (tmp_path / "weights.bin").write_bytes(b"\0" * 7 + array.tobytes())
    path = saved(lies_at(model, location="weights.bin", offset="7"), tmp_path / "mine.onnx")
    assert any(np.array_equal(one, array.transpose(2, 3, 1, 0)) for one in import_file(path).weights().values())


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"location": "../secret.bin"}, "lies outside the file's folder"),
        ({"location": "below/../../secret.bin"}, "lies outside the file's folder"),
        ({"location": "/etc/hostname"}, "lies outside the file's folder"),
        ({"location": "link.bin"}, "lies outside the file's folder"),
        ({"location": "link/secret.bin"}, "lies outside the file's folder"),
        ({"location": "absent.bin"}, "absent.bin: "),
        ({"location": "."}, "the file of its tensor"),
        ({}, "the file of its tensor"),
        ({"location": "here.bin", "offset": "9"}, "lies behind the end of here.bin"),
        ({"location": "here.bin", "offset": "-1"}, "lies behind the end of here.bin"),
        ({"location": "here.bin", "offset": "x"}, "lies at no place"),
        ({"location": "here.bin", "length": "4"}, "is damaged"),
    ],
    ids=str,
)
def test_weights_outside_the_folder_are_refused(told: dict[str, str], words: str, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "secret.bin").write_bytes(bytes(10_000))
    (folder / "here.bin").write_bytes(bytes(8))
    (folder / "link.bin").symlink_to(tmp_path / "secret.bin")
    (folder / "link").symlink_to(tmp_path)
    said = refusal(saved(lies_at(small(), **told), folder / "mine.onnx"))
    assert words in said
    assert "mine.onnx is not read: " in said


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"\x89HDF\r\n", b"PK\x03\x04", b"[]" * 100, None], ids=repr)
def test_what_is_no_file_of_onnx_or_a_damaged_one(content: bytes | None, tmp_path: Path) -> None:
    path = saved(small(), tmp_path / "mine.onnx")
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    assert "mine.onnx is not read: it is no file of ONNX, or a damaged one" in refusal(path)


@pytest.mark.parametrize(
    ("kind", "domain", "words"),
    [
        ("Loop", "", "its node 'block/7' (Loop): this kind of node is not read"),
        ("If", "", "its node 'block/7' (If): this kind of node is not read"),
        ("Scan", "", "its node 'block/7' (Scan): this kind of node is not read"),
        ("Mine", "com.example", "its node 'block/7' (Mine) is no operator of ONNX itself"),
    ],
)
@pytest.mark.parametrize("arrives", [True, False])
def test_nodes_that_are_not_read_are_named(kind: str, domain: str, words: str, arrives: bool, tmp_path: Path) -> None:
    """Those that compute something of images, and those that are made of constants."""
    model = small()
    [end] = [one for one in model.graph.node if one.op_type == "Softmax"]
    inputs = [end.input[0] if arrives else model.graph.initializer[0].name]
    model.graph.node.append(onnx.helper.make_node(kind, inputs, ["more"], name="block/7", domain=domain))
    assert words in refusal(saved(model, tmp_path / "mine.onnx"))
