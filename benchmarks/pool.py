"""Speech for pre-training: the network of the natural voices as published (int8) against its decoder in bfloat16.

    python -m benchmarks.pool --out results/reference/benchmarks/pool.json

The first utterances of a pool, spoken in turns on one thread; CPU seconds per second of speech. The same network in
float32 tells how far each is off (mean difference of log-mel features).
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import CLOCKS, seconds, write_result
from syncvoice.assets import local_asset
from syncvoice.clocks import FPS, SAMPLE_RATE
from syncvoice.features.mel import log_mel
from syncvoice.networks import kokoro
from syncvoice.networks.kokoro_bf16 import KokoroBf16, in_float
from syncvoice.networks.onnx_parts import cut_between
from syncvoice.pretraining.natural_pool import plan
from syncvoice.text.kokoro_ipa import units_of

SEED = 1


class KokoroFloat(kokoro.Kokoro):
    """All of it in float32, by onnxruntime."""

    def _open_second(self, path: Path) -> None:
        """Open what speaks."""
        begins = {"tokens": None, "style": None, kokoro.DURATIONS: (1, "symbols"), kokoro.STATES: None}
        self._second = kokoro.session_of(cut_between(in_float(path.read_bytes()), begins, ["audio"]))


def letters_of(index: int) -> tuple[str, np.ndarray]:
    """Symbols and style of an utterance of the pool, without its pauses."""
    planned = plan(SEED, index)
    units = units_of(list(planned.sentence.words), planned.sentence.language)
    letters = " ".join("".join(unit.letters for unit in row) for row in units) + "."
    return letters, planned.voice.style(planned.sentence.language)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=12)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    path = local_asset(kokoro.ASSET).path
    networks = {"float32": KokoroFloat(path), "int8": kokoro.Kokoro(path), "bf16": KokoroBf16(path)}
    spent, off, speech = dict.fromkeys(networks, 0.0), dict.fromkeys(networks, 0.0), 0.0
    for index in range(args.utterances):
        letters, style = letters_of(index)
        prediction = networks["int8"].predict(letters, style)
        frames = kokoro.whole_frames(prediction.frames).tolist()
        mels: dict[str, np.ndarray] = {}
        for name, network in networks.items():
            audio: list[np.ndarray] = []
            spent[name] += seconds(
                lambda: audio.append(network.speak(letters, style, prediction, frames)),  # noqa: B023
                CLOCKS["cpu"],
            )
            mels[name] = log_mel(audio[0], len(audio[0]) * FPS // SAMPLE_RATE)
        speech += sum(frames) * kokoro.FRAME_S
        for name in networks:
            off[name] += float(np.abs(mels[name] - mels["float32"]).mean()) / args.utterances
    result: dict[str, Any] = {
        "utterances": args.utterances,
        "speech_s": round(speech, 1),
        "cpu_s_per_speech_s": {name: round(value / speech, 3) for name, value in spent.items()},
        "mel_off_float32": {name: round(value, 4) for name, value in off.items()},
        "ratio_int8_to_bf16": round(spent["int8"] / spent["bf16"], 2),
    }
    print(result)
    write_result(args.out, result)


if __name__ == "__main__":
    main()
