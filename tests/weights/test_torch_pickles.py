"""What the pickles of PyTorch's files ask for is looked at before PyTorch reads them."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from archbuilder.bounded_files import BadFileError
from archbuilder.weights.torch_file import _require_plain


def packed(path: Path, content: bytes, name: str = "x/data.pkl") -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, content)
    return path


def test_plain_data_is_let_through(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.pth", pickle.dumps(OrderedDict(a=[1.5, "b"]), 2))
    assert _require_plain(path) == path.stat().st_size
    parts: list[object] = [1, 2, {}, OrderedDict(), []]
    (tmp_path / "y.pth").write_bytes(b"".join(pickle.dumps(part, 2) for part in parts))
    assert _require_plain(tmp_path / "y.pth") > 0


class Filled:
    """As `bytearray(10**10)` would stand in a pickle."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind

    def __reduce__(self) -> tuple[Any, ...]:
        return self.kind, (10**10,)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (pickle.dumps(Filled(bytearray), 2), "it asks for .*bytearray"), (pickle.dumps(os.system), "it asks for .*system"),
        (b"]" * 30_000 + b".", "instructions"), (b"Nr\xff\xff\xff\x7f.", "far too high"), (b"}", "damaged"),
    ],
    ids=["filled", "code", "nested", "memo", "cut"],
)  # fmt: skip
def test_pickles_that_never_reach_pytorch(
    content: bytes, reason: str, legacy: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archbuilder.bounded_pickles.MAX_OPCODES", 20_000)
    path = tmp_path / "x.pth"
    if legacy:
        path.write_bytes(content)
    else:
        packed(path, content)
    with pytest.raises(BadFileError, match=reason):
        _require_plain(path)


def test_archives_with_other_pickles(tmp_path: Path) -> None:
    with pytest.raises(BadFileError, match=r"there has to be one data\.pkl"):
        _require_plain(packed(tmp_path / "x.pth", b"N.", "x/code.pkl"))
