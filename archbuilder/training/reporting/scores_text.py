"""Tables of what a network is worth, class by class: for a terminal, and for a spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from archbuilder.aliases import Json
from archbuilder.formatting import percent, printable
from archbuilder.markup import Cell
from archbuilder.training.scores import confused

MOST_ROWS = 20
"""How many classes are shown one by one; of more, those that are found worst."""
MOST_IN_MATRIX = 12
"""How many classes a confusion matrix on a terminal has; of more, the pairs that are confused most."""
LONGEST_HEAD = 4
"""How many letters a class has at most whose name heads a column of the matrix."""
WORST = 10
SHOWN_MISTAKES = 5
KINDS = {"classes": "class", "labels": "label", "numbers": "number"}
HEADS = {"average_precision": "average precision", "f1": "F1", "mae": "MAE", "rmse": "RMSE", "r2": "R²"}


def tables(test: Json) -> Iterator[Table]:
    """Those of one measurement: the classes, labels or numbers, and which classes are confused."""
    kind = next(kind for kind in KINDS if kind in test)
    yield _each(kind, test[kind])
    if kind == "classes":
        yield _confusion(test) if len(test["classes"]) <= MOST_IN_MATRIX else _pairs(test)


def lines(test: Json) -> Iterator[str]:
    """What is said below the tables: the calibration, and the mistakes that the network was most sure of."""
    if calibration := test.get("calibration"):
        yield f"expected calibration error: {percent(calibration['expected_error'])}"
    mistakes = test["mistakes"]
    if mistakes:
        yield "largest errors:" if "numbers" in test else "most confident mistakes:"
    for mistake in mistakes[:SHOWN_MISTAKES]:
        sure = "" if mistake["probability"] is None else f" ({percent(mistake['probability'])})"
        name = mistake["name"] or f"image {mistake['image']}"
        yield f"  {name}: is {mistake['truth']}, not {mistake['answer']}{sure}"


def rows(test: Json) -> Iterator[list[Cell]]:
    """The classes, labels or numbers for a spreadsheet; behind each class, how often each class was answered."""
    kind = next(kind for kind in KINDS if kind in test)
    first, confusion = test[kind][0], test.get("confusion")
    answers = [f"taken for {one['name']}" for one in test[kind]] if confusion else []
    yield [KINDS[kind], *(key for key in first if key != "name"), *answers]
    for place, one in enumerate(test[kind]):
        yield [*one.values(), *(confusion[place] if confusion else ())]


def _each(kind: str, found: Sequence[Json]) -> Table:
    shown, title = found, None
    if len(found) > MOST_ROWS:
        by = "r2" if kind == "numbers" else "f1"
        shown = sorted(found, key=lambda one: -1 if one[by] is None else one[by])[:WORST]
        title = f"the {WORST} worst of {len(found):,} {kind} by {HEADS[by]}"
    keys = [key for key in found[0] if key != "name"]
    table = Table(KINDS[kind], *(HEADS.get(key, key) for key in keys), title=title, title_justify="left")
    for one in shown:
        table.add_row(_name(one["name"]), *(cell(key, one[key]) for key in keys))
    return table


def cell(key: str, value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if key == "images" else f"{value:.4g}" if key in ("mae", "rmse", "r2") else percent(value)


def _confusion(test: Json) -> Table:
    """Rows are true classes, columns those that were answered, by name, or by number where a name is long."""
    names = [printable(one["name"]) for one in test["classes"]]
    is_short = max(map(len, names)) <= LONGEST_HEAD
    table = Table("class", title="confusion matrix: each row says what a class was taken for", title_justify="left")
    for number, name in enumerate(names, 1):
        table.add_column(Text(name) if is_short else str(number), justify="right")
    for number, (name, counts) in enumerate(zip(names, test["confusion"], strict=True), 1):
        first = Text(name if is_short else f"{number} {name}")
        table.add_row(first, *(f"{count:,}" if count else "·" for count in counts))
    return table


def _pairs(test: Json) -> Table:
    names = [one["name"] for one in test["classes"]]
    table = Table("class", "taken for", "images", title="confused most often", title_justify="left")
    for count, truth, answer in confused(test["confusion"])[:WORST]:
        table.add_row(_name(names[truth]), _name(names[answer]), f"{count:,} of {test['classes'][truth]['images']:,}")
    return table


def _name(text: str) -> Text:
    """A name as it is: no markup, and nothing that a terminal would act on."""
    return Text(printable(text))
