"""Named points: the nodes that names stand for in the network, in a unit, or in a list of layers that is passed."""

from __future__ import annotations

from archbuilder.graph.network import Node

Moves = list[tuple["Points", str, Node]]


class Journal:
    """The points that were set, in order, so that those of a path of a merge are not seen beside it."""

    def __init__(self) -> None:
        self._before: list[tuple[Points, str, Node | None]] = []

    def __len__(self) -> int:
        return len(self._before)

    def note(self, points: Points, name: str, before: Node | None) -> None:
        self._before.append((points, name, before))

    def take_back(self, start: int) -> Moves:
        """Undoes all after the first `start`, and returns it, to be done where the paths have come together."""
        moves: Moves = []
        while len(self) > start:
            points, name, before = self._before.pop()
            moves.append((points, name, points.own.pop(name)))
            if before is not None:
                points.own[name] = before
        return moves[::-1]


class Points:
    """Those of one scope; a list that is passed sees those of its writer, too."""

    def __init__(self, journal: Journal, writer: Points | None = None) -> None:
        self.journal, self.writer = journal, writer
        self.own: dict[str, Node] = {}
        self.uses = 0
        """How often a name was looked up or set here."""

    def find(self, name: str) -> Node | None:
        self.uses += 1
        if name in self.own or self.writer is None:
            return self.own.get(name)
        return self.writer.find(name)

    def set(self, name: str, node: Node) -> None:
        self.uses += 1
        self.journal.note(self, name, self.own.get(name))
        self.own[name] = node

    def move(self, name: str, node: Node) -> None:
        """Sets a point where it stands already, or else here."""
        points: Points | None = self
        while points and name not in points.own:
            points = points.writer
        (points or self).set(name, node)

    def names(self) -> list[str]:
        return [*self.own, *(self.writer.names() if self.writer else ())]
