"""Names from structure: `stage2/unit1/residual/conv1` stays the same when an unrelated part changes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count


class Namer:
    """Gives each thing in a scope a name of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._given: list[str] = []
        """The same, in the order in which they were given."""
        self._next: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._given)

    def since(self, start: int) -> tuple[str, ...]:
        """The names that were given after the first `start`."""
        return tuple(self._given[start:])

    def take(self, names: Iterable[str]) -> None:
        """Keeps names from being given again."""
        before = len(self._given)
        self._given += names
        self._taken.update(self._given[before:])

    def numbered(self, scope: str, kind: str) -> str:
        """`scope/conv1`, then `scope/conv2`."""
        stem = join(scope, kind)
        for number in count(self._next.get(stem, 1)):
            if (name := f"{stem}{number}") not in self._taken:
                self._next[stem] = number + 1
                self._take(name)
                return name
        raise AssertionError  # count never ends

    def path(self, scope: str, path: str) -> str:
        """`scope/residual`, and `scope/residual2` for a second merge in the same scope."""
        name = join(scope, path)
        if name in self._taken:
            return self.numbered(scope, f"{path}_")
        self._take(name)
        return name

    def _take(self, name: str) -> None:
        self._taken.add(name)
        self._given.append(name)


def join(scope: str, name: str) -> str:
    return f"{scope}/{name}" if scope else name
