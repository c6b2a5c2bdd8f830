"""Which language a recogniser hears: whether the language of the video bleeds into a translated dub.

Conventions
-----------
Mono float32 at 16 kHz. Whisper reads the first 30 s and tells the probability of each of its languages; the transcript
plays no part. Defined for dubs in another language than the video's (our choice of measure). A switch in mid-sentence
is a small part of a clip and hides in its probability, so windows of `WINDOW_S` every `HOP_S` are read alone too, each
with `SILENCE_S` of silence behind it.

Metrics
-------
bleed.MODEL        probability of the language that the video speaks. Lower is better; an original recording shows how
                   high it can be.
bleed_peak.MODEL   the highest such probability of any window, of the video's language against the dub's alone: which of
                   the two is spoken there. Lower is better.
bleed_share.MODEL  share of the windows in which the video's language is the more likely of the two. Lower is better.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import numpy as np

from syncvoice.clocks import SCORER_SAMPLE_RATE
from syncvoice.files import sha256_of
from syncvoice.metrics.activity import BLOCK_S, speaking
from syncvoice.metrics.scorer import NotApplicable, Score, ScoreError, Scorer, Sources, Utterance, is_silent
from syncvoice.metrics.words.whisper_transcripts import (
    language_probabilities,
    language_probabilities_of_windows,
    load_model,
)

WINDOW_S, HOP_S = 1.0, 0.5
SILENCE_S = 0.5


def windows_of(sound: np.ndarray) -> list[np.ndarray]:
    """Cut the speech of a sound (samples,) at 16 kHz into windows of equal length, the last one at its end.

    Silence before and after the speech is left out, and windows that speak for less than half of their time, for in
    silence a recogniser hears any language. Speech shorter than a window is one window.

    Raises:
        ScoreError: the sound never speaks.
    """
    flags = speaking(sound)
    spoken = np.flatnonzero(flags)
    if is_silent(sound) or not len(spoken):
        raise ScoreError("sound is silent: no language to hear")
    block = round(BLOCK_S * SCORER_SAMPLE_RATE)
    begin, end = spoken[0] * block, (spoken[-1] + 1) * block
    size, hop = round(WINDOW_S * SCORER_SAMPLE_RATE), round(HOP_S * SCORER_SAMPLE_RATE)
    last = max(begin, end - size)
    starts = [*range(begin, last, hop), last]
    kept = [start for start in starts if flags[start // block : (start + size) // block].mean() >= 0.5]
    return [sound[start : min(start + size, end)] for start in kept or starts]


class BleedScorer(Scorer):
    """Whisper base's language detector."""

    NAME = "whisper_base"
    METRICS = ("bleed", "bleed_peak", "bleed_share")

    def __init__(self, model: Any, clips: Mapping[str, Any], weights_sha256: str = "") -> None:
        """Score with a loaded model; clips: id -> manifest entry with the `language` of the video."""
        self._model, self._clips, self.weights_sha256 = model, clips, weights_sha256
        self.VERSION = (
            f"openai-whisper {version('openai-whisper')}, language of the first 30 s, and of windows of {WINDOW_S:g} s"
        )

    @classmethod
    def from_sources(cls, sources: Sources) -> "BleedScorer":
        """Load the model from the folder of fetched assets.

        Raises:
            UserError: openai-whisper or the weights are missing.
        """
        path = sources.asset_file(cls.NAME)
        return cls(load_model(path), sources.clips, sha256_of(path))

    def score(self, utterance: Utterance) -> list[Score]:
        """Probability of the video's language, in the whole and in windows.

        Raises:
            NotApplicable: the dub is in the language of the video, or the clip is unknown.
            ScoreError: the sound is silent.
        """
        clip = self._clips.get(utterance.row["clip"])
        if clip is None:
            raise NotApplicable("the clip is not in the manifest: the language of the video is unknown")
        if clip.language == utterance.row["language"]:
            raise NotApplicable("the dub is in the language of the video: nothing can bleed")
        source, target = clip.language, utterance.row["language"]
        spoken = windows_of(utterance.audio_16k)
        heard = language_probabilities(self._model, utterance.audio_16k)
        windows = language_probabilities_of_windows(self._model, spoken, SILENCE_S)
        between = [found[source] / (found[source] + found[target]) for found in windows]
        return [
            Score(f"bleed.{self.NAME}", heard[source]),
            Score(f"bleed_peak.{self.NAME}", max(between)),
            Score(f"bleed_share.{self.NAME}", float(np.mean([share > 0.5 for share in between]))),
        ]
