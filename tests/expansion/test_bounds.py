"""Whatever a spec can multiply ends: with a network within the bounds, or with one error that names the bound."""

from __future__ import annotations

from pathlib import Path

import pytest

import archbuilder
from archbuilder import bounds
from archbuilder.errors import SpecError

HEAD = "archbuilder: 1\nname: mine\ninput: [8, 8, 3]\n"


def tenfold(depth: int, last: str) -> str:
    """Templates that use the next one ten times."""
    units = "".join(f"    u{i}: {{layers: [{', '.join([f'u{i + 1}'] * 10)}]}}\n" for i in range(depth))
    return f"stem: [u0]\ntemplates:\n  units:\n{units}    u{depth}: {last}\n"


EMPTY = "templates: {units: {e: {layers: []}}}\nunit: e\n"
PATHS = ", ".join(f"p{i}: []" for i in range(2000))
EXPRESSION = "${" + "+".join(["1"] * 140) + "}"
CONDITIONS = ", ".join(["{if: false, then: [relu]}"] * 3000)
RECURSION = (
    "stem: [u]\ntemplates: {units: {u: {parameters: {n: 1}, layers: [{if: '${n > 0}', then: "
    "[{u: {n: '${n + 1}'}}, {u: {n: '${n + 1}'}}]}]}}}\n"
)
PASSED = (
    "stem: [u0: {tail: []}]\ntemplates:\n  units:\n"
    + "".join(
        f"    u{i}: {{parameters: {{tail: []}}, layers: [{', '.join([f'u{i + 1}: {{tail: $tail}}'] * 10)}]}}\n"
        for i in range(4)
    )
    + f"    u4: {{parameters: {{tail: []}}, layers: [{', '.join(['$tail'] * 20)}]}}\n"
)
"""A list that is passed on ten times, and used by each twenty times."""
PASSED_ON = "stem: [u]\ntemplates: {units: {u: {parameters: {tail: [relu]}, layers: [{u: {tail: [$tail]}}]}}}\n"
ENDLESS = {
    "templates of nothing": (tenfold(18, "{layers: []}"), "100,000 expansions"),
    "stages of empty units": (f"{EMPTY}stages:\n" + "- {units: 10000}\n" * 3000, "100,000 expansions"),
    "paths": (tenfold(4, f"{{layers: [{{add: {{{PATHS}}}}}]}}"), "1,000,000 paths"),
    "paths of units that repeat": (
        f"unit: u\nstages: [{{units: 10000}}]\ntemplates: {{units: {{u: {{layers: [{{add: {{{PATHS}}}}}]}}}}}}\n",
        "1,000,000 paths",
    ),
    "conditions": (tenfold(5, f"{{layers: [{CONDITIONS}]}}"), "1,000,000 paths"),
    "expressions": (tenfold(5, f"{{parameters: {{a: '{EXPRESSION}'}}, layers: []}}"), "1,000,000 paths"),
    "choices": (
        tenfold(5, f"{{parameters: {{a: {{default: 1, choices: {list(range(2000))}}}}}, layers: []}}"),
        "1,000,000 paths",
    ),
    "recursion": (RECURSION, "without end: u -> u"),
    "layers": ("unit: basic\nstages: [{units: 10000, filters: 8}]\n", "50,000 layers"),
    "layers of templates": (tenfold(5, "{layers: [relu]}"), "50,000 layers"),
    "filters": ("stem:\n" + "- conv: {filters: 1000000, kernel: 3}\n" * 2, "10,000,000,000 parameters"),
    "units of dense layers": ("head: [flatten, {dense: {units: 1000000}}, {dense: {units: 1000000}}]\n", "parameters"),
    "channels": ("stem:\n" + "- concat: {a: [], b: []}\n" * 60, "268,435,456,000,000 values"),
    "lists of nothing that are passed": (PASSED, "1,000,000 paths"),
    "lists that are passed": (PASSED.replace("tail: []}", "tail: [relu]}"), "50,000 layers"),
    "lists passed in lists": (
        "stem: [v]\ntemplates: {units: {u: {parameters: {tail: []}, layers: [$tail, $tail]}, "
        "v: {layers: [{u: {tail: [v]}}]}}}\n", "without end: v -> u -> v",
    ),
    "lists that are passed on": (PASSED_ON, "without end: u -> u"),
    "values that differ from unit to unit": (
        f"unit: {{u: {{a: [{', '.join(['{scale: {factor: $index}}'] * 2500)}]}}}}\nstages: [{{units: 10000}}]\n"
        "templates: {units: {u: {parameters: {a: []}, layers: [{conv: {filters: '${channels - 3}', kernel: 1}}, $a]}}}\n",
        "1,000,000 paths",
    ),
    "lists within lists that are passed": (
        f"stem: [{'{u: {a: [' * 14}{']}}' * 14}]\ntemplates: {{units: {{u: {{parameters: {{a: []}}, "
        f"layers: [{', '.join(['$a'] * 10)}]}}}}}}\n", "1,000,000 paths",
    ),
    "templates that pass to each other": (
        "stem: [u0]\ntemplates: {units: {"
        + ", ".join(f"u{i}: {{parameters: {{a: [], b: $a}}, layers: [u{i + 1}: {{a: $b}}]}}" for i in range(900))
        + ", u900: {parameters: {a: []}, layers: [$a]}}}\n", "60 in each other",
    ),
    "points that are not there": (
        f"stem: [{', '.join(f'point: a{i}' for i in range(3000))}, {', '.join(f'from: b{i}' for i in range(3000))}]\n",
        "and 900 more mistakes",
    ),
    "points in paths": (
        f"stem: [{', '.join(f'point: a{i}' for i in range(3000))}, "
        f"add: {{{', '.join(f'p{i}: [point: b{i}, from: c]' for i in range(1200))}}}]\n", "and 900 more mistakes",
    ),
    "points": (tenfold(5, "{layers: [point: a, from: a]}"), "1,000,000 paths"),
    "jumps": (
        f"stem: [v]\ntemplates: {{units: {{v: {{layers: [point: a{', u' * 3000}]}}, "
        f"u: {{layers: [point: a{', from: a' * 1000}]}}}}}}\n", "1,000,000 paths",
    ),
    "fractions": ("stem: [u: {}]\ntemplates: {units: {u: {parameters: {a0: '${1 / 9007199254740881}', "
                  + ", ".join(f"a{i}: '${{a{i - 1} * a{i - 1}}}'" for i in range(1, 60)) + "}, layers: []}}}\n", "too many digits"),
    "values for each unit": (
        f"unit: u\nstages: [{{units: 9000, a: {{each: {[1] * 9000}}}}}]\ntemplates: {{units: {{u: {{parameters: {{a: 1}}, "
        f"layers: [{', '.join(['if: true, then: []'.join('{}')] * 20)}]}}}}}}\n", "1,000,000 paths",
    ),
    "padding": ("stem: [{pad: {amount: 1000000}}]\n", "sides of an image are 16,384"),
    "names": (f"stem: [{{add: {{{'a' * 61}: [], b: []}}}}]\n", "at most 60 characters"),
    "parameters": (f"templates: {{units: {{u: {{parameters: {dict.fromkeys((f'a{i}' for i in range(101)), 1)}, "
                   "layers: []}}}\n", "at most 100 of them"),
    "values": (f"stem: [{'1, ' * 20_001}]\n", "20,000 values"),
    "mistakes": (f"stem: [{', '.join(f'cnov{i}' for i in range(5000))}]\n", "and 4,900 more mistakes"),
    "mistakes in names": (f"outputs: [{', '.join(f'stem{i}' for i in range(5000))}]\n", "and 900 more mistakes"),
}  # fmt: skip


MULTIPLIED = ("EXPANSIONS", "STEPS", "LAYERS")


@pytest.mark.parametrize("share", [100, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ENDLESS)
def test_what_multiplies_ends(kind: str, share: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a hundredth of the bounds, which takes a fraction of the time, and where time is given at the bounds themselves."""
    text, message = ENDLESS[kind]
    for name in MULTIPLIED:
        bound = getattr(bounds, name)
        monkeypatch.setattr(bounds, name, bound // share)
        message = message.replace(f"{bound:,}", f"{bound // share:,}")
    with pytest.raises(SpecError) as caught:
        archbuilder.expand(archbuilder.load_text(HEAD + text))
    assert message in str(caught.value).replace("\n", " ")


@pytest.mark.parametrize("number", [2, bounds.EXTENDS + 2])
def test_specs_that_extend_each_other_end(number: int, tmp_path: Path) -> None:
    for index in range(number):
        following = f"extends: s{index + 1}.yaml\n" if index + 1 < number else "input: [8, 8, 3]\nstem: [relu]\n"
        (tmp_path / f"s{index}.yaml").write_text(f"archbuilder: 1\nname: s{index}\n{following}")
    if number == 2:
        assert archbuilder.expand(tmp_path / "s0.yaml").name == "s0"
        return
    with pytest.raises(SpecError, match="more than 16 specs"):
        archbuilder.load(tmp_path / "s0.yaml")


def test_mistakes_do_not_follow_from_each_other() -> None:
    """Behind a layer that cannot be made nothing is known of shapes, but values are still checked."""
    text = (
        "stem: [{conv: {filters: 4, kernel: 30, padding: valid}}, {conv: {filters: '${channels // 8}', kernel: 3}}]\n"
        "unit: basic\nshortcut: identity\nstages: [{units: 3, filters: 4, stride: 2}, {units: 2, filters: -1}]\n"
        "head: [flatten, conv: {filters: 3, kernel: 3, groups: 2}]\n"
    )
    with pytest.raises(SpecError) as caught:
        archbuilder.expand(archbuilder.load_text(HEAD + text))
    assert [(one.code, one.span and one.span.line) for one in caught.value.diagnostics] == [
        ("bad-shape", 4), ("bad-value", 7),
    ]  # fmt: skip
