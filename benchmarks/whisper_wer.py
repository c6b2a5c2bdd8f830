"""Transcribe clips with Whisper in batches and clip by clip, with the same randomly initialised `tiny` model.

The peer is `whisper.transcribe` at temperature 0, called once per clip. Both sides take turns on parts of the clips, so
that other work on the machine slows both alike. A random model rarely ends its text before the 224 tokens that Whisper
allows, so nearly all its time goes into the decoder; a trained model ends earlier, and on a CPU its gain is smaller.

    python -m benchmarks.whisper_wer --out whisper_wer.json
"""

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import seconds, write_result
from syncvoice.audio import resample
from syncvoice.metrics.words.whisper_transcripts import WhisperTranscriber, import_whisper
from syncvoice.minidub import phrases
from syncvoice.minidub.speech import random_delivery, synthesise
from syncvoice.minidub.voices import VOICES
from syncvoice.seeding import rng

TINY = (80, 1500, 384, 6, 4, 51865, 448, 384, 6, 4)  # dimensions of the published model


def random_tiny(seed: int) -> Any:
    """Return Whisper tiny with random weights; the parameter that its package leaves unset is drawn as well."""
    whisper = import_whisper()
    torch.manual_seed(seed)
    model = whisper.model.Whisper(whisper.model.ModelDimensions(*TINY)).eval()
    with torch.no_grad():
        torch.nn.init.normal_(model.decoder.positional_embedding, std=0.5)
        model.decoder.token_embedding.weight.mul_(0.1)  # else every text is one token, repeated
        for block in model.decoder.blocks:
            for name in ("query", "key", "value", "out"):
                getattr(block.cross_attn, name).weight.mul_(4.0)  # the sound decides
    return model


def speech(number: int) -> np.ndarray:
    """Return a sentence of an espeak voice at 16 kHz."""
    sentence = phrases.sample_sentences("en", "grid", "test", number + 1, 3)[number]
    voice = list(VOICES.values())[number % len(VOICES)]
    return resample(synthesise(sentence, voice, random_delivery(rng(1, number), sentence)).audio, 24_000, 16_000)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=100)
    parser.add_argument("--part", type=int, default=20, help="clips per turn")
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = random_tiny(0)
    ours = WhisperTranscriber(model, args.batch)
    options = {"language": "en", "temperature": 0.0, "condition_on_previous_text": False, "fp16": False}
    sounds = [speech(number) for number in range(args.clips)]
    texts: dict[str, list[str]] = {"clip_by_clip": [], "batches": []}
    taken: dict[str, list[float]] = {"clip_by_clip": [], "batches": []}
    processor: dict[str, list[float]] = {"clip_by_clip": [], "batches": []}  # other work on the machine does not count
    for start in range(0, args.clips, args.part):
        part = sounds[start : start + args.part]
        calls = {
            "clip_by_clip": lambda part=part: texts["clip_by_clip"].extend(
                model.transcribe(sound, **options)["text"].strip() for sound in part
            ),
            "batches": lambda part=part: texts["batches"].extend(ours.transcribe(part, "en")),
        }
        for name, call in calls.items():
            before = time.process_time()
            taken[name].append(seconds(call))
            processor[name].append(time.process_time() - before)
        print({name: round(values[-1], 1) for name, values in processor.items()}, flush=True)
    ratios = [peer / own for peer, own in zip(taken["clip_by_clip"], taken["batches"], strict=True)]
    same = sum(a == b for a, b in zip(texts["clip_by_clip"], texts["batches"], strict=True))
    result = {
        "clips": args.clips,
        "batch": args.batch,
        "seconds_clip_by_clip": sum(taken["clip_by_clip"]),
        "seconds_batches": sum(taken["batches"]),
        "ratio": sum(taken["clip_by_clip"]) / sum(taken["batches"]),
        "ratio_processor_time": sum(processor["clip_by_clip"]) / sum(processor["batches"]),
        "ratio_median_of_parts": statistics.median(ratios),
        "same_transcripts": same,
        "different_texts": len(set(texts["batches"])),
    }
    print(result)
    write_result(args.out, result)


if __name__ == "__main__":
    main()
