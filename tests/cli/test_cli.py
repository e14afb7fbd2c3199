"""The command line: what it prints, where, and its exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from archbuilder.cli import main


class Done(NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command line within this process, which takes a tenth of the time of another one."""

    def call(*arguments: str, cwd: Path | None = None) -> Done:
        monkeypatch.setattr(sys, "argv", ["archbuilder", *arguments])
        if cwd:
            monkeypatch.chdir(cwd)
        code = 0
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


def test_python_m_archbuilder() -> None:
    command = [sys.executable, "-m", "archbuilder", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith(
        "archbuilder, version "
    )


def test_build_prints_a_summary(run: Run) -> None:
    done = run("build", "resnet56_v2", "--summary")
    assert done.returncode == 0
    for figure in ("1,663,338", "1,673,738", "193.1 M", "depth 56"):
        assert figure in done.stdout


def test_build_prints_json(run: Run) -> None:
    report = json.loads(run("build", "resnet56_v2", "--json").stdout)
    assert (report["name"], report["depth"], report["macs"]) == ("resnet56_v2", 56, 193_120_768)
    assert report["parameters"] == {"trainable": 1_663_338, "total": 1_673_738}
    assert sum(layer["parameters"]["total"] for layer in report["layers"]) == 1_673_738


def test_a_path_and_an_edit(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("archbuilder: 1\nextends: resnet20_v1\nname: mine\n")
    done = run("build", "mine.yaml", "--set", "shortcut=none", cwd=tmp_path)
    assert "270,410" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("build", "resnet20v1"), 4, "did you mean 'resnet20_v1'?"),
        (("build", "nowhere.yaml"), 4, "there is no file nowhere.yaml"),
        (("build", "resnet20_v1", "--set", "unit=basc"), 3, "did you mean 'basic'?"),
        (("build",), 2, "Missing argument 'SPEC'"),
        (("bild", "resnet20_v1"), 2, "did you mean 'build'?"),
        (("draw", "resnet20_v1", "-o", "x.bmp"), 2, "svg"),
        (("build", "resnet20_v1", "-o", "model.h5"), 2, ".keras"),
    ],
)
def test_mistakes(run: Run, arguments: tuple[str, ...], code: int, message: str, tmp_path: Path) -> None:
    done = run(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_validate_goes_on_after_a_bad_spec(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("archbuilder: 1\nname: bad\ninput: 3\n")
    done = run("validate", "bad.yaml", "resnet20_v1", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stdout == "resnet20_v1: valid\n"
    assert done.stderr.startswith("bad.yaml:3:8: error[bad-value]: ")


def test_validate_as_json(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("archbuilder: 1\nname: bad\ninput: [8, 8, 1]\nsten: []\n")
    bad, good = json.loads(run("validate", "bad.yaml", "resnet20_v1", "--json", cwd=tmp_path).stdout)
    assert (bad["valid"], good["valid"]) == (False, True)
    [problem] = bad["problems"]
    assert (problem["code"], problem["line"], problem["column"]) == ("unknown-key", 4, 1)


def test_show_resolved_can_be_built(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(run("show", "resnet56_v2", "--resolved").stdout)
    assert "1,663,338" in run("build", "mine.yaml", cwd=tmp_path).stdout


def test_list_as_json(run: Run) -> None:
    entries = {entry["name"]: entry for entry in json.loads(run("list", "--json").stdout)}
    assert entries["resnet20_v1"]["parameters"]["trainable"] == 273_066


def test_every_command_has_help_with_an_example(run: Run) -> None:
    from archbuilder.cli import COMMANDS

    for command in COMMANDS:
        done = run(command, "--help")
        assert "Example" in done.stdout, command


def test_schema_describes_a_spec(run: Run) -> None:
    schema = json.loads(run("schema").stdout)
    assert "stages" in schema["properties"]


@pytest.mark.keras
def test_build_saves_a_model_of_stock_layers(run: Run, tmp_path: Path) -> None:
    done = run("build", "resnet20_v1", "--check", "-o", "model.keras", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    import keras

    model = keras.models.load_model(tmp_path / "model.keras")
    assert model.count_params() == 274_442
    assert all(type(layer).__module__.startswith("keras.") for layer in model.layers)
