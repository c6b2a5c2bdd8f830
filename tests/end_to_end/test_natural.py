"""The natural path with the real networks, as far as they are here (`make natural` fetches them).

Eight clips of MiniDub are spoken by voices that no weight hears, heard by Whisper, judged by DistillMOS, and aligned.
`make natural` sets SYNCVOICE_NATURAL=required: there, a network that was not fetched fails the tests.
"""

import os
from pathlib import Path

import jiwer
import numpy as np
import pytest

from syncvoice.audio import resample
from syncvoice.metrics.naturalness.distillmos import DistillMosScorer
from syncvoice.metrics.scorer import Sources
from syncvoice.metrics.words.protocols import CORPUS
from syncvoice.minidub import natural_engine
from syncvoice.minidub.engine import PlannedClip, Wanted
from syncvoice.minidub.speech import Speech
from syncvoice.networks.recogniser import CtcRecogniser
from syncvoice.places import find_weights
from syncvoice.text.alignment import align
from syncvoice.text.phones import SILENCE

NEEDED = ("kokoro_int8", "whisper_base", "distillmos")
ABSENT = [name for name in NEEDED if find_weights(name) is None]
WEIGHTS = Path(__file__).resolve().parents[2] / "weights"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        bool(ABSENT) and os.environ.get("SYNCVOICE_NATURAL") != "required",
        reason=f"not here: {', '.join(ABSENT)}; `make natural` fetches them",
    ),
]


@pytest.fixture(scope="module")
def clips() -> list[tuple[PlannedClip, Speech]]:
    (voices,) = natural_engine.voices("unseen", "en")
    sentences = natural_engine.sentences("en", "phrases", Wanted(1, "check", "validation", False, 8))
    planned = [PlannedClip(f"clip{i}", s, voices[i % len(voices)]) for i, s in enumerate(sentences)]
    return [(clip, natural_engine.speak(clip, 1, None)[0]) for clip in planned]


def test_people_would_understand_them(clips: list[tuple[PlannedClip, Speech]]) -> None:
    from syncvoice.metrics.words.whisper_transcripts import WhisperTranscriber, load_model

    path = find_weights("whisper_base")
    assert path is not None
    sounds = [resample(speech.audio, 24_000, 16_000) for _, speech in clips]
    heard = WhisperTranscriber(load_model(path)).transcribe(sounds, "en")
    counts = [CORPUS.count(clip.sentence.text, text, "en") for (clip, _), text in zip(clips, heard, strict=True)]
    found = [count for count in counts if count is not None]
    assert len(found) == len(clips)
    assert sum(count.errors for count in found) / sum(count.words for count in found) <= 0.2
    shuffled = [jiwer.wer(clips[i - 1][0].sentence.text, text) for i, text in enumerate(heard)]
    assert np.mean(shuffled) > 0.7, "the transcripts of other clips are wrong, or the rate above would mean nothing"


def test_they_sound_natural(clips: list[tuple[PlannedClip, Speech]]) -> None:
    scorer = DistillMosScorer.from_sources(Sources(WEIGHTS))
    assert np.mean([scorer.predict(resample(speech.audio, 24_000, 16_000)) for _, speech in clips]) >= 4.0


def test_phones_are_where_a_recogniser_hears_them(clips: list[tuple[PlannedClip, Speech]]) -> None:
    recogniser = CtcRecogniser.load(WEIGHTS / "recogniser.safetensors")
    errors: list[float] = []
    for _, speech in clips:
        phones = [phone for phone in speech.phones if phone.symbol != SILENCE]
        log_probs, fps = recogniser.phone_log_probs(resample(speech.audio, 24_000, 16_000))
        aligned = align(np.asarray(log_probs), fps, [phone.symbol for phone in phones], recogniser.phones)
        errors += [abs(a.start_s - p.start_s) for a, p in zip(aligned, phones, strict=True)]
    assert np.median(errors) <= 0.03
