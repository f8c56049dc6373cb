"""An ONNX file must hold all that it needs: one that names other files could have any file of the machine read.

Nothing is decoded but the lengths of fields, so that the package ``onnx`` is not needed and weights cost no time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from swiftreid.errors import SwiftReIDError

_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5

# Message -> number of each field that holds messages -> what they are (onnx.proto).
_FIELDS: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # of a tensor


def refuse_external_data(model: bytes) -> None:
    """Make sure that no tensor of an ONNX model is kept in another file.

    Raises:
        SwiftReIDError: one is, or this is no ONNX file.
    """
    content = memoryview(model)
    waiting = [("model", 0, len(content))]
    while waiting:  # not by recursion: graphs may be nested as deep as somebody likes
        message, start, end = waiting.pop()
        inner = _FIELDS.get(message, {})
        for number, wire, value, length in _fields(content, start, end):
            if message == "tensor":
                if number == _EXTERNAL_DATA or (number == _DATA_LOCATION and wire == _VARINT and value):
                    raise SwiftReIDError(
                        "the ONNX file keeps weights in another file: save it as one file "
                        "(onnx.save_model(model, path, save_as_external_data=False))"
                    )
            elif number in inner and wire == _BYTES:
                waiting.append((inner[number], value, value + length))


def _fields(content: memoryview, place: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, value and length of each field; of bytes the value is where they begin."""
    while place < end:
        key, place = _varint(content, place, end)
        number, wire, length = key >> 3, key & 7, 0
        if wire == _VARINT:
            value, place = _varint(content, place, end)
        elif wire == _BYTES:
            length, place = _varint(content, place, end)
            value = place
            place += length
        elif wire in (_FIXED_64, _FIXED_32):
            value = place
            place += 8 if wire == _FIXED_64 else 4
        else:
            raise SwiftReIDError("the network could not be loaded: it is no ONNX file, or a damaged one")
        if place > end:
            raise SwiftReIDError("the network could not be loaded: the ONNX file is cut off or damaged")
        yield number, wire, value, length


def _varint(content: memoryview, place: int, end: int) -> tuple[int, int]:
    """A whole number, seven bits a byte, and where the next field begins."""
    value = shift = 0
    while place < end and shift < 64:
        byte = content[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise SwiftReIDError("the network could not be loaded: the ONNX file is cut off or damaged")
