"""Kokoro-82M (hexgrad, Apache-2.0): text symbols and a voice to 24 kHz speech, with durations that can be set.

The network is the published int8 ONNX export. It is cut in two at the durations: the first part predicts how long each
symbol lasts, the second speaks with the durations it is given. With rounded predictions both parts together equal the
whole network bit for bit (tested). One duration frame is 600 samples, 25 ms; the audio lasts exactly their sum.

Voices are style vectors of 256 values; one fixed row of each published pack (that for 45 symbols) is kept in
`data/kokoro_styles.npz`. A weighted mean of styles is a new, stable voice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import numpy as np

from syncvoice.clocks import SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.networks.onnx_parts import cut_between

ASSET = "kokoro_int8"
FRAME = 600  # samples of a duration frame
FRAME_S = FRAME / SAMPLE_RATE
STYLE_DIM = 256
MAX_SYMBOLS = 510  # positions of its text encoder, without the two ends
# Tensors of the published graph: symbol durations before and after division by speed and rounding, text states.
_RAW, DURATIONS = "/encoder/predictor/ReduceSum_output_0", "/encoder/Clip_output_0"
STATES = "/encoder/predictor/text_encoder/Concat_4_output_0"
_DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class Prediction:
    """What the first part knows of a text: float frames per symbol, both ends included, and its text states."""

    frames: np.ndarray
    states: np.ndarray


@lru_cache(maxsize=1)
def symbol_ids() -> dict[str, int]:
    """Return the symbols that the network knows and their ids."""
    import json

    ids: dict[str, int] = json.loads((_DATA / "kokoro_symbols.json").read_text(encoding="utf-8"))
    return ids


@lru_cache(maxsize=1)
def styles() -> dict[str, np.ndarray]:
    """Return the style vector, float32 (256,), of every published voice."""
    with np.load(_DATA / "kokoro_styles.npz", allow_pickle=False) as file:
        return {name: file[name].astype(np.float32) for name in file.files}


def blend(parts: Mapping[str, float]) -> np.ndarray:
    """Return the weighted mean of published voices, float32 (256,).

    Args:
        parts: voice name -> weight; weights are divided by their sum.

    Raises:
        UserError: an unknown voice, or weights that do not sum to more than 0.
    """
    unknown = sorted(set(parts) - set(styles()))
    total = sum(parts.values())
    if unknown or total <= 0:
        raise UserError(f"cannot blend {dict(parts)}: unknown voices {unknown or 'none'}, sum of weights {total}")
    return np.sum([np.float32(weight / total) * styles()[name] for name, weight in parts.items()], axis=0)


def ids_of(letters: str) -> list[int]:
    """Return the ids of a string of symbols, with the silent symbol 0 at both ends.

    Raises:
        UserError: an unknown symbol, or too many.
    """
    unknown = sorted(set(letters) - set(symbol_ids()))
    if unknown or not 0 < len(letters) <= MAX_SYMBOLS:
        raise UserError(
            f"Kokoro cannot speak {letters!r}: {len(letters)} symbols (1 to {MAX_SYMBOLS}), unknown {unknown or 'none'}"
        )
    return [0, *(symbol_ids()[letter] for letter in letters), 0]


def whole_frames(frames: np.ndarray, rate: float = 1.0, total: int | None = None) -> np.ndarray:
    """Round durations so that their sum is exact and every symbol keeps at least one frame.

    Boundaries are rounded, not durations, so errors do not add up.

    Args:
        frames: float (symbols,) predicted durations.
        rate: speaking rate; 2 is twice as fast.
        total: sum to reach; default the rounded sum of `frames` / rate, or one frame per symbol if that is more.

    Raises:
        ValueError: `total` is less than one frame per symbol.
    """
    n = len(frames)
    total = max(n, round(float(frames.sum()) / rate)) if total is None else total
    if total < n:
        raise ValueError(f"{total} frames cannot hold {n} symbols")
    spare = np.maximum(np.asarray(frames, np.float64) * total / frames.sum() - 1.0, 0.0)
    if spare.sum() > 0:
        spare *= (total - n) / spare.sum()
    else:
        spare = np.full(n, (total - n) / n)
    edges = np.rint(np.concatenate([[0.0], np.cumsum(spare)])).astype(np.int64)
    return np.diff(edges) + 1


class Kokoro:
    """The network in its two parts, on one thread, whatever the number of cores (same machine, same bytes)."""

    def __init__(self, model: Path | str) -> None:
        """Open the ONNX file.

        Raises:
            ValueError: the file is not the published export.
        """
        path = Path(model)
        self._first = session_of(cut_between(path, {"tokens": None, "style": None}, [_RAW, STATES]))
        self._open_second(path)

    def _open_second(self, path: Path) -> None:
        """Open what speaks."""
        begins = {"tokens": None, "style": None, DURATIONS: (1, "symbols"), STATES: None}
        self._second = session_of(cut_between(path, begins, ["audio"]))

    def _speak(self, inputs: dict[str, np.ndarray]) -> np.ndarray:
        """Run it."""
        audio: np.ndarray = self._second.run(["audio"], inputs)[0]
        return audio

    @classmethod
    def from_assets(cls, path: Path | str | None = None) -> Self:
        """Open the registered file after checking its digest.

        Raises:
            UserError: it is not there, or is another file.
        """
        from syncvoice.assets import local_asset

        return cls(local_asset(ASSET, path).path)

    def predict(self, letters: str, style: np.ndarray) -> Prediction:
        """Predict how long each symbol lasts at rate 1.

        Args:
            letters: symbols of `symbol_ids`.
            style: (256,) of the voice.
        """
        raw, states = self._first.run([_RAW, STATES], _inputs(ids_of(letters), style))
        return Prediction(raw.reshape(-1), states)

    def speak(self, letters: str, style: np.ndarray, prediction: Prediction, frames: Sequence[int]) -> np.ndarray:
        """Speak with given durations: float32 (600 * sum of frames,) at 24 kHz.

        Args:
            letters, style: as given to `predict`.
            prediction: what `predict` returned for them.
            frames: whole frames of every symbol, both ends included, at least 1 each.

        Raises:
            ValueError: not one duration per symbol.
        """
        ids = ids_of(letters)
        durations = np.asarray(frames, np.float32)
        if durations.shape != (len(ids),) or durations.min() < 1:
            raise ValueError(f"{len(ids)} durations of at least one frame expected, found {list(frames)}")
        inputs = _inputs(ids, style) | {DURATIONS: durations[None], STATES: prediction.states}
        return self._speak(inputs).reshape(-1)


def _inputs(ids: list[int], style: np.ndarray) -> dict[str, np.ndarray]:
    return {"tokens": np.array([ids], np.int64), "style": np.asarray(style, np.float32).reshape(1, STYLE_DIM)}


def session_of(network: bytes) -> Any:
    """Open a network on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(network, options, providers=["CPUExecutionProvider"])
