"""Writes openai-whisper's weights in the file format of CTranslate2, as its converter lays them out."""

import struct
from collections.abc import Mapping

import numpy as np
from torch import Tensor


def written(state: Mapping[str, Tensor]) -> bytes:
    """Return the bytes of a model file with the float16 weights of a Whisper model."""
    arrays = {name: tensor.numpy() for name, tensor in state.items()}
    variables: dict[str, np.ndarray] = {}
    for half in ("encoder", "decoder"):
        variables |= _half(arrays, half)
    out = struct.pack("<I", 6) + _text("WhisperSpec") + struct.pack("<II", 3, len(variables))
    for name, value in sorted(variables.items()):
        out += _text(name) + struct.pack("<B", value.ndim) + struct.pack(f"<{value.ndim}I", *value.shape)
        out += struct.pack("<BI", 4, value.nbytes) + value.tobytes()
    return out + struct.pack("<I", 0)


def _text(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def _half(arrays: Mapping[str, np.ndarray], half: str) -> dict[str, np.ndarray]:
    found = {f"{half}/position_encodings/encodings": arrays[f"{half}.positional_embedding"]}
    found |= _norm(arrays, "encoder.ln_post" if half == "encoder" else "decoder.ln", f"{half}/layer_norm")
    if half == "decoder":
        found["decoder/embeddings/weight"] = arrays["decoder.token_embedding.weight"]
    for conv in ("conv1", "conv2") if half == "encoder" else ():
        found |= _linear(arrays, f"encoder.{conv}", f"encoder/{conv}")
    for layer in {name.split(".")[2] for name in arrays if name.startswith(f"{half}.blocks.")}:
        block, target = f"{half}.blocks.{layer}", f"{half}/layer_{layer}"
        found |= _norm(arrays, f"{block}.attn_ln", f"{target}/self_attention/layer_norm")
        found |= _joined(arrays, f"{block}.attn", ("query", "key", "value"), f"{target}/self_attention/linear_0")
        found |= _linear(arrays, f"{block}.attn.out", f"{target}/self_attention/linear_1")
        if half == "decoder":
            found |= _norm(arrays, f"{block}.cross_attn_ln", f"{target}/attention/layer_norm")
            found |= _joined(arrays, f"{block}.cross_attn", ("query",), f"{target}/attention/linear_0")
            found |= _joined(arrays, f"{block}.cross_attn", ("key", "value"), f"{target}/attention/linear_1")
            found |= _linear(arrays, f"{block}.cross_attn.out", f"{target}/attention/linear_2")
        found |= _norm(arrays, f"{block}.mlp_ln", f"{target}/ffn/layer_norm")
        found |= _linear(arrays, f"{block}.mlp.0", f"{target}/ffn/linear_0")
        found |= _linear(arrays, f"{block}.mlp.2", f"{target}/ffn/linear_1")
    return found


def _linear(arrays: Mapping[str, np.ndarray], source: str, target: str) -> dict[str, np.ndarray]:
    return {f"{target}/{part}": arrays[f"{source}.{part}"] for part in ("weight", "bias")}


def _norm(arrays: Mapping[str, np.ndarray], source: str, target: str) -> dict[str, np.ndarray]:
    return {f"{target}/gamma": arrays[f"{source}.weight"], f"{target}/beta": arrays[f"{source}.bias"]}


def _joined(
    arrays: Mapping[str, np.ndarray], source: str, names: tuple[str, ...], target: str
) -> dict[str, np.ndarray]:
    """Join matrices; keys, which have no bias, get one of zeros."""
    weights = [arrays[f"{source}.{name}.weight"] for name in names]
    biases = [arrays.get(f"{source}.{name}.bias", np.zeros(len(weights[0]), np.float16)) for name in names]
    return {f"{target}/weight": np.concatenate(weights), f"{target}/bias": np.concatenate(biases)}
