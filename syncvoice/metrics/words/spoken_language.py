"""Which language a recogniser hears: whether the language of the video bleeds into a translated dub.

Conventions
-----------
Mono float32 at 16 kHz. Whisper reads the first 30 s and tells the probability of each of its languages; the transcript
plays no part. Defined for dubs in another language than the video's (our choice of measure).

Metrics
-------
bleed.MODEL   probability of the language that the video speaks. Lower is better; an original recording shows how high
              it can be.
"""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import NotApplicable, Score, Scorer, Sources, Utterance
from syncvoice.metrics.words.whisper_transcripts import language_probabilities, load_model


class BleedScorer(Scorer):
    """Whisper base's language detector."""

    NAME = "whisper_base"
    METRICS = ("bleed",)

    def __init__(self, model: Any, clips: Mapping[str, Any], weights_sha256: str = "") -> None:
        """Score with a loaded model; clips: id -> manifest entry with the `language` of the video."""
        self._model, self._clips, self.weights_sha256 = model, clips, weights_sha256
        self.VERSION = f"openai-whisper {version('openai-whisper')}, language of the first 30 s"

    @classmethod
    def from_sources(cls, sources: Sources) -> "BleedScorer":
        """Load the model from the folder of fetched assets.

        Raises:
            UserError: openai-whisper or the weights are missing.
        """
        path = sources.asset_file(cls.NAME)
        return cls(load_model(path), sources.clips, sha256_of(path))

    def score(self, utterance: Utterance) -> list[Score]:
        """Probability of the video's language.

        Raises:
            NotApplicable: the dub is in the language of the video, or the clip is unknown.
        """
        clip = self._clips.get(utterance.row["clip"])
        if clip is None:
            raise NotApplicable("the clip is not in the manifest: the language of the video is unknown")
        if clip.language == utterance.row["language"]:
            raise NotApplicable("the dub is in the language of the video: nothing can bleed")
        heard = language_probabilities(self._model, utterance.audio_16k)
        return [Score(f"bleed.{self.NAME}", heard[clip.language])]
