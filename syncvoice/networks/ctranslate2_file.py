"""Whisper weights in the file format of CTranslate2, rewritten to the keys and shapes of openai-whisper.

The format: a header, then per variable its name, shape, element type and bytes (read here without the library, nothing
is run). CTranslate2 keeps query, key and value of an attention in one matrix and adds a zero bias to the keys, which
Whisper's keys do not have.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.errors import UserError

_TYPES: dict[int, type[np.generic]] = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
HEAD_DIM = 64  # of every Whisper model
HALVES = ("encoder", "decoder")


class _Reader:
    """Numbers and names of a file, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._place = data, 0

    def number(self, kind: str) -> int:
        size = struct.calcsize(kind)
        (value,) = struct.unpack("<" + kind, self.bytes(size))
        return int(value)

    def bytes(self, size: int) -> bytes:
        part = self._data[self._place : self._place + size]
        if len(part) != size:
            raise ValueError("it ends too early")
        self._place += size
        return part

    def text(self) -> str:
        return self.bytes(self.number("H")).rstrip(b"\0").decode("utf-8")


def read_variables(path: Path | str) -> dict[str, np.ndarray]:
    """Read the variables of a CTranslate2 model file (`model.bin`), in its element types.

    Raises:
        UserError: the file is not of that format.
    """
    try:
        reader = _Reader(Path(path).read_bytes())
        reader.number("I")  # version of the format
        reader.text()  # name of the kind of model
        reader.number("I")  # its revision
        variables = {}
        for _ in range(reader.number("I")):
            name = reader.text()
            shape = [reader.number("I") for _ in range(reader.number("B"))]
            kind = _TYPES[reader.number("B")]
            variables[name] = np.frombuffer(reader.bytes(reader.number("I")), kind).reshape(shape)
    except (ValueError, KeyError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} is no CTranslate2 model file ({error}); expected a model.bin") from error
    return variables


def whisper_state(variables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the weights under the keys of openai-whisper.

    Raises:
        UserError: a variable of Whisper is missing.
    """
    try:
        return {**_half(variables, "encoder"), **_half(variables, "decoder")}
    except KeyError as error:
        raise UserError(f"the CTranslate2 file is no Whisper model: it lacks the variable {error}") from error


def _half(variables: Mapping[str, np.ndarray], half: str) -> dict[str, np.ndarray]:
    """Keys of the encoder or the decoder."""
    state = {f"{half}.positional_embedding": variables[f"{half}/position_encodings/encodings"]}
    _copy_norm(state, f"{half}.{'ln_post' if half == 'encoder' else 'ln'}", variables, f"{half}/layer_norm")
    if half == "decoder":
        state["decoder.token_embedding.weight"] = variables["decoder/embeddings/weight"]
    else:
        for name in ("conv1", "conv2"):
            _copy_linear(state, f"encoder.{name}", variables, f"encoder/{name}")
    layer = 0
    while f"{half}/layer_{layer}/ffn/linear_0/weight" in variables:
        source, block = f"{half}/layer_{layer}", f"{half}.blocks.{layer}"
        _copy_norm(state, f"{block}.attn_ln", variables, f"{source}/self_attention/layer_norm")
        _split(state, f"{block}.attn", variables, f"{source}/self_attention/linear_0", ("query", "key", "value"))
        _copy_linear(state, f"{block}.attn.out", variables, f"{source}/self_attention/linear_1")
        if half == "decoder":
            _copy_norm(state, f"{block}.cross_attn_ln", variables, f"{source}/attention/layer_norm")
            _split(state, f"{block}.cross_attn", variables, f"{source}/attention/linear_0", ("query",))
            _split(state, f"{block}.cross_attn", variables, f"{source}/attention/linear_1", ("key", "value"))
            _copy_linear(state, f"{block}.cross_attn.out", variables, f"{source}/attention/linear_2")
        _copy_norm(state, f"{block}.mlp_ln", variables, f"{source}/ffn/layer_norm")
        _copy_linear(state, f"{block}.mlp.0", variables, f"{source}/ffn/linear_0")
        _copy_linear(state, f"{block}.mlp.2", variables, f"{source}/ffn/linear_1")
        layer += 1
    return state


def _copy_linear(state: dict[str, np.ndarray], key: str, variables: Mapping[str, np.ndarray], source: str) -> None:
    state[f"{key}.weight"] = variables[f"{source}/weight"]
    state[f"{key}.bias"] = variables[f"{source}/bias"]


def _copy_norm(state: dict[str, np.ndarray], key: str, variables: Mapping[str, np.ndarray], source: str) -> None:
    state[f"{key}.weight"] = variables[f"{source}/gamma"]
    state[f"{key}.bias"] = variables[f"{source}/beta"]


def _split(
    state: dict[str, np.ndarray], key: str, variables: Mapping[str, np.ndarray], source: str, names: tuple[str, ...]
) -> None:
    """Cut a joined matrix into those of `names`; the bias of the keys is zero and left out."""
    weights = np.split(variables[f"{source}/weight"], len(names))
    biases = np.split(variables[f"{source}/bias"], len(names))
    for name, weight, bias in zip(names, weights, biases, strict=True):
        state[f"{key}.{name}.weight"] = weight
        if name != "key":
            state[f"{key}.{name}.bias"] = bias
        elif bias.any():
            raise UserError(f"{source} has a bias for its keys, which Whisper has not; the file is another model")


def whisper_dims(state: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the sizes of a Whisper model, as its own checkpoints name them, from the shapes of its weights."""
    width = state["encoder.conv1.weight"].shape
    n_vocab, n_text_state = state["decoder.token_embedding.weight"].shape
    layers = {half: 1 + max(int(k.split(".")[2]) for k in state if k.startswith(f"{half}.blocks.")) for half in HALVES}
    return {
        "n_mels": width[1],
        "n_audio_ctx": state["encoder.positional_embedding"].shape[0],
        "n_audio_state": width[0],
        "n_audio_head": width[0] // HEAD_DIM,
        "n_audio_layer": layers["encoder"],
        "n_vocab": n_vocab,
        "n_text_ctx": state["decoder.positional_embedding"].shape[0],
        "n_text_state": n_text_state,
        "n_text_head": n_text_state // HEAD_DIM,
        "n_text_layer": layers["decoder"],
    }


def convert_whisper(source: Path, out: Path) -> None:
    """Rewrite a CTranslate2 file of Whisper as safetensors: openai-whisper's keys, its `dims` in the metadata.

    Args:
        source: model.bin.
        out: file to write; the same source gives the same bytes.

    Raises:
        UserError: the file is no Whisper model of CTranslate2.
    """
    from safetensors.numpy import save

    state: dict[str, Any] = {
        name: np.ascontiguousarray(value) for name, value in whisper_state(read_variables(source)).items()
    }
    metadata = {"dims": json.dumps(whisper_dims(state), sort_keys=True)}
    out.write_bytes(save(state, metadata=metadata))
