"""What the small recognisers share: script and transcript are normalised and compared.

Conventions
-----------
Audio is mono float32 at 16 kHz. Scripts and transcripts are normalised by `syncvoice.text.normalise` before counting
(`counting`), and its version is part of the scorer's version. A failed clip counts with all its words deleted. Scoring
the same sound twice gives the same row, in any order of clips.
"""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import numpy as np

from syncvoice.metrics.scorer import Score, ScoreError, Scorer, Utterance
from syncvoice.metrics.words.counting import ErrorCounts, count_character_errors, count_errors


def normalised(text: str, language: str) -> str:
    """Normalise a script or transcript of language en or zh for counting; Mandarin in simplified script.

    Raises:
        ScoreError: another language.
    """
    from syncvoice.text import normalise

    if language not in ("en", "zh"):
        raise ScoreError(f"words of language {language!r} cannot be counted; expected en or zh")
    return simplified(normalise.mandarin(text)) if language == "zh" else normalise.english(text)


def simplified(text: str) -> str:
    """Return Mandarin in simplified script: recognisers write it, whatever script a text has."""
    return _converter().convert(text)


@lru_cache(maxsize=1)
def _converter() -> Any:
    """Return the converter of script, which loads its tables once."""
    import opencc

    return opencc.OpenCC("t2s")


def normaliser_version() -> str:
    """Version of the normaliser, part of every scorer version."""
    from syncvoice.text import normalise

    return f"normalise {normalise.VERSION}"


class WordScorer(Scorer):
    """Shared by the small recognisers: transcribe, normalise, count."""

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """WER for English, CER for Mandarin."""
        return [f"{'cer' if row['language'] == 'zh' else 'wer'}.{self.NAME}"]

    def counts_if_failed(self, row: Mapping[str, str]) -> dict[str, int]:
        """Counts of a clip whose speech is missing or unusable: every word deleted."""
        return asdict(self.count(row, ""))

    def count(self, row: Mapping[str, str], hypothesis: str) -> ErrorCounts:
        """Counts of a transcript against the script of a task row.

        Raises:
            ScoreError: the script is empty after normalisation.
        """
        language = row["language"]
        counter = count_character_errors if language == "zh" else count_errors
        try:
            return counter(normalised(row["text"], language), normalised(hypothesis, language))
        except ValueError as error:
            raise ScoreError(str(error)) from error

    def score(self, utterance: Utterance) -> list[Score]:
        """Error rate of one utterance with its counts."""
        self.check(utterance.row)
        counts = self.count(utterance.row, self.transcribe(utterance.audio_16k, utterance.row["language"]))
        return [Score(self.metrics_for(utterance.row)[0], counts.rate, asdict(counts))]

    @abstractmethod
    def transcribe(self, audio: np.ndarray, language: str) -> str:
        """Transcript of a sound (samples,) at 16 kHz."""
