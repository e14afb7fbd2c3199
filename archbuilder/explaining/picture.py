"""Pictures of the units and shortcuts of the library."""

from __future__ import annotations

from pathlib import Path

from archbuilder.errors import UsageError
from archbuilder.expansion.expansion import expand
from archbuilder.explaining.examples import required_of, use_of
from archbuilder.explaining.explanation import Explanation
from archbuilder.graph.network import Graph
from archbuilder.spec import load_text
from archbuilder.spec.document import dump


def picture(found: Explanation) -> Graph:
    """A small network of a unit or a shortcut, to be drawn; raises UsageError for anything else."""
    if found.plural is None:
        raise UsageError(f"only units and shortcuts have a picture, and {found.name} is {found.what.partition(',')[0]}")
    stages: list[dict[str, object]] = [{"units": 1, "filters": 64}]
    use = use_of(found.plural, found.name)
    if found.plural == "shortcuts" and found.name != "identity":
        stages = [{"units": 1, "filters": 128, "stride": 2}]
    elif found.plural == "units":
        needed = required_of(found.plural, found.name)
        stages = [{"units": 1, **({"filters": 64} if "filters" in needed else needed)}]
        stages = stages if needed else [{"units": 1, "filters": 64, "after": [found.name]}]
    spec = {"archbuilder": 1, "name": found.name, "input": [32, 32, 64], **use, "stages": stages}
    return expand(load_text(dump(spec), found.name))


def save_picture(found: Explanation, path: Path) -> None:
    """Draws a unit or a shortcut layer by layer."""
    from archbuilder.diagram.options import Options
    from archbuilder.diagram.picture import picture as drawn

    drawn([picture(found)], Options(level="layer")).save(path)
