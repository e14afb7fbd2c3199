"""Keras and PyTorch code: as a person would write it, short however deep the network is, and nothing in it of strangers."""

from __future__ import annotations

import ast
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from archbuilder.exporting.about import about
from archbuilder.exporting.handover import Handover, of_spec
from archbuilder.exporting.keras_code import keras_code
from archbuilder.exporting.python_text import WIDTH, class_name, docstring, identifier, name_in, quoted
from archbuilder.exporting.torch_code import torch_code
from archbuilder.spec import bundled, load, load_text
from tests.conftest import Golden

Kind = Literal["keras", "torch"]
KINDS: tuple[Kind, ...] = ("keras", "torch")
READ = ("resnet20_v1", "resnet56_v2", "torchvision/resnet50", "related/unet_resnet34")
"""Those whose code is read by people."""
SOME = (
    "quickstart", "he2015/resnet34_a", "he2016/resnet110_shortcut_gating", "torchvision/googlenet",
    "torchvision/mobilenet_v3_small", "torchvision/shufflenet_v2_x1_0", "related/cbam_resnet50", "related/fpn_resnet50",
    "keras_applications/densenet121",
)  # fmt: skip
HOSTILE = r'''
archbuilder: 1
name: class
summary: "A \"\"\" end \\\" { {name} \n raise SystemExit(7) \u202e x\""
source: "\x27\x27\x27\"\"\"\nraise SystemExit(7)\n\"\"\"\\"
input: [8, 8, 3]
templates:
  units:
    __import__:
      summary: '"""'
      parameters: {filters: required}
      layers:
        - concat:
            lambda: [{conv: {filters: $filters, kernel: 3}}, norm]
            x: [{conv: {filters: 4, kernel: 1}}, relu]
            self: [{conv: {filters: 4, kernel: 1}}, norm]
            forward: [{conv: {filters: 4, kernel: 1}}, relu]
            keras: [{conv: {filters: 4, kernel: 1}}, relu]
            print: [{conv: {filters: $filters, kernel: 1}}, relu]
            ｎame: [{conv: {filters: 4, kernel: 1}}, relu]
            inputs: [{conv: {filters: 4, kernel: 1}}, relu]
    for: {layers: [{conv: {filters: 8, kernel: 3}}, relu]}
    ѕtage: {parameters: {filters: 3}, layers: [{conv: {filters: $filters, kernel: 3}}, relu]}
stem: [for, for, {ѕtage: {filters: 4}}, {ѕtage: {filters: 5}}]
unit: __import__
stages: [{units: 2, filters: 8}, {units: 3, filters: 16}]
head: [global_average_pool, {dense: {units: 6}}, softmax]
'''  # noqa: RUF001
CLASSES = ('a"b', "c'd\n\\", '__import__("os")', "{x}", "\u202ebidi", "é")


def hostile() -> Handover:
    return replace(of_spec(load_text(HOSTILE)), classes=CLASSES)


def untold(name: str) -> Handover:
    """A network without its weights, which are no part of the code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("archbuilder.exporting.handover.initial", lambda graph, seed: {})
        return of_spec(load(name))


def code(handover: Handover, kind: Kind) -> str:
    words = about(handover.spec, handover.graph)
    make = keras_code if kind == "keras" else torch_code
    return make(handover, words, f"net.{'h5' if kind == 'keras' else 'safetensors'}").text


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", READ)
def test_code_reads_as_it_did(name: str, kind: Kind, golden: Golden) -> None:
    golden(f"code/{name.replace('/', '-')}.{kind}.txt", code(untold(name), kind))


@pytest.mark.parametrize("kind", KINDS)
def test_resnet50_is_short(kind: Kind) -> None:
    assert code(untold("torchvision/resnet50"), kind).count("\n") <= 120


@pytest.mark.parametrize("kind", KINDS)
def test_depth_adds_no_lines(kind: Kind) -> None:
    deep, flat = (code(untold(f"he2015/resnet{depth}"), kind).count("\n") for depth in (1202, 20))
    assert deep <= flat + 2


def lint(folder: Path) -> None:
    """Ruff finds nothing and would leave every line as it is."""
    ruff = shutil.which("ruff")
    if ruff is None:
        pytest.skip("ruff is not installed: pip install 'archbuilder[dev]'")
    for asked in (("check",), ("format", "--check")):
        done = subprocess.run(
            [ruff, *asked, "--isolated", "--line-length", str(WIDTH), folder], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("kind", KINDS)
def test_code_is_as_ruff_leaves_it(kind: Kind, tmp_path: Path) -> None:
    for name in (*READ, *SOME):
        (tmp_path / f"{name.replace('/', '_')}.py").write_text(code(untold(name), kind), "utf-8")
    (tmp_path / "hostile.py").write_text(code(hostile(), kind), "utf-8")
    lint(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_code_of_all_networks_is_as_ruff_leaves_it(kind: Kind, tmp_path: Path) -> None:
    for entry in bundled():
        text = code(untold(entry), kind)
        compile(text, entry, "exec")
        (tmp_path / f"{entry.replace('/', '_')}.py").write_text(text, "utf-8")
        assert text.count("\n") < 350
    lint(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_strangers_is_code(kind: Kind) -> None:
    """Besides definitions, a module holds imports, one list of literals, and calls of `partial`."""
    tree = ast.parse(code(hostile(), kind))
    first, *rest = tree.body
    assert isinstance(first, ast.Expr)
    assert isinstance(first.value, ast.Constant)
    kept = [one for one in rest if not isinstance(one, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef)]
    assigned = {ast.unparse(one.targets[0]): one.value for one in kept if isinstance(one, ast.Assign)}
    assert len(assigned) == len(kept)
    assert ast.literal_eval(assigned.pop("CLASSES")) == [*CLASSES]
    assert all(ast.unparse(value).startswith("partial(") for value in assigned.values())
    calls = {ast.unparse(one.func) for one in ast.walk(tree) if isinstance(one, ast.Call)}
    assert not calls & {"__import__", "eval", "exec", "print", "SystemExit", "open"}


@pytest.mark.parametrize("text", ['"""', "\\", '\\"', 'x"', "a\nb", "\u202e", '\\"""\\', "'''"])
def test_no_text_ends_a_docstring_or_a_literal(text: str) -> None:
    [read] = ast.parse("\n".join(docstring([text]))).body
    assert isinstance(read, ast.Expr)
    assert isinstance(read.value, ast.Constant)
    assert ast.literal_eval(quoted(text)) == text
    assert eval(name_in("name", text, "unit"), {"name": "{a}", "unit": 3}) == f"{{a}}.{text}3"


def test_identifiers_are_ascii_and_new() -> None:
    assert identifier("class") == "class_"
    assert identifier("print", ["print_"]) == "print_2"
    assert identifier("\uff4eame") == "ame"
    assert identifier("3d") == "_3d"
    assert identifier("\u0455") == "layer"
    assert class_name("unet_resnet50") == "UNetResNet50"
