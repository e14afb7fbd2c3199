"""Files from strangers are opened without waiting, measured before they are read, and read as data."""

from __future__ import annotations

import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from archbuilder import bounded_pickles
from archbuilder.bounded_arrays import open_arrays
from archbuilder.bounded_files import BadFileError, bounded_bytes, open_archive, regular_file
from archbuilder.bounded_pickles import names_in


def link(path: Path) -> None:
    path.with_name("other").write_bytes(b"x")
    path.symlink_to("other")


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (os.mkfifo, "no ordinary file"), (Path.mkdir, "a folder"), (link, "a link"), (lambda _: None, "not there"),
        (lambda path: path.symlink_to("/dev/zero"), "a link"),
    ],
)  # fmt: skip
def test_what_is_no_ordinary_file(make: Callable[[Path], object], reason: str, tmp_path: Path) -> None:
    make(tmp_path / "x")
    with pytest.raises(BadFileError, match=f"^it is {reason}$"):
        regular_file(tmp_path / "x", follow_links=False)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/dev/tty"])
def test_devices(path: str) -> None:
    with pytest.raises(BadFileError, match="no ordinary file"):
        bounded_bytes(Path(path), 10)


def test_a_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    link(tmp_path / "x")
    assert bounded_bytes(tmp_path / "x", 1) == b"x"
    with pytest.raises(BadFileError, match="larger than 0 bytes"):
        bounded_bytes(tmp_path / "x", 0)


def test_no_more_room_is_made_than_a_file_has(tmp_path: Path) -> None:
    """A chunk of a PNG, say, declares up to 4 GiB, and its reader asks for them at once."""
    (tmp_path / "x").write_bytes(b"xyz")
    with regular_file(tmp_path / "x") as file:
        file.seek(1)
        assert file.read(2**62) == b"yz"
        assert file.read(2**62) == b""
        file.seek(9)
        assert file.read(2**62) == b""


def packed(path: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED, name: str = "a.npy") -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr(name, content)
    return path


def array_file(array: Any) -> bytes:
    file = BytesIO()
    np.save(file, array)
    return file.getvalue()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_gives_its_members(method: int, tmp_path: Path) -> None:
    with open_archive(packed(tmp_path / "x", b"content", method)) as archive:
        assert (list(archive.members), archive.size("a.npy"), archive.read("a.npy", 7)) == (["a.npy"], 7, b"content")
        with pytest.raises(BadFileError, match="unpacks to 7 bytes; at most 6 are read"):
            archive.read("a.npy", 6)
        with pytest.raises(BadFileError, match="there is no b in it"):
            archive.read("b", 7)


def test_an_archive_that_unpacks_to_much_more_than_it_stores(tmp_path: Path) -> None:
    path = packed(tmp_path / "x", bytes(100_000_000))
    assert path.stat().st_size < 200_000
    with pytest.raises(BadFileError, match="would unpack to 100,000,000 bytes"), open_archive(path):
        pass


def test_members_that_share_what_is_stored(tmp_path: Path) -> None:
    """The list names one member many times, under many names."""
    path = packed(tmp_path / "x", bytes(2**24), name="a")
    content = path.read_bytes()
    at = content.rindex(b"PK\x01\x02")
    entry, end = content[at : at + 47], bytearray(content[-22:])
    entries = b"".join(entry[:-1] + bytes([number]) for number in range(97, 110))
    end[8:12] = struct.pack("<2H", 13, 13)
    end[12:16] = struct.pack("<L", len(entries))
    path.write_bytes(content[:at] + entries + end)
    with pytest.raises(BadFileError, match="would unpack to 218,103,808 bytes"), open_archive(path):
        pass


def test_a_list_of_members_without_end(tmp_path: Path) -> None:
    path = tmp_path / "x"
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 9, 9, 2**25, 0, 0)
    path.write_bytes(bytes(2**25) + end)
    with pytest.raises(BadFileError, match="list of members is too long"), open_archive(path):
        pass


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packings_that_nobody_uses_for_arrays(method: int, tmp_path: Path) -> None:
    path = packed(tmp_path / "x", b"content", method)
    with open_archive(path) as archive, pytest.raises(BadFileError, match="in a way that is not read"):
        archive.read("a.npy", 100)


def test_any_damage_to_an_archive_is_told(tmp_path: Path) -> None:
    """Each byte of it, one by one: what is read is what was written, or refused."""
    array = np.arange(40, dtype=np.int32)
    path = packed(tmp_path / "x", array_file(array))
    content, refused = path.read_bytes(), 0
    for at in range(len(content)):
        for flip in (1, 0x80, 0xFF):
            path.write_bytes(content[:at] + bytes([content[at] ^ flip]) + content[at + 1 :])
            try:
                with open_arrays(path) as arrays:
                    assert np.array_equal(arrays.read("a"), array)
            except BadFileError:
                refused += 1
    assert refused > len(content)


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3), np.asfortranarray(np.arange(6.0).reshape(2, 3)), np.array(3), np.zeros((0, 3)),
        np.array(["cat", "dog"]), np.array([True]), np.arange(3, dtype=">i4"),
    ],
    ids=str,
)  # fmt: skip
def test_arrays_come_back_as_they_were(array: Any, tmp_path: Path) -> None:
    with (tmp_path / "x.npz").open("wb") as file:
        np.savez_compressed(file, a=array)
    with open_arrays(tmp_path / "x.npz") as arrays:
        assert (arrays.names, "a" in arrays, "b" in arrays) == (("a",), True, False)
        assert arrays.header("a").shape == array.shape
        np.testing.assert_array_equal(arrays.read("a"), array, strict=True)


def header(shape: str, kind: str = "'<f4'", version: bytes = b"\x01\x00", rest: bytes = b"") -> bytes:
    text = f"{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY" + version + len(text).to_bytes(2 if version == b"\x01\x00" else 4, "little") + text + rest


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"no array at all", "a in it is no array"), (b"", "no array"), (b"\x93NUMPY\x01\x00\xff\xff{", "no array"),
        (header("(" * 4000), "no array"), (header("(1,)", "'|O'", rest=bytes(8)), "is of objects"),
        (header("(1,)", "[('a', '<f4')]", rest=bytes(4)), "plain numbers and text"), (header("'x'"), "no array"),
        (header("(3000000000,)"), "not as large as it says"), (header("(-1,)"), "plain numbers|no array"),
        (header("(0,)", rest=bytes(4)), "not as large"), (header("(1,)", "'<M8[s]'", rest=bytes(8)), "datetime64"),
        (header("(2,)", version=b"\x02\x00", rest=bytes(4)), "not as large"), (header("()", version=b"\x09\x09"), "no array"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "no array"), (array_file(np.ones(3))[:-1], "not as large"),
    ],
)  # fmt: skip
def test_members_that_are_no_arrays(content: bytes, reason: str, tmp_path: Path) -> None:
    with open_arrays(packed(tmp_path / "x.npz", content)) as arrays, pytest.raises(BadFileError, match=reason):
        arrays.read("a")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_the_names_in_a_pickle_are_told_without_reading_it(protocol: int) -> None:
    content = BytesIO(pickle.dumps({"a": os.system, "b": [print] * 3}, protocol) + b"rest")
    names = {name.rpartition(" ")[2] for name in names_in(content)}
    assert names == {"system", "print"}
    assert content.read() == b"rest"


def text(word: str) -> bytes:
    return b"\x8c" + bytes([len(word)]) + word.encode()


REMEMBERED = text("posix") + b"q\x00" + text("system") + b"\x94"  # as the first and the second thing
HARMLESS = text("collections") + text("OrderedDict")


@pytest.mark.filterwarnings("error")
def test_what_python_would_warn_of_is_not_quoted() -> None:
    assert names_in(BytesIO(b"S'\\\x00'\n.")) == frozenset()


@pytest.mark.parametrize("asked", [b"h\x00h\x01", b"j\x00\x00\x00\x00h\x01", b"g0\ng1\n"])
def test_names_that_a_pickle_remembers_are_told(asked: bytes) -> None:
    """Those that stand last in the file need not be those that it asks for."""
    content = b"\x80\x04" + REMEMBERED + HARMLESS + asked + b"\x93."
    assert names_in(BytesIO(content)) == {"posix system"}


@pytest.mark.parametrize("between", [b"0", b"00", b"2", b"(1", b"h\x02", b"N", b"Nq\x00h\x00"])
def test_names_that_cannot_be_told_are_refused(between: bytes) -> None:
    content = b"\x80\x04" + REMEMBERED + b"]q\x02" + HARMLESS + between + b"\x93."
    with pytest.raises(BadFileError, match="puts names together"):
        names_in(BytesIO(content))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"]" * 2_001 + b".", "more than 2,000 instructions"), (b"Nr\xff\xff\xff\x7f.", "far too high"),
        (b"Np99999999999999\n.", "far too high"), (b"", "damaged"), (b"N", "damaged"), (b"\xff.", "damaged"),
        (b"X\xff\xff\xff\x7fabc.", "damaged"), (b"L" + b"9" * 5000 + b"L\n.", "damaged"),
    ],
)  # fmt: skip
def test_pickles_that_are_not_read(content: bytes, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a thousandth of the instructions that are allowed."""
    monkeypatch.setattr(bounded_pickles, "MAX_OPCODES", bounded_pickles.MAX_OPCODES // 1000)
    with pytest.raises(BadFileError, match=reason):
        names_in(BytesIO(content))
