"""What tests of data share: a bound on memory, so that a small file that would take much fails its test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOM = 2**30


@pytest.fixture
def little_memory() -> Iterator[None]:
    """A GiB more of addresses than the process has now; nothing is bounded where Linux does not tell how many."""
    resource = pytest.importorskip("resource")
    sizes = Path("/proc/self/statm")
    if not sizes.exists():
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    used = int(sizes.read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
