"""What a training, and a run, show in a notebook."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import archbuilder
from archbuilder.training.reporting.notebook import NotebookReporter, epoch_table, notebook_reporter, run_html
from tests.conftest import TINY


class Area:
    """Keeps all that is shown in it."""

    def __init__(self) -> None:
        self.contents: list[str] = []

    def show(self, html: str) -> None:
        self.contents.append(html)


def test_only_the_last_epochs_are_shown() -> None:
    names = ("loss", "accuracy", "validation_loss", "validation_accuracy", "learning_rate")
    text = epoch_table([{"epoch": epoch, **dict.fromkeys(names, 0.5)} for epoch in range(1, 30)])
    assert text.count("<tr>") == 11
    assert "<td>29</td><td>0.5</td><td>50.00 %</td>" in text


def test_there_is_a_reporter_in_a_kernel_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not isinstance(notebook_reporter(), NotebookReporter)
    for shell, is_kernel in ((None, False), (SimpleNamespace(), False), (SimpleNamespace(kernel=object()), True)):
        monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda shell=shell: shell))
        assert isinstance(notebook_reporter(), NotebookReporter) is is_kernel


def test_a_training_shows_a_bar_then_its_epochs_then_its_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    area = Area()
    monkeypatch.setattr("archbuilder.training.reporting.notebook.notebook_reporter", lambda: NotebookReporter(area))
    run = archbuilder.train(archbuilder.load_text(TINY, "tiny.yaml"), out=str(tmp_path / "<b>run"), epochs=1)
    assert any("<progress" in one for one in area.contents)
    assert "<progress" not in area.contents[-1]
    assert "best" in area.contents[-1]
    assert "&lt;b&gt;run" in area.contents[-1]
    assert "<b>run" not in area.contents[-1] + run_html(run)
    assert run._repr_html_() == run_html(run)
    assert "test accuracy" in run_html(run)
    measured = archbuilder.evaluate(str(run.folder))
    assert measured["test"]["accuracy"] == archbuilder.evaluate([run])["test"]["accuracy"]
    [found] = archbuilder.predict(run, str(tmp_path / "none.png"))
    assert found.problem
