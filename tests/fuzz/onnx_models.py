"""Files of ONNX, which `import` reads: with other values in their fields, parts that are gone or there again, and damaged.

The fields are those of protobuf, whatever they mean: a file is a tree of numbers, bytes and messages within messages.
"""

from __future__ import annotations

from functools import cache
from random import Random

from tests.fuzz.case import Case, Kind
from tests.fuzz.damage import NUMBERS, damaged
from tests.importing.keras_models import FILES

Field = tuple[int, int, int | bytes]
"""A number, a kind on the wire, and a value: the bytes of a message are read when they are changed."""
WORDS = (
    b"", b" ", b"x" * 5_000, b"\x1b[31m", b"\xff\xfe", "\u202e".encode(), b"Loop", b"If", b"Conv", b"Add", b"Reshape",
    b"Transpose", b"Constant", b"Concat", b"Shape", b"images", b"input", b"output", b"com.example", b"NOTSET", b"SAME_UPPER",
    b"/etc/passwd", b"../x", b"x.onnx", b"group", b"perm", b"axes", b"axis", b"\xff" * 9 + b"\x01", bytes(4), bytes(400),
)  # fmt: skip


def fields_of(content: bytes) -> list[Field] | None:
    """The fields of a message; None where the bytes are none."""
    found, at = list[Field](), 0
    while at < len(content):
        key, at = _number(content, at)
        number, wire = key >> 3, key & 7
        if number == 0:
            return None
        if wire == 0:
            value, at = _number(content, at)
            found.append((number, wire, value))
        elif wire in _SIZES or wire == 2:
            size, at = (_SIZES[wire], at) if wire != 2 else _number(content, at)
            if at + size > len(content):
                return None
            part, at = content[at : at + size], at + size
            found.append((number, wire, part))
        else:
            return None
        if at < 0:
            return None
    return found


_SIZES = {1: 8, 5: 4}


def _number(content: bytes, at: int) -> tuple[int, int]:
    """A number of any length and where it ends; -1 where it does not."""
    found = 0
    for index, byte in enumerate(content[at : at + 10]):
        found |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return found, at + index + 1
    return 0, -(2**60)


def _written(number: int) -> bytes:
    found, number = bytearray(), number % 2**64
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def bytes_of(fields: list[Field]) -> bytes:
    found = bytearray()
    for number, wire, value in fields:
        found += _written(number << 3 | wire)
        match value:
            case int():
                found += _written(value)
            case bytes():
                found += (_written(len(value)) if wire == 2 else b"") + value
    return bytes(found)


def changed(content: bytes, random: Random) -> bytes:
    """A message with one field changed, at any depth."""
    fields = fields_of(content)
    if not fields:
        return random.choice(WORDS)
    at = random.randrange(len(fields))
    number, wire, value = fields[at]
    if isinstance(value, bytes) and wire == 2 and fields_of(value) and random.random() < 0.8:
        fields[at] = (number, wire, changed(value, random))
        return bytes_of(fields)
    match random.randrange(6):
        case 0:
            del fields[at]
        case 1:
            fields[at:at] = [fields[at]] * random.choice((1, 1, 5, 200))
        case 2:
            fields.insert(random.randrange(len(fields) + 1), fields.pop(at))
        case 3:
            fields[at] = random.choice(fields)
        case _ if isinstance(value, int):
            fields[at] = (number, wire, random.choice((*NUMBERS, value + 1, value * 2, -value)))
        case _ if wire == 2:
            fields[at] = (number, wire, random.choice(WORDS))
        case _:
            fields[at] = (number, wire, random.randbytes(_SIZES[wire]))
    return bytes_of(fields)


@cache
def _contents() -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted(FILES.glob("*.onnx")))


def _model(random: Random) -> Case:
    content = random.choice(_contents())
    for _ in range(random.choice((0, 1, 1, 1, 2, 5))):
        content = changed(content, random)
    if random.random() < 0.2:
        content = damaged(content, random, (b"\xff" * 12, b"\x0a" * 500, *_contents()))
    size = random.choice(((), ("--size", "32"), ("--size", "99999")))
    return Case({"model.onnx": content}, ("import", "model.onnx", *size))


ONNX_MODELS = Kind(_model)
