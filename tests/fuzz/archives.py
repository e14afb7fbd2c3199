"""Data sets in one file: archives of NumPy, the archive of CIFAR and the pickles in it."""

from __future__ import annotations

import gzip
import io
import pickle
import tarfile
import zipfile
from functools import cache
from random import Random
from typing import Any

import numpy as np

from tests.fuzz.case import Case, Kind
from tests.fuzz.damage import NUMBERS, damaged

DTYPES = ("u1", "u2", "i1", "i8", "f2", "f4", "f8", "?", "U3", "S2", "c8", "M8[s]", "O", "V4", ">u2", ">f4")
SHAPES: tuple[tuple[int, ...], ...] = (
    (),
    (0,),
    (4,),
    (4, 1),
    (4, 3),
    (4, 8, 8),
    (4, 8, 8, 1),
    (4, 1, 8, 8),
    (4, 8, 8, 3),
    (3, 8, 8, 1),
    (1,) * 33,
    (0, 8, 8, 1),
)
NAMES = (
    "x_train",
    "y_train",
    "x_test",
    "y_test",
    "train_images",
    "train_labels",
    "test_images",
    "test_labels",
    "classes",
    "x\x1b[31m",
)
CODES = b"].}(lda}h0q\x00r\xff\xff\xff\x7fc\x80\x02\x8a\xffK\x01M\xff\xffJ\xff\xff\xff\x7fX\x05\x00\x00\x00helloR\x85\x86\x87t02bs.ueNI1\n\x93\x94\x95"


def npy(random: Random) -> bytes:
    """An array of NumPy's format: sound, or with a header that says something else."""
    file, shape = io.BytesIO(), random.choice(SHAPES)
    if random.random() < 0.5:
        np.save(file, _values(random.choice(DTYPES), shape, random), allow_pickle=True)
        return file.getvalue()
    said = tuple(random.choice((*shape, *NUMBERS, -1)) for _ in shape)
    form = random.choice((f"{said}", f"{shape}", "(4,8,8,1)", "4", "(4.0,)", "(10**9,)", "(" * 300, "(True,)", "((),)"))
    kind = random.choice((*DTYPES, "f1000000000", "u1,u1", "('u1', (10**9,))", "<U536870911", "\x00", "|V0", "|S0"))
    header = f"{{'descr': '{kind}', 'fortran_order': {random.choice(('False', 'True', '1', 'None'))}, 'shape': {form}, }}".encode(
        "latin1"
    )
    length = random.choice((len(header), len(header), len(header), 0, 0xFFFF))
    return (
        b"\x93NUMPY"
        + random.choice((b"\1\0", b"\1\0", b"\2\0", b"\3\0", b"\7\0"))
        + length.to_bytes(2, "little")
        + header
        + bytes(random.choice((0, 256, 1_024)))
    )


def _values(kind: str, shape: tuple[int, ...], random: Random) -> Any:
    values = np.array(random.choice((0, 1, 0.5, 2)) * np.ones(shape[:32]))
    if random.random() < 0.3 and values.size:
        values.flat[0] = random.choice((np.nan, np.inf, -1, 1e30, 2**31, 999_999))
    with np.errstate(all="ignore"):
        try:
            return values.astype(kind)
        except (TypeError, ValueError):
            return values


def archive(members: dict[str, bytes], random: Random) -> bytes:
    file = io.BytesIO()
    method = random.choice(
        (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2)
    )
    with zipfile.ZipFile(file, "w", method) as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return file.getvalue()


def _sound() -> dict[str, bytes]:
    found = {}
    for name, values in {"x": np.zeros((4, 8, 8, 1), np.uint8), "y": np.array([0, 1, 1, 0])}.items():
        for part in ("train", "test"):
            file = io.BytesIO()
            np.save(file, values)
            found[f"{name}_{part}.npy"] = file.getvalue()
    return found


def arrays(random: Random) -> Case:
    """An archive of NumPy as a data set."""
    members = _sound()
    for _ in range(random.choice((0, 1, 1, 2, 5))):
        name = random.choice((*members, *(f"{name}.npy" for name in NAMES)))
        members[name] = damaged(members[name], random) if name in members and random.random() < 0.4 else npy(random)
    content = archive(members, random)
    if random.random() < 0.4:
        content = damaged(content, random)
    how = random.choice(
        (
            ("load", "npz", "x.npz", "8,8,1"),
            ("load", "npz", "x.npz", "8,8,3"),
            ("load", "npz", "x.npz", "8,8,1", "own"),
            ("count", "npz", "x.npz"),
        )
    )
    return Case({"x.npz": content}, how)


@cache
def batches() -> tuple[bytes, ...]:
    """Pickles as CIFAR's are, in several protocols."""
    batch = {
        b"data": np.zeros((2, 3_072), np.uint8),
        b"labels": [0, 1],
        b"fine_labels": [0, 1],
        b"filenames": [b"a.png", b"b.png"],
    }
    return tuple(pickle.dumps(batch, protocol) for protocol in (0, 1, 2, 3, 4, 5))


def _pickle(random: Random) -> bytes:
    content = random.choice(batches())
    if random.random() < 0.3:
        return bytes(random.choice(CODES) for _ in range(random.randrange(60))) * random.choice((1, 1, 500)) + b"."
    return damaged(content, random, (*batches(), CODES)) if random.random() < 0.9 else content


def cifar(random: Random) -> Case:
    """CIFAR-10 and CIFAR-100 as files of batches, or as the archive of them."""
    name, shape = random.choice((("cifar10", "32,32,3"), ("cifar100", "32,32,3")))
    folder, names = {
        "cifar10": ("cifar-10-batches-py", (*(f"data_batch_{number}" for number in range(1, 6)), "test_batch")),
        "cifar100": ("cifar-100-python", ("train", "test")),
    }[name]
    contents = {f"{folder}/{file}": _pickle(random) if random.random() < 0.4 else batches()[2] for file in names}
    if random.random() < 0.5:
        return Case(contents, ("load", name, folder, shape))
    packed = _tar(contents, random)
    return Case(
        {"x.tar.gz": damaged(packed, random) if random.random() < 0.3 else packed}, ("load", name, "x.tar.gz", shape)
    )


def _tar(contents: dict[str, bytes], random: Random) -> bytes:
    file = io.BytesIO()
    with tarfile.open(
        fileobj=file, mode="w", format=random.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT))
    ) as opened:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size, member.type = len(content), random.choice((b"0",) * 9 + (b"1", b"2", b"L", b"x", b"S", b"g"))
            opened.addfile(member, io.BytesIO(content))
    plain = file.getvalue()
    if random.random() < 0.5:
        changed = bytearray(plain)
        at = 512 * random.randrange(4)
        changed[at : at + 512] = damaged(bytes(changed[at : at + 512]), random)[:512].ljust(512, b"\0")
        changed[at + 148 : at + 156] = b"%06o\0 " % (
            sum(changed[at : at + 148]) + 256 + sum(changed[at + 156 : at + 512])
        )
        plain = bytes(changed)
    return gzip.compress(plain, 1)


ARRAYS, CIFAR = Kind(arrays), Kind(cifar)
