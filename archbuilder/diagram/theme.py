"""Colours of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archbuilder.diagram.flow import Kind
from archbuilder.diagram.options import ThemeName


@dataclass(frozen=True, slots=True)
class Paint:
    """The colours of a box or a panel."""

    fill: str
    line: str


@dataclass(frozen=True, slots=True)
class Theme:
    kinds: Mapping[Kind, Paint]
    panels: tuple[Paint, Paint]
    """Those of a stage, and of a unit in it."""
    ink: str
    """That of arrows."""
    text: str
    faint: str
    background: str


THEMES: dict[ThemeName, Theme] = {
    "light": Theme(
        {
            "conv": Paint("#d9e6f2", "#5b7fa3"),
            "norm": Paint("#e2eddc", "#7d9a6c"),
            "activation": Paint("#f8f0d3", "#b39b4b"),
            "pool": Paint("#e7dff0", "#8a74a8"),
            "dense": Paint("#f7e0cf", "#b9825a"),
            "merge": Paint("#ffffff", "#555555"),
            "other": Paint("#f0f0f0", "#888888"),
            "mark": Paint("none", "none"),
        },
        (Paint("#f7f7f5", "#cfcfca"), Paint("#ffffff", "#bdbdb8")),
        ink="#4a4a4a", text="#000000", faint="#6b6b6b", background="#ffffff",
    ),
    "dark": Theme(
        {
            "conv": Paint("#22405e", "#7fa8d1"),
            "norm": Paint("#2b4424", "#8fb57c"),
            "activation": Paint("#4c4114", "#cdb45c"),
            "pool": Paint("#3d2f57", "#ac95cf"),
            "dense": Paint("#5a3417", "#d69a6c"),
            "merge": Paint("#16181c", "#c4c4c4"),
            "other": Paint("#2e3136", "#9a9a9a"),
            "mark": Paint("none", "none"),
        },
        (Paint("#1d2025", "#4a4e55"), Paint("#16181c", "#5b6068")),
        ink="#c4c4c4", text="#f2f2f2", faint="#b4b4b4", background="#111317",
    ),
    "grey": Theme(
        {
            "conv": Paint("#d6d6d6", "#555555"),
            "norm": Paint("#f4f4f4", "#888888"),
            "activation": Paint("#ffffff", "#777777"),
            "pool": Paint("#c2c2c2", "#444444"),
            "dense": Paint("#e6e6e6", "#333333"),
            "merge": Paint("#ffffff", "#333333"),
            "other": Paint("#fafafa", "#999999"),
            "mark": Paint("none", "none"),
        },
        (Paint("#f7f7f7", "#c8c8c8"), Paint("#ffffff", "#b5b5b5")),
        ink="#333333", text="#000000", faint="#4a4a4a", background="#ffffff",
    ),
    # The hues of Okabe and Ito, made light; most lines are their colours.
    "colour-blind": Theme(
        {
            "conv": Paint("#cfe6f5", "#0072b2"),
            "norm": Paint("#ccebe0", "#009e73"),
            "activation": Paint("#fbf7c8", "#a89f00"),
            "pool": Paint("#f2dbe8", "#b0578d"),
            "dense": Paint("#fbe0c4", "#d55e00"),
            "merge": Paint("#ffffff", "#333333"),
            "other": Paint("#efefef", "#777777"),
            "mark": Paint("none", "none"),
        },
        (Paint("#f7f7f7", "#c8c8c8"), Paint("#ffffff", "#b5b5b5")),
        ink="#333333", text="#000000", faint="#575757", background="#ffffff",
    ),
}  # fmt: skip
