"""The numbers of a run by name, as other tools take them."""

from __future__ import annotations

from archbuilder.aliases import Json

_PLACES = {"epoch", "iteration"}
"""Where a number belongs, and no number of its own."""


def of_epoch(metrics: Json) -> dict[str, float]:
    """Those of a line of `metrics.jsonl`."""
    return {name: number for name, number in metrics.items() if name not in _PLACES and number is not None}


def of_result(result: Json | None) -> dict[str, float]:
    """What the best and the final weights come to on the test set, as `best_test_accuracy`; none of a run at work."""
    return {
        f"{which}_{name}": number
        for which in ("best", "final")
        for name, number in (result or {}).get(which, {}).items()
        if name.startswith("test_") and number is not None
    }
