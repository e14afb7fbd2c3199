"""Several networks in one table, for people and for other programs."""

from __future__ import annotations

import csv
import json
from io import StringIO
from pathlib import Path

import pytest

from archbuilder.markup import csv_text, markdown_text
from tests.conftest import Call

THREE = ("build", "he2015/resnet20", "resnet20_v1", "he2015/plain20")


def test_rows_are_in_the_order_of_the_specs_or_sorted(call: Call) -> None:
    def names(*options: str) -> list[str]:
        return [row["spec"] for row in json.loads(call(*THREE, "--json", "--columns", "spec,macs", *options).out)]

    assert names() == list(THREE[1:])
    assert names("--sort", "macs") == ["he2015/resnet20", "he2015/plain20", "resnet20_v1"]
    assert names("--sort=-macs") == ["resnet20_v1", "he2015/resnet20", "he2015/plain20"]
    assert names("--sort", "spec") == ["he2015/plain20", "he2015/resnet20", "resnet20_v1"]


def test_text_names_its_columns(call: Call) -> None:
    head, _, *rows = call(*THREE, "--memory", "16GiB").out.splitlines()
    assert head.split() == ["spec", "depth", "trainable", "total", "macs", "field", "memory", "fits"]
    assert len(rows) == 3


def test_csv_has_plain_numbers(call: Call) -> None:
    rows = list(csv.DictReader(StringIO(call(*THREE, "--csv").out)))
    assert [(row["spec"], row["total"], row["field"]) for row in rows][1] == ("resnet20_v1", "274442", "81")


def test_one_spec_may_be_a_table(call: Call) -> None:
    assert (
        call("build", "resnet20_v1", "--markdown", "--columns", "spec,depth").out.splitlines()[2]
        == "| resnet20\\_v1 | 20 |"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--columns", "spec,macz"), "there is no column 'macz'; did you mean 'macs'?"),
        (("--sort", "size"), "there is no column 'size'; columns: "),
        (("--numbers",), "a table of specs stands alone"),
        (("-o", "x.keras"), "a table of specs stands alone"),
        (("--peak", "1e12"), "--peak and --bandwidth go together"),
    ],
)
def test_mistakes(options: tuple[str, ...], said: str, call: Call) -> None:
    done = call(*THREE, *options)
    assert done.code == 2
    assert said in done.err


@pytest.mark.parametrize("amount", ["much", "16XB", "-1GiB", "1e99"])
def test_an_amount_of_memory_has_a_unit(amount: str, call: Call) -> None:
    done = call("build", "resnet20_v1", f"--memory={amount}")
    assert (done.code, f"'{amount}' is not an amount of memory, such as 16GiB" in done.err) == (2, True)


@pytest.mark.parametrize(("amount", "bytes_"), [("16GiB", 2**34), ("16G", 2**34), ("1.5kB", 1500), ("512M", 2**29)])
def test_amounts_of_memory(amount: str, bytes_: int, call: Call) -> None:
    assert json.loads(call("build", "resnet20_v1", "--memory", amount, "--json").out)["memory"]["limit"] == bytes_


@pytest.mark.parametrize("number", ["nan", "inf", "0", "-1", "fast"])
def test_peak_is_a_positive_number(number: str, call: Call) -> None:
    done = call("build", "resnet20_v1", f"--peak={number}", "--bandwidth", "1")
    assert (done.code, "is not a positive number" in done.err) == (2, True)


def test_no_cell_is_a_formula() -> None:
    text = csv_text([("=1+1", "+1", "-1", "@x", "\tx", -5, "a=b")])
    assert next(csv.reader(StringIO(text))) == ["'=1+1", "'+1", "'-1", "'@x", "'\tx", "-5", "a=b"]


def test_markdown_is_escaped() -> None:
    text = markdown_text([("a|b", "<i>"), ("*x*\n", "[y](z)")])
    assert text == "| a\\|b | \\<i\\> |\n| --- | --- |\n| \\*x\\* | \\[y\\]\\(z\\) |"


def test_specs_of_files_stand_beside_bundled_ones(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("archbuilder: 1\nextends: resnet20_v1\nname: mine\n")
    rows = json.loads(call("build", file, "resnet20_v1", "--json", "--columns", "spec,total").out)
    assert [row["total"] for row in rows] == [274_442] * 2
