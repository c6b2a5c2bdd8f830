"""Cutting a part out of an ONNX network, so that the part can run on inputs of another size.

A network file is a protocol-buffer message. Only what a cut needs is read and written here (the package onnx is not
needed to run networks, and is not among our dependencies): the list of nodes, the stored tensors, and the names and
types of the network's ends. Nodes and tensors are copied byte for byte. Field numbers: onnx.proto of the ONNX standard.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

MODEL_GRAPH = 7
GRAPH_NODE, GRAPH_NAME, GRAPH_TENSOR, GRAPH_INPUT, GRAPH_OUTPUT = 1, 2, 5, 11, 12
NODE_INPUT, NODE_OUTPUT, NODE_KIND = 1, 2, 4
TENSOR_NAME = 8
FLOAT = 1  # element type
BYTES = 2  # wire type of strings and messages

Field = tuple[int, int, bytes]  # field number, wire type, content


def cut(model: Path | str, begin: str, end: str, shape: Sequence[int | str]) -> bytes:
    """Return the part of a network that computes one of its tensors from another.

    Args:
        model: ONNX file.
        begin: tensor that becomes the part's input, float32.
        end: tensor that becomes its output.
        shape: axes of `begin`; a name instead of a number is an axis of any size.

    Raises:
        ValueError: `end` needs another input than `begin`, or the file is no ONNX network.
    """
    return cut_between(model, {begin: shape}, [end])


def cut_between(
    model: Path | str | bytes, begins: Mapping[str, Sequence[int | str] | None], ends: Sequence[str]
) -> bytes:
    """Return the part of a network that computes some of its tensors from others.

    Args:
        model: ONNX file, or its content.
        begins: tensors that become the part's inputs, and their axes as in `cut`. An input of the whole network keeps
            its own description; any other tensor is float32, of open shape for None.
        ends: tensors that become its outputs.

    Raises:
        ValueError: the ends need another input, or the file is no ONNX network.
    """
    fields = list(_fields(model if isinstance(model, bytes) else Path(model).read_bytes()))
    graph = [f for number, _, content in fields if number == MODEL_GRAPH for f in _fields(content)]
    tensors = {_texts(content, TENSOR_NAME)[0]: content for number, _, content in graph if number == GRAPH_TENSOR}
    inputs = {_texts(content, 1)[0]: content for number, _, content in graph if number == GRAPH_INPUT}
    nodes = [content for number, _, content in graph if number == GRAPH_NODE]
    kept, used = _needed(nodes, set(begins), ends, set(tensors))
    parts = [
        *(_bytes(GRAPH_NODE, content) for content in kept),
        _bytes(GRAPH_NAME, b"part"),
        *(_bytes(GRAPH_TENSOR, content) for name, content in tensors.items() if name in used),
        *(_bytes(GRAPH_INPUT, inputs.get(name) or _value(name, shape)) for name, shape in begins.items()),
        *(_bytes(GRAPH_OUTPUT, _value(name, None)) for name in ends),
    ]
    others = [_written(field) for field in fields if field[0] != MODEL_GRAPH]
    return b"".join([*others, _bytes(MODEL_GRAPH, b"".join(parts))])


def _needed(
    nodes: list[bytes], begins: set[str], ends: Sequence[str], tensors: set[str]
) -> tuple[list[bytes], set[str]]:
    """Nodes between some tensors and others, in the order of the file, and the names of everything they read."""
    kept, wanted, read = [], set(ends), set()
    for node in reversed(nodes):  # a network lists its nodes after those they depend on
        if wanted.intersection(_texts(node, NODE_OUTPUT)):
            inputs = {name for name in _texts(node, NODE_INPUT) if name}  # "" is an optional input left out
            kept.append(node)
            wanted = (wanted - set(_texts(node, NODE_OUTPUT))) | (inputs - tensors - begins)
            read |= inputs
    if wanted or not kept:
        found = f"{', '.join(ends)} cannot be computed from {', '.join(sorted(begins))} alone"
        raise ValueError(f"{found}; also needed: {sorted(wanted) or 'nothing'}")
    return kept[::-1], read


def _fields(message: bytes) -> Iterator[Field]:
    """Yield the fields of a message.

    Raises:
        ValueError: it is no protocol-buffer message.
    """
    position = 0
    while position < len(message):
        key, position = _number(message, position)
        wire = key & 7
        if wire == 0:
            _, after = _number(message, position)
        elif wire == BYTES:
            size, position = _number(message, position)
            after = position + size
        elif wire in (1, 5):
            after = position + (8 if wire == 1 else 4)
        else:
            raise ValueError(f"no ONNX network: wire type {wire} at byte {position}")
        yield key >> 3, wire, message[position:after]
        position = after


def _number(message: bytes, position: int) -> tuple[int, int]:
    """Read a variable-length number; returns it and the position after it."""
    value = shift = 0
    while True:
        if position >= len(message):
            raise ValueError("no ONNX network: it ends inside a number")
        byte = message[position]
        position, value, shift = position + 1, value | (byte & 127) << shift, shift + 7
        if byte < 128:
            return value, position


def _texts(message: bytes, field: int) -> list[str]:
    """Strings of a field."""
    return [content.decode() for number, _, content in _fields(message) if number == field]


def _value(name: str, shape: Sequence[int | str] | None) -> bytes:
    """Description of a float32 tensor (ValueInfoProto); None leaves its shape open."""
    tensor = _integer(1, FLOAT)
    if shape is not None:
        axes = (_integer(1, axis) if isinstance(axis, int) else _bytes(2, axis.encode()) for axis in shape)
        tensor += _bytes(2, b"".join(_bytes(1, axis) for axis in axes))
    return _bytes(1, name.encode()) + _bytes(2, _bytes(1, tensor))


def _varint(value: int) -> bytes:
    """Write a variable-length number."""
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _integer(field: int, value: int) -> bytes:
    """Write a number as a field."""
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    """Write a string or message as a field."""
    return _varint(field << 3 | BYTES) + _varint(len(content)) + content


def _written(field: Field) -> bytes:
    """Write a field as it was read."""
    number, wire, content = field
    return _bytes(number, content) if wire == BYTES else _varint(number << 3 | wire) + content
