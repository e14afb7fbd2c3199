"""Names from structure: `stage2/unit1/residual/conv1` stays the same when an unrelated part changes."""

from __future__ import annotations

from itertools import count


class Namer:
    """Gives each thing in a scope a name of its own."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._next: dict[str, int] = {}

    def numbered(self, scope: str, kind: str) -> str:
        """`scope/conv1`, then `scope/conv2`."""
        stem = join(scope, kind)
        for number in count(self._next.get(stem, 1)):
            if (name := f"{stem}{number}") not in self._taken:
                self._next[stem] = number + 1
                self._taken.add(name)
                return name
        raise AssertionError  # count never ends

    def path(self, scope: str, path: str) -> str:
        """`scope/residual`, and `scope/residual2` for a second merge in the same scope."""
        name = join(scope, path)
        if name in self._taken:
            return self.numbered(scope, f"{path}_")
        self._taken.add(name)
        return name


def join(scope: str, name: str) -> str:
    return f"{scope}/{name}" if scope else name
