"""The gallery: what `python docs/gallery.py` writes is what is there."""

from __future__ import annotations

from docs import gallery


def test_the_gallery_is_what_the_commands_draw() -> None:
    for path, text in gallery.written().items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: python docs/gallery.py"


def test_no_other_picture_stands_in_its_folder() -> None:
    assert {path.name for path in gallery.FOLDER.iterdir()} == {figure.file for figure in gallery.FIGURES}
