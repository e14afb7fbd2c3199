"""A comparison as one HTML page, which loads nothing and runs nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archbuilder.atomic_files import replace_file

if TYPE_CHECKING:
    from archbuilder.side_by_side.networks import SideBySide
    from archbuilder.training.run.curves import Curves

ENDING = ".html"
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; display: block; overflow-x: auto; margin: 1em 0 }
th, td { padding: .25em .75em; text-align: right; border-bottom: 1px solid #8886; font-variant-numeric: tabular-nums }
th:first-child, td:first-child { text-align: left }
h2 { font-size: 1.1em; margin: 1.5em 0 0 }
svg { max-width: 100%; height: auto; background: white; color: black }
"""


def page(found: SideBySide | Curves) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>archbuilder compare</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>Beside each other</h1>\n{found._repr_html_()}\n</main>\n</body>\n</html>\n"
    )


def save(found: SideBySide | Curves, path: Path) -> None:
    """Writes the page; raises ArchbuilderError where it cannot be written."""
    text = page(found)
    replace_file(path, lambda beside: beside.write_text(text, "utf-8"))
