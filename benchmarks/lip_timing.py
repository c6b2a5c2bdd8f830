"""When do lips say each word, and is speech at those times good? On real clips of GRID that no network was trained on.

    python -m benchmarks.lip_timing --grid FOLDER --out lip_timing.json

Clips: the test split of speaker s1 as the study `grid_s1` draws it, and all clips of other speakers. Word starts are
compared with the `.align` files; clips without one are compared with forced alignment by --recogniser (which learned
from training clips of s1), whose own bias, measured on the test clips of s1, is taken off. Printed and written: error
of the word starts from the lips, of the words as they are then spoken, and of a cascade without lips (`tts_fitted`);
correlation of the energy envelopes with the recording; word errors of Whisper base by ear (`protocols`), also of an
everyday sentence that fits each clip's length but is not what its lips say (`everyday`); naturalness by DistillMOS.
What needs weights that are not there is left out. How long a dub takes: `benchmarks.dub_start`.
"""

import argparse
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from benchmarks.common import write_result
from syncvoice import clocks
from syncvoice.audio import resample, write_wav
from syncvoice.datasets.base import Selection, SourceClip, read_dataset
from syncvoice.errors import UserError
from syncvoice.lip_timing.check import summary
from syncvoice.lip_timing.network import LipReader
from syncvoice.lip_timing.timing import LIKELY_ERRORS, SOUND_AFTER_S, Face, later, likely_error_s, time_phones
from syncvoice.networks.kokoro import Kokoro, blend
from syncvoice.text.grid_grammar import spoken_text
from syncvoice.timed_speech.envelope import envelope_correlation
from syncvoice.timed_speech.script import ScriptWord, script_of
from syncvoice.timed_speech.speaking import NaturalSpeaker, levelled, speech_level

VOICE = "am_eric"
SILENCE_S = 0.9  # that a GRID clip of 3 s holds around its words, about


@dataclass
class Measured:
    """What was found on one group of clips: errors in seconds by row, and values per clip by name."""

    errors: dict[str, list[np.ndarray]] = field(default_factory=dict)
    values: dict[str, list[float]] = field(default_factory=dict)
    texts: dict[str, list[str]] = field(default_factory=dict)
    sounds: dict[str, list[np.ndarray]] = field(default_factory=dict)
    likely: list[tuple[float, float]] = field(default_factory=list)

    @property
    def clips(self) -> int:
        """Number of clips."""
        return len(self.texts.get("recording", ()))

    def add(self, row: str, text: str, sound: np.ndarray) -> None:
        """Keep a text and how it was spoken, (samples,) at 24 kHz."""
        self.texts.setdefault(row, []).append(text)
        self.sounds.setdefault(row, []).append(sound)

    def figures(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found: dict[str, Any] = {name: summary(np.concatenate(parts)) for name, parts in self.errors.items()}
        for _, likely in LIKELY_ERRORS:
            clips = [error for said, error in self.likely if said == likely]
            if clips:
                median = round(1000 * float(np.median(clips)))
                found[f"clips said to be within {1000 * likely:.0f} ms"] = {"clips": len(clips), "median_ms": median}
        return found | {name: round(float(np.mean(parts)), 3) for name, parts in self.values.items()}


def clips_of(grid: Path) -> dict[str, list[SourceClip]]:
    """Return the test clips of s1 and all clips of other speakers."""
    everything = read_dataset("grid", grid, "test")
    split = yaml.safe_load(Path("config/datasets/grid_s1.yaml").read_text(encoding="utf-8"))["datasets"]["grid"]
    own = Selection.model_validate(split["splits"]["test"]["settings"]).pick(everything)
    return {"s1_test": own, "other_speakers": [clip for clip in everything if clip.speaker != "s1"]}


class Listener:
    """Word starts by forced alignment, for clips whose times nobody knows."""

    def __init__(self, path: Path) -> None:
        """Load a recogniser."""
        from syncvoice.networks.recogniser import CtcRecogniser

        self._recogniser, self.bias = CtcRecogniser.load(path), 0.0

    def starts(self, clip: SourceClip, sound: np.ndarray) -> np.ndarray:
        """Word starts in seconds (words,) of a sound at 24 kHz, bias taken off."""
        from syncvoice.text.alignment import align_text, phones_of_text

        text = spoken_text(clip.text, "grid")
        aligned = align_text(self._recogniser, resample(sound, clocks.SAMPLE_RATE, 16_000), text, "en")
        _, first = phones_of_text(text, "en")
        return np.array([aligned[number].start_s for number in first]) - self.bias


def phones_of(script: Sequence[ScriptWord]) -> tuple[list[str], list[int]]:
    """Phones of a script, and which of them begin a word."""
    phones = [phone for word in script for phone in word.phones]
    return phones, np.cumsum([0, *(len(word.phones) for word in script)])[:-1].tolist()


def fitting_sentence(name: str, speaker: NaturalSpeaker, n_frames: int) -> str:
    """Return an everyday sentence that lasts as long as people speak in a clip, within a quarter; drawn by its name."""
    from syncvoice.minidub.sentences import draw_sentence
    from syncvoice.seeding import rng

    draw, wanted = rng(1, "everyday", name), n_frames / clocks.FPS - SILENCE_S
    while True:
        text = draw_sentence("everyday", "test", draw).text
        if 0.8 <= float(speaker.natural(script_of(text, "en")).sum()) / wanted <= 1.25:
            return text


def measure(clip: SourceClip, reader: LipReader, speaker: NaturalSpeaker | None, listener: Listener | None,
            found: Measured) -> None:  # fmt: skip
    """Measure one clip."""
    from syncvoice.dubbing.faces import LOOKS
    from syncvoice.video.decode import decode_clip
    from syncvoice.video.prepare import PrepareSettings, track_video

    sound = decode_clip(clip.media, 5.0, 10).audio
    known = np.array([start for _, start, _ in clip.words])
    if not len(known):
        if listener is None:
            return
        known = listener.starts(clip, sound)
    track = track_video(clip.media, PrepareSettings(**LOOKS))
    n_frames = len(track.found)
    script = script_of(spoken_text(clip.text, "grid"), "en")
    phones, firsts = phones_of(script)
    timing = time_phones(reader, Face(track.landmarks, track.found), n_frames, phones, firsts)
    starts = {"lips": np.array([start for start, _ in timing.words])}
    if timing.doubt_s is not None:
        error = float(np.median(np.abs(starts["lips"] - known)))
        found.likely.append((likely_error_s(timing.doubt_s), error))
    spoken = (
        {}
        if speaker is None
        else {
            "tts_lip_timed": speaker.speak(script, later(timing.words), n_frames),
            "tts_fitted": speaker.filling(script, n_frames),
        }
    )
    starts |= {name: np.array([a for a, _ in one.spans]) - SOUND_AFTER_S for name, one in spoken.items()}
    for name, values in starts.items():
        found.errors.setdefault(f"word_starts.{name}", []).append(values - known)
    found.add("recording", clip.text, sound)
    for name, one in spoken.items():
        loud = levelled(one.sound, speech_level(sound))
        found.add(name, clip.text, loud)
        found.values.setdefault(f"envelope_correlation.{name}", []).append(envelope_correlation(loud, sound))
    if speaker is not None:
        text = fitting_sentence(clip.id, speaker, n_frames)
        script = script_of(text, "en")
        phones, firsts = phones_of(script)
        timing = time_phones(reader, Face(track.landmarks, track.found), n_frames, phones, firsts)
        one = speaker.speak(script, later(timing.words), n_frames)
        found.add("everyday", text, levelled(one.sound, speech_level(sound)))


def keep(folder: Path, measured: Mapping[str, Measured]) -> None:
    """Write all speech as folder/GROUP/ROW/NUMBER.wav."""
    for group, found in measured.items():
        for row, sounds in found.sounds.items():
            (folder / group / row).mkdir(parents=True, exist_ok=True)
            for number, sound in enumerate(sounds):
                write_wav(folder / group / row / f"{number:03d}.wav", sound, clocks.SAMPLE_RATE)


def add_word_errors(groups: Iterable[Measured], asset: Path) -> None:
    """Add word error rates of Whisper base to every group and row."""
    from syncvoice.metrics.words.counting import corpus_rate
    from syncvoice.metrics.words.protocols import BY_EAR
    from syncvoice.metrics.words.whisper_transcripts import WhisperTranscriber, load_model

    whisper = WhisperTranscriber(load_model(asset))
    for group in groups:
        for name, sounds in group.sounds.items():
            texts = whisper.transcribe([resample(sound, clocks.SAMPLE_RATE, 16_000) for sound in sounds], "en")
            counts = [BY_EAR.count(a, b, "en") for a, b in zip(group.texts[name], texts, strict=True)]
            group.values[f"wer_whisper_base.{name}"] = [corpus_rate([one for one in counts if one is not None])]


def add_naturalness(groups: Iterable[Measured], asset: Path) -> None:
    """Add the mean DistillMOS score to every group and row."""
    from syncvoice.metrics.naturalness.distillmos import DistillMosScorer
    from syncvoice.networks.distillmos import DistillMos

    scorer = DistillMosScorer(DistillMos.load(asset))
    for group in groups:
        for name, sounds in group.sounds.items():
            scores = [scorer.predict(resample(sound, clocks.SAMPLE_RATE, 16_000)) for sound in sounds]
            group.values[f"distillmos.{name}"] = scores


def minidub_starts(manifest: Path, reader: LipReader) -> dict[str, Any]:
    """Figures of clips whose voice, face and sentence no weight knows; their times are those of the sound."""
    from syncvoice.lip_timing.check import HeldOut, figures_of
    from syncvoice.pretraining.lip_timing import with_landmarks
    from syncvoice.records.clips import clips_of as prepared_clips

    clips = [clip for clip in prepared_clips(manifest) if clip.voice_seen == "no"]
    held_out = [HeldOut(clip, landmarks, SOUND_AFTER_S) for clip, landmarks in with_landmarks(clips)]
    return {"clips": len(clips), "word_starts.lips": figures_of(reader, {"minidub": held_out})["minidub"]}


def if_there(what: str, do: Callable[[], None]) -> None:
    """Do something that needs weights; say so if they are missing."""
    try:
        do()
    except UserError as error:
        print(f"{what} is left out: {error}", flush=True)


def bias_of(listener: Listener, clips: Iterable[SourceClip]) -> float:
    """Median of found minus known word starts in seconds."""
    from syncvoice.video.decode import decode_clip

    found = []
    for clip in clips:
        starts = listener.starts(clip, decode_clip(clip.media, 5.0, 10).audio)
        if len(starts) == len(clip.words):
            found.append(starts - np.array([start for _, start, _ in clip.words]))
    return float(np.median(np.concatenate(found)))


def main() -> None:
    """Run the benchmark."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--grid", type=Path, required=True, help="folder of GRID clips")
    parser.add_argument("--weights", type=Path, default=Path("weights/lip_timing.safetensors"))
    parser.add_argument("--recogniser", type=Path, default=Path("results/grid_s1/networks/recogniser.safetensors"))
    parser.add_argument("--minidub", type=Path, help="manifest of MiniDub's test split: words of unseen voices")
    parser.add_argument("--clips", type=int, help="at most this many of s1")
    parser.add_argument("--lips-only", action="store_true", help="word starts alone, nothing is spoken")
    parser.add_argument("--keep", type=Path, help="folder for the speech (WAV), to listen to")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    groups = clips_of(args.grid)
    groups["s1_test"] = groups["s1_test"][: args.clips]
    listener = Listener(args.recogniser) if args.recogniser.is_file() else None
    if listener is not None:
        listener.bias = bias_of(listener, groups["s1_test"][:20])
    reader = LipReader.load(args.weights)
    speaker = None if args.lips_only else NaturalSpeaker(Kokoro.from_assets(), blend({VOICE: 1.0}))
    measured = {name: Measured() for name in groups}
    for name, clips in groups.items():
        for clip in clips:
            measure(clip, reader, speaker, listener, measured[name])
        print(name, measured[name].figures(), flush=True)
    from syncvoice.assets import local_asset

    if args.keep is not None:
        keep(args.keep, measured)
    if speaker is not None:
        if_there("WER", lambda: add_word_errors(measured.values(), local_asset("whisper_base").path))
        if_there("DistillMOS", lambda: add_naturalness(measured.values(), local_asset("distillmos").path))
    result = {name: {"clips": one.clips, **one.figures()} for name, one in measured.items()}
    if args.minidub is not None:
        result["minidub_unseen"] = minidub_starts(args.minidub, reader)
    for name, figures in result.items():
        print(name, *(f"{key}: {value}" for key, value in figures.items()), sep="\n  ", flush=True)
    bias = None if listener is None else round(1000 * listener.bias, 1)
    write_result(args.out, {"voice": VOICE, "alignment_bias_ms": bias, **result})


if __name__ == "__main__":
    main()
