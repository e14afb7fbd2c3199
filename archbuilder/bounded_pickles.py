"""A look at a pickle before anything is made of it: how long it is, what it remembers, and what it asks for by name."""

from __future__ import annotations

import pickletools
import warnings
from io import BytesIO
from typing import Any

from archbuilder.bounded_files import BadFileError

MAX_OPCODES = 2_000_000
_PUTS = ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE")
_GETS = ("GET", "BINGET", "LONG_BINGET")
_TEXTS = ("SHORT_BINUNICODE", "BINUNICODE", "UNICODE", "BINUNICODE8")


def names_in(content: BytesIO) -> frozenset[str]:
    """All that the pickle at this place of a stream asks for, such as "collections OrderedDict"; goes to its end.

    Raises BadFileError where it is damaged, is longer than any that is read here, remembers things under numbers beyond
    their count (the C reader makes room for all numbers below), or puts names together that cannot be told beforehand.
    """
    look = _Look()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what stands in a text, which Python would quote as it is
            look.through(content)
    except BadFileError:
        raise
    except Exception as error:  # whatever a broken pickle makes the reader of opcodes raise
        raise BadFileError("its pickle is damaged") from error
    return frozenset(look.names)


class _Look:
    """What has been asked for so far; the texts on top of the stack, as far as they are known; what is remembered."""

    def __init__(self) -> None:
        self.names = set[str]()
        self.texts: list[str] = []
        self.memo: dict[int, str | None] = {}

    def through(self, content: BytesIO) -> None:
        for count, (code, argument, _) in enumerate(pickletools.genops(content), 1):
            if count > MAX_OPCODES:
                raise BadFileError(f"its pickle has more than {MAX_OPCODES:,} instructions")
            self._at(count, code.name, argument)

    def _at(self, count: int, code: str, argument: Any) -> None:
        if code == "FRAME":
            return
        if code in _TEXTS:
            self.texts = [*self.texts[-1:], str(argument)]
        elif code in _PUTS:
            self._remember(len(self.memo) if code == "MEMOIZE" else int(argument), count)
        elif code in _GETS and (text := self.memo.get(int(argument))) is not None:
            self.texts = [*self.texts[-1:], text]
        else:
            self._ask(code, argument)
            self.texts = []

    def _remember(self, number: int, count: int) -> None:
        if number > count:
            raise BadFileError("its pickle remembers things under numbers that are far too high")
        self.memo[number] = self.texts[-1] if self.texts else None

    def _ask(self, code: str, argument: Any) -> None:
        if code in ("GLOBAL", "INST"):
            self.names.add(str(argument))
        if code == "STACK_GLOBAL":
            if len(self.texts) < 2:
                raise BadFileError("its pickle puts names together that cannot be told beforehand")
            self.names.add(" ".join(self.texts))
