"""Tables of images in CSV: what they say, in whichever form people have them, and each line that says nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from archbuilder.data.count import count, learned_from
from archbuilder.data.dataset import LabelsError
from archbuilder.data.load import Dataset, load_data, with_test
from archbuilder.errors import ArchbuilderError, MissingError, UsageError
from archbuilder.spec.data import Csv, Data, LabelKind

SHAPE = (4, 4, 3)
TWO = "path,label\na.png,cat\nsub/b.png,dog\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    inner = tmp_path / "data"
    for number, name in enumerate(("a.png", "sub/b.png", "c d.png", "ü.png")):
        (inner / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", SHAPE[:2], (number, 0, 0)).save(inner / name)
    Image.new("RGB", SHAPE[:2]).save(tmp_path / "outside.png")
    return inner


def load(
    folder: Path, table: str | bytes, kind: LabelKind = "classes", streamed: bool = False, **csv: object
) -> Dataset:
    content = table.encode() if isinstance(table, str) else table
    (folder / "table.csv").write_bytes(content)
    settings = Data.model_validate({"source": {"csv": csv}, "test": {"holdout": 1}})
    return load_data(settings, SHAPE, folder / "table.csv", streamed, kind)


def rows(found: Dataset) -> dict[int, list[float]]:
    """The labels of each image, which is known by its red."""
    reds = [np.asarray(found.train.image(index))[0, 0, 0] for index in range(len(found.train))]
    return {int(red): np.atleast_1d(label).tolist() for red, label in zip(reds, found.train.labels, strict=True)}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("table", [
    TWO, TWO.replace(",", ";"), TWO.replace(",", "\t"), TWO.replace("\n", "\r\n"), TWO.encode("utf-8-sig"),
    TWO.encode("utf-16"), TWO.replace("cat", '"cat"').replace("sub/b.png", ' "sub/b.png"'), TWO.replace("/", "\\"),
    TWO.replace("\n", "\n\n"), TWO.rstrip(), TWO.replace("path", "Filename").replace("label", "species"),
    "label,weight,image\ncat,3,a.png\ndog,4,sub/b.png\n", "file,cat,dog\na.png,1,0\nsub/b.png,0,1\n",
])  # fmt: skip
def test_classes_in_every_form(table: str | bytes, streamed: bool, folder: Path) -> None:
    found = load(folder, table, "classes", streamed)
    assert (found.classes, found.labels, rows(found)) == (("cat", "dog"), "classes", {0: [0], 1: [1]})
    assert count(Csv(), folder / "table.csv") == count(Csv(), folder) == 2


@pytest.mark.parametrize("table", [
    "path,label\na.png,red|big\nsub/b.png,\nc d.png,red\n", "path,big,red\na.png,1,1\nsub/b.png,0,0\nc d.png,0,1\n",
    "path,label\na.png,red | big|\nsub/b.png,|\nc d.png,red\n",
])  # fmt: skip
def test_several_labels(table: str, folder: Path) -> None:
    found = load(folder, table, "flags")
    assert (found.classes, found.labels, rows(found)) == (("big", "red"), "flags", {0: [1, 1], 1: [0, 0], 2: [0, 1]})


def test_numbers(folder: Path) -> None:
    found = load(folder, "path,x,y\na.png,1.5,-2\nsub/b.png,1e3,0\n", "numbers")
    assert (found.classes, found.labels, rows(found)) == (("x", "y"), "numbers", {0: [1.5, -2], 1: [1000, 0]})
    found = load(folder, "path;x;y\na.png;1,5;-2\nsub/b.png;0,25;.5\n", "numbers", labels=["y", "x"])
    assert rows(found) == {0: [-2, 1.5], 1: [0.5, 0.25]}


def test_classes_that_are_numbers_stand_in_their_order(folder: Path) -> None:
    assert load(folder, "path,label\na.png,10\nsub/b.png,9\n").classes == ("9", "10")


def test_columns_and_parts_by_their_names(folder: Path) -> None:
    table = "id,where,kind,fold\n1,a.png,x,train\n2,sub/b.png,y,Training\n3,c d.png,x,valid\n4,ü.png,y,test\n"
    (folder / "table.csv").write_text(table, encoding="utf-8")
    csv = {"image": "where", "labels": ["kind"], "part": "fold"}
    found = load_data(Data.model_validate({"source": {"csv": csv}}), SHAPE, folder / "table.csv")
    assert found.validation is not None
    assert (len(found.train), len(found.validation), len(found.test)) == (2, 1, 1)
    assert found.notes == (f"left out of {folder / 'table.csv'}: the columns id",)


def test_windows_letters_are_read_and_told(folder: Path) -> None:
    found = load(folder, "path,label\nü.png,Bär\na.png,Maus\n".encode("cp1252"))
    assert (found.classes, found.notes) == (
        ("Bär", "Maus"),
        (f"{folder / 'table.csv'} is not in UTF-8, and read as Windows-1252",),
    )


def test_labels_are_part_of_the_fingerprint_of_files(folder: Path) -> None:
    one, other = (load(folder, table, streamed=True).fingerprint for table in (TWO, TWO.replace("cat", "cow")))
    assert one != load(folder, TWO.replace("a.png,cat", "a.png,zebra"), streamed=True).fingerprint
    assert one == other  # names of classes are not part of it, here as elsewhere


def test_test_images_are_set_apart(folder: Path) -> None:
    table = "path,label\n" + "".join(
        f"{name},{label}\n" for name, label in zip(("a.png", "sub/b.png", "c d.png", "ü.png"), "xyxy", strict=True)
    )
    (folder / "t.csv").write_text(table, encoding="utf-8")
    settings = Data.model_validate({"source": "csv", "test": {"holdout": 2}, "validation": "test"})
    found = with_test(load_data(settings, SHAPE, folder / "t.csv"), settings)
    assert (sorted(found.train.labels), sorted(found.test.labels)) == ([0, 1], [0, 1])
    assert learned_from(settings, folder / "t.csv") == 2


@pytest.mark.faults
def test_every_bad_line_is_named_at_once(folder: Path) -> None:
    (folder / "link.png").symlink_to(folder.parent / "outside.png")
    bad = [
        "a.png,cat", "../outside.png,cat", "link.png,dog", "none.png,dog", "sub/b.png", "a.png,dog", ",dog", "sub,dog",
        "c d.png,", str(folder.parent / "outside.png") + ",cat", "/etc/passwd,cat", "x\x1b[2J.png,cat", "ü.png,a,b",
    ]  # fmt: skip
    with pytest.raises(UsageError) as caught:
        load(folder, "path,label\n" + "\n".join(bad) + "\n")
    heading, *lines = str(caught.value).splitlines()
    assert heading == f"12 mistakes in {folder / 'table.csv'}:"
    assert [line.partition(":")[0] for line in lines] == [f"  line {number}" for number in range(3, 15)]
    told = "outside the folder|outside the folder|there is no none.png|1 column; the heading has 2|stands in line 2 as well"
    for line, expected in zip(lines, told.split("|"), strict=False):
        assert expected in line
    assert "\x1b" not in str(caught.value)


@pytest.mark.faults
@pytest.mark.parametrize(("table", "kind", "message"), [
    ("", "classes", "is empty: its first line names the columns"), ("path,label\n", "classes", "has no rows below"),
    ("a,b\n1,2\n", "classes", "has the columns a, b: which holds the paths"),
    ("path,x,x\na.png,1,2\n", "classes", "several columns called x"), ("path\na.png\n", "classes", "no column of labels"),
    ("path,label\na.png,x|y\n", "classes", "loss: binary_cross_entropy` learns"),
    ("path,x\na.png,many\n", "numbers", "line 2: 'many' in x is no number"),
    ("path,x\na.png,nan\n", "numbers", "is no number"), ("path,x\na.png,1e99\n", "numbers", "is no number"),
    ("path,x\na.png,1_0\n", "numbers", "is no number"),
    ("path,x,y\na.png,1,2\n", "flags", "'2' in y is neither 0 nor 1"),
    ("path,x,y\na.png,1,1\n", "classes", "it has 2 classes; several are learned by"),
    ("path,label,split\na.png,x,tset\n", "classes", "line 2: 'tset' in split is none of train, val, test"),
    ("path,label,split\na.png,x,test\n", "classes", "no row is for training"),
    ("path,label\na.png,\x00\n", "classes", "holds zero bytes"),
    ('path,label\na.png,"' + "x" * 200_000, "classes", "a value is too long"),
    (b"\xff\xfea", "classes", "begins as UTF-16, and is damaged"),
    ("path," + ",".join(map(str, range(10_001))) + "\na.png,1\n", "flags", "too many rows or columns: at most 1,500,000 rows, 10,000 columns"),
])  # fmt: skip
def test_what_is_no_table_is_told(table: str | bytes, kind: LabelKind, message: str, folder: Path) -> None:
    with pytest.raises(ArchbuilderError, match=message):
        load(folder, table, kind)


@pytest.mark.faults
def test_columns_that_are_not_there_are_told(folder: Path) -> None:
    for said in ({"image": "pth"}, {"labels": ["lable"]}, {"part": "splitt"}):
        with pytest.raises(UsageError, match=r"has no column '(pth|lable|splitt)'\n  hint: "):
            load(folder, "path,label,split\na.png,x,train\n", **said)
    with pytest.raises(LabelsError):
        load(folder, "path,label\na.png,x|y\n")


@pytest.mark.faults
def test_a_folder_of_several_tables_is_refused(folder: Path) -> None:
    with pytest.raises(MissingError, match=r"there is no \.csv file in"):
        count(Csv(), folder)
    for name in ("a.csv", "b.csv"):
        (folder / name).write_text(TWO, encoding="utf-8")
    with pytest.raises(MissingError, match=r"there are several \.csv files in"):
        count(Csv(), folder)
