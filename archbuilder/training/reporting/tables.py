"""How numbers of a training are written, and the tables of what it came to."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from archbuilder.aliases import Json
from archbuilder.formatting import counted, percent, printable
from archbuilder.spec.network import Figure
from archbuilder.training.objective import Metric

BESIDE = {"mean_class_accuracy": "mean over classes", "top_5_accuracy": "top 5", "mean_average_precision": "mAP",
          "f1": "F1", "rmse": "RMSE", "r2": "R²"}  # fmt: skip
"""What may stand beside the metric in a measurement, and what it is called in a table."""


def metric_in(measured: Json, part: str = "") -> Metric:
    """Which metric stands beside the loss; `part` is what its name begins with, such as `test_`."""
    return "mae" if f"{part}mae" in measured else "accuracy"


def result_table(result: Json) -> Table:
    """Final and best weights on the test set."""
    metric = metric_in(result["final"], "test_")
    table = Table("weights", "epoch", "test loss", f"test {metric}")
    for which in ("best", "final"):
        one = result[which]
        table.add_row(which, str(one["epoch"]), f"{one['test_loss']:.4f}", score_text(metric, one[f"test_{metric}"]))
    return table


def summary_table(summary: Json) -> Table:
    """What runs with several seeds or folds came to, in the form of He et al. 2015: best (mean ± deviation)."""
    form, kind, unit = (".4g", "mae", "mae") if "test_mae" in summary else (".2f", "error", "error in %")
    on_folds = summary.get(f"fold_{kind}", {})
    varied = counted(len(summary["runs"]), "fold" if on_folds else "seed")
    title = f"{summary['network']}, {varied}: test {unit}"
    table = Table("weights", "best (mean ± deviation)", "median", title=_name(title), title_justify="left")
    rows = {**summary[f"test_{kind}"], **{f"{which}, on its fold": found for which, found in on_folds.items()}}
    for which, found in rows.items():
        deviation = "" if found["deviation"] is None else f" ± {found['deviation']:{form}}"
        table.add_row(which, f"{found['best']:{form}} ({found['mean']:{form}}{deviation})", f"{found['median']:{form}}")
    for figure in map(Figure.model_validate, summary["published"]):
        table.add_row(_name(f"published: {figure.conditions}"), figure.value, "")
    return table


def score_text(metric: Metric, score: float) -> str:
    return percent(score) if metric == "accuracy" else f"{score:.4g}"


def metric_text(metric: Metric, score: float) -> str:
    return f"{metric} {score_text(metric, score)}"


def evaluation_table(measured: Json) -> Table:
    """What `evaluate` measured: each run, and the ensemble of several."""
    first = measured.get("runs", [measured])[0]
    beside = [name for name in BESIDE if any(name in one.get("test", {}) for one in measured.get("runs", [measured]))]
    metric = metric_in(first["test"])
    table = Table("network", "images", "number", metric, *(BESIDE[name] for name in beside), "loss")
    for one in measured.get("runs", [measured]):
        for name in ("test", "validation"):
            if name in one:
                _add_score(table, f"{one['run']}, {one['weights']} weights", name, one[name], beside)
    if "ensemble" in measured:
        _add_score(table, f"ensemble of {len(measured['runs'])}", "test", measured["ensemble"]["test"], beside)
    return table


def _add_score(table: Table, network: str, images: str, score: Json, beside: Sequence[str]) -> None:
    metric = metric_in(score)
    others = ["" if score.get(name) is None else score_text(metric, score[name]) for name in beside]
    table.add_row(
        _name(network),
        images,
        f"{score['images']:,}",
        score_text(metric, score[metric]),
        *others,
        f"{score['loss']:.4f}",
    )


def _name(text: str) -> Text:
    """A name as it is: no markup, and nothing that a terminal would act on."""
    return Text(printable(text))
