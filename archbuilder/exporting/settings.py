"""What the layers of a network have in common, so that it is said once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

from archbuilder.exporting.program import Call, Multiple, Program, Value


def usual_settings(whole: Program, known: Container[str]) -> dict[str, dict[str, Value]]:
    """What most calls of a layer are given besides its sizes, unless it is what they get anyway."""
    uses: dict[str, list[Call]] = {}
    for call in (one for function in whole.functions for one in function.calls):
        if isinstance(call.callee, str) and call.callee in known:
            uses.setdefault(call.callee, []).append(call)
    found: dict[str, dict[str, Value]] = {}
    for callee, calls in uses.items():
        values: dict[str, Counter[Value]] = {}
        for argument in (one for call in calls for one in call.arguments if not one.positional):
            if argument.value != argument.default and not isinstance(argument.value, Multiple):
                values.setdefault(argument.name, Counter())[argument.value] += 1
        usual = {name: counted.most_common(1)[0] for name, counted in values.items()}
        settings = {name: value for name, (value, times) in usual.items() if 2 * times > len(calls)}
        if settings and len(calls) > 1:
            found[callee] = settings
    return found
