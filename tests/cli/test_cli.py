"""The command line: what it prints, where, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Call
from tests.processes import python


def test_python_m_archbuilder() -> None:
    done = python("-m", "archbuilder", "--version")
    assert done.stdout.startswith("archbuilder, version "), done.stderr


def test_build_prints_a_summary(call: Call) -> None:
    done = call("build", "resnet56_v2", "--summary")
    assert done.code == 0
    for figure in ("1,663,338", "1,673,738", "193.1 M", "depth 56"):
        assert figure in done.out


def test_build_prints_json(call: Call) -> None:
    report = json.loads(call("build", "resnet56_v2", "--json").out)
    assert (report["name"], report["depth"], report["macs"]) == ("resnet56_v2", 56, 193_120_768)
    assert report["parameters"] == {"trainable": 1_663_338, "total": 1_673_738}
    assert sum(layer["parameters"]["total"] for layer in report["layers"]) == 1_673_738


def test_a_path_and_an_edit(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("archbuilder: 1\nextends: resnet20_v1\nname: mine\n")
    done = call("build", "mine.yaml", "--set", "shortcut=none", cwd=tmp_path)
    assert "270,410" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("build", "resnet20v1"), 4, "did you mean 'resnet20_v1'?"),
        (("build", "nowhere.yaml"), 4, "there is no file nowhere.yaml"),
        (("build", "resnet20_v1", "--set", "unit=basc"), 3, "did you mean 'basic'?"),
        (("build",), 2, "Missing argument 'SPEC...'"),
        (("bild", "resnet20_v1"), 2, "did you mean 'build'?"),
        (("draw", "resnet20_v1", "-o", "x.bmp"), 2, "svg"),
        (("build", "resnet20_v1", "-o", "model.h5"), 2, ".keras"),
    ],
)
def test_mistakes(call: Call, arguments: tuple[str, ...], code: int, message: str, tmp_path: Path) -> None:
    done = call(*arguments, cwd=tmp_path)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
    assert "Traceback" not in done.err
    assert list(tmp_path.iterdir()) == []


def test_validate_goes_on_after_a_bad_spec(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("archbuilder: 1\nname: bad\ninput: 3\n")
    done = call("validate", "bad.yaml", "resnet20_v1", cwd=tmp_path)
    assert done.code == 3
    assert done.out == "resnet20_v1: valid\n"
    assert done.err.startswith("bad.yaml:3:8: error[bad-value]: ")


def test_validate_as_json(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("archbuilder: 1\nname: bad\ninput: [8, 8, 1]\nsten: []\n")
    bad, good = json.loads(call("validate", "bad.yaml", "resnet20_v1", "--json", cwd=tmp_path).out)
    assert (bad["valid"], good["valid"]) == (False, True)
    [problem] = bad["problems"]
    assert (problem["code"], problem["line"], problem["column"]) == ("unknown-key", 4, 1)


def test_show_resolved_can_be_built(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(call("show", "resnet56_v2", "--resolved").out)
    assert "1,663,338" in call("build", "mine.yaml", cwd=tmp_path).out


@pytest.mark.parametrize("content", [b"name: \xff\n", b'name: "\x1b[31m"\n', b"# \0\n", b"name: \xc2\x9b\n"])
def test_show_prints_nothing_that_is_no_text(content: bytes, call: Call, tmp_path: Path) -> None:
    """A terminal would act on some of it."""
    (tmp_path / "mine.yaml").write_bytes(content)
    done = call("show", "mine.yaml", cwd=tmp_path)
    assert (done.code, done.out) == (3, "")
    assert "error[bad-character]" in done.err


def test_every_command_has_help_with_an_example(call: Call) -> None:
    from archbuilder.cli import COMMANDS

    for command in COMMANDS:
        done = call(command, "--help")
        assert "Example" in done.out, command


def test_schema_describes_a_spec(call: Call) -> None:
    schema = json.loads(call("schema").out)
    assert "stages" in schema["properties"]


@pytest.mark.keras
def test_build_saves_a_model_of_stock_layers(call: Call, tmp_path: Path) -> None:
    done = call("build", "resnet20_v1", "--check", "-o", "model.keras", cwd=tmp_path)
    assert done.code == 0, done.err
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    import keras

    model = keras.models.load_model(tmp_path / "model.keras")
    assert model.count_params() == 274_442
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
