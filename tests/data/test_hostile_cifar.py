"""Batches and archives of CIFAR that would run something, take all memory, or never end."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import re
import struct
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from archbuilder.data.load import load_data
from archbuilder.data.sources.unpickle import unpickle
from archbuilder.errors import MissingError
from archbuilder.spec.data import Data

ROWS = np.zeros((2, 3072), np.uint8)
Fields = dict[str, object]


def laughs() -> object:
    """A list of ten of a list of ten, and so on, which is small until something is made of it."""
    nested: list[object] = [0] * 10
    for _ in range(12):
        nested = [nested] * 10
    return nested


def nested(depth: int) -> bytes:
    """A key of so many tuples in each other."""
    return b"\x80\x02})" + b"\x85" * depth + b"K\x01s."


def encodings(count: int) -> bytes:
    """One long text that is encoded again and again."""
    text = b"X" + struct.pack("<I", 100_000) + b"x" * 100_000 + b"q\x01" + b"X\x06\0\0\0latin1q\x02"
    again = b"c_codecs\nencode\nq\x03000]" + b"h\x03h\x01h\x02\x86Ra" * count
    return b"\x80\x02" + text + again + b"."


def batch(**change: object) -> bytes:
    return pickle.dumps({"data": ROWS, "labels": [0, 1], **change}, protocol=2)


PICKLES: dict[str, bytes] = {
    "an index of 2**31": b"\x80\x02}r\xff\xff\xff\x7f.",
    "an index as text": b"(dp2147483647\n.",
    "lists that hold each other": batch(labels=laughs()),
    "rows that are such lists": batch(data=laughs()),
    "a deep key": nested(500_000),
    "a key of some depth": nested(2_000),
    "text encoded again and again": encodings(30_000),
    "a bytearray of 2**40": b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b".",
    "bytes of 2**62": b"\x80\x05\x8e" + struct.pack("<Q", 2**62) + b".",
    "a frame of 2**62": b"\x80\x04\x95" + struct.pack("<Q", 2**62) + b"}.",
    "a number of 5,000 digits": b"I" + b"9" * 5_000 + b"\n.",
    "instructions without end": b"\x80\x02" + b"]0" * 1_100_000 + b"}.",
    "a stack that is empty": b"\x80\x02s.",
    "labels beyond int32": batch(labels=[0, 2**32]),
    "labels below zero": batch(labels=[0, -1]),
    "labels that are decimals": batch(labels=[0.0, 1.0]),
    "labels that are missing": pickle.dumps({"data": ROWS}, protocol=2),
    "too few labels": batch(labels=[0]),
    "rows of another length": batch(data=ROWS[:, :300]),
    "an array without a state": b"\x80\x02}U\x04datacnumpy.core.multiarray\n_reconstruct\n)Rs.",
    "a key that is a number": pickle.dumps({1: 2}, protocol=2),
    "something that is called": pickle.dumps({"data": os.getcwd}, protocol=2),
    "nothing": b"",
}


@pytest.mark.faults
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", PICKLES)
def test_a_harmful_batch_is_one_sentence(name: str, tmp_path: Path) -> None:
    for file in ("test_batch", *(f"data_batch_{number}" for number in range(1, 6))):
        (tmp_path / file).write_bytes(PICKLES[name] if file == "data_batch_1" else batch())
    with pytest.raises(MissingError, match=r"^data_batch_1 is not a batch of cifar10: [^\n]+$") as caught:
        load_data(Data.model_validate({"source": "cifar10"}), (32, 32, 3), tmp_path)
    assert not re.search(r"unpickl|Error|opcode|numpy\.|pickletools", str(caught.value))


@pytest.mark.faults
def test_any_damage_to_a_pickle_is_a_value_error_or_a_mapping() -> None:
    random, whole = np.random.default_rng(0), batch()
    for _ in range(400):
        content = bytearray(whole)
        for place in random.integers(0, 150, 3):
            content[place] = random.integers(256)
        try:
            assert isinstance(unpickle(bytes(content)), dict)
        except ValueError as error:
            assert "\n" not in str(error)


def header(name: str, size: int, kind: bytes, raw_size: bytes | None = None) -> bytes:
    """One header of a tar archive, with its sum."""
    content = bytearray(512)
    content[:100] = name.encode().ljust(100, b"\0")
    content[124:136] = raw_size or b"%011o\0" % size
    content[148:156], content[156:157], content[257:265] = b" " * 8, kind, b"ustar\00000"
    content[148:156] = b"%06o\0 " % sum(content)
    return bytes(content)


def blocks(*parts: bytes) -> bytes:
    packed = gzip.GzipFile(fileobj=(file := io.BytesIO()), mode="wb", compresslevel=1)
    with packed:
        for part in parts:
            packed.write(part)
    return file.getvalue()


def zeros(count: int) -> Iterator[bytes]:
    return (bytes(2**24) for _ in range(count))


def many(count: int) -> bytes:
    return b"".join(header(f"f{number}", 0, b"0") for number in range(count))


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "a header of extensions of 1 GiB": lambda: blocks(header("x", 2**30, b"x"), *zeros(4)),
    "a global header of 1 GiB": lambda: blocks(header("x", 2**30, b"g"), *zeros(4)),
    "a name of 1 GiB": lambda: blocks(header("x", 2**30, b"L"), *zeros(4)),
    "a link of 1 GiB": lambda: blocks(header("x", 2**30, b"K"), *zeros(4)),
    "a member of 8 GiB": lambda: blocks(header("data_batch_1", 2**33 - 1, b"0"), *zeros(1)),
    "a member of 2**80": lambda: blocks(header("data_batch_1", 0, b"0", b"\x80" + b"\x7f" * 11)),
    "a member below zero": lambda: blocks(header("data_batch_1", 0, b"0", b"\xff" * 12)),
    "a stranger of 600 MiB": lambda: blocks(header("other", 600 * 2**20, b"0"), *zeros(38), many(1)),
    "a size that is no number": lambda: blocks(header("data_batch_1", 0, b"0", b"hello world\0")),
    "extensions that are none": lambda: blocks(header("x", 512, b"x"), b"99999 =\n".ljust(512, b"x")),
    "extensions of a wrong length": lambda: blocks(header("x", 512, b"x"), b"0 a=b\n".ljust(512, b"\0")),
    "extensions that set the size": lambda: blocks(header("x", 512, b"x"), b"12 size=abc\n".ljust(512, b"\0"), many(1)),
    "a sparse member": lambda: blocks(header("data_batch_1", 512, b"S"), bytes(1024)),
    "a link": lambda: blocks(header("data_batch_1", 0, b"2"), bytes(1024)),
    "a device": lambda: blocks(header("data_batch_1", 0, b"3"), bytes(1024)),
    "nothing": lambda: b"",
    "no tar": lambda: blocks(b"hello" * 999),
    "half a gzip": lambda: blocks(many(9))[:60],
    "a damaged gzip": lambda: blocks(many(9))[:40] + bytes(40),
    "a wrong sum": lambda: blocks(many(9))[:-8] + bytes(8),
}


@pytest.mark.faults
@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", ARCHIVES)
def test_a_harmful_archive_is_one_sentence(name: str, tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    path.write_bytes(ARCHIVES[name]())
    with pytest.raises(MissingError) as caught:
        load_data(Data.model_validate({"source": "cifar10"}), (32, 32, 3), path)
    sentence = str(caught.value).splitlines()[0]
    assert str(path) in sentence
    assert not re.search(r"tarfile|zlib|gzip|Error|invalid|header", sentence)


@pytest.mark.faults
def test_a_fifo_among_the_batches_is_not_waited_for(tmp_path: Path) -> None:
    for file in ("data_batch_1", "test_batch"):
        (tmp_path / file).write_bytes(batch())
    os.mkfifo(tmp_path / "data_batch_2")
    with pytest.raises(MissingError, match="data_batch_2 cannot be read: it is no ordinary file"):
        load_data(Data.model_validate({"source": "cifar10"}), (32, 32, 3), tmp_path)


def test_an_archive_with_other_things_in_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        for name in ("ü" * 120, "readme.html", "test_batch", *(f"data_batch_{number}" for number in range(1, 6))):
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(batch())
            archive.addfile(member, io.BytesIO(batch()))
    assert len(load_data(Data.model_validate({"source": "cifar10"}), (32, 32, 3), path).train) == 10
