"""A look at a pickle before anything is made of it: how long it is, what it remembers, and what it asks for by name."""

from __future__ import annotations

import pickletools
from io import BytesIO

from archbuilder.bounded_files import BadFileError

MAX_OPCODES = 2_000_000
_REMEMBERS = ("PUT", "BINPUT", "LONG_BINPUT")
_TEXTS = ("SHORT_BINUNICODE", "BINUNICODE", "UNICODE", "BINUNICODE8")


def names_in(content: BytesIO) -> frozenset[str]:
    """All that the pickle at this place of a stream asks for, such as "collections OrderedDict"; goes to its end.

    Raises BadFileError where it is damaged, is longer than any that is read here, remembers things under numbers beyond
    their count (the C reader makes room for all numbers below), or puts names together that cannot be told beforehand.
    """
    names, texts = set[str](), list[str]()
    remembered = 0
    try:
        for count, (code, argument, _) in enumerate(pickletools.genops(content), 1):
            if count > MAX_OPCODES:
                raise BadFileError(f"its pickle has more than {MAX_OPCODES:,} instructions")
            match code.name:
                case "GLOBAL" | "INST":
                    names.add(str(argument))
                case "STACK_GLOBAL":
                    names.add(" ".join(texts[-2:]))
                case name if name in _TEXTS:
                    texts = [*texts[-1:], str(argument)]
                case name if name in _REMEMBERS:
                    remembered += 1
                    if int(argument or 0) > count:
                        raise BadFileError("its pickle remembers things under numbers that are far too high")
    except BadFileError:
        raise
    except Exception as error:  # whatever a broken pickle makes the reader of opcodes raise
        raise BadFileError("its pickle is damaged") from error
    return frozenset(names)
