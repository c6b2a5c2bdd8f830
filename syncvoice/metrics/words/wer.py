"""Word and character error rates of generated speech against its script.

Conventions
-----------
Audio is mono float32 at 16 kHz. Scripts and transcripts are normalised by `syncvoice.text.normalise` before counting,
and its version is part of the scorer's version. Errors are the substitutions, deletions and insertions of the
cheapest word alignment (Mandarin: characters). Every row keeps its counts; the table shows the corpus rate, all
errors over all words; the rate per utterance (the row's value) serves paired tests. Lower is better; insertions can
lift a rate above 1. A failed clip counts with all its words deleted. Scoring the same sound twice gives the same row,
in any order of clips.

Scorers
-------
wer.pocketsphinx_grid
    PocketSphinx 5 with its own English acoustic model and a grammar of the GRID sentence. It knows that the speech is a
    GRID sentence, so only English GRID sentences are scored; others are `not_applicable`.
wer.ctc_mini, cer.ctc_mini
    The small CTC recogniser of `weights/recogniser.safetensors`, greedy, no language model.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import NotApplicable, Score, ScoreError, Sources, Utterance
from syncvoice.text.grid_grammar import grid_grammar

if TYPE_CHECKING:
    from syncvoice.networks.recogniser import CtcRecogniser


@dataclass(frozen=True)
class ErrorCounts:
    """Counts of one utterance or, added up, of a corpus; `words` is the length of the script."""

    errors: int
    words: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def rate(self) -> float:
        """Errors per word of the script."""
        return self.errors / self.words


def count_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Count word errors between two normalised texts; words are separated by spaces.

    Raises:
        ValueError: the reference has no word, so a rate is not defined.
    """
    import jiwer

    words = reference.split()
    if not words:
        raise ValueError("the script has no word left after normalisation; an error rate is not defined")
    found = jiwer.process_words(" ".join(words), " ".join(hypothesis.split()))
    errors = found.substitutions + found.deletions + found.insertions
    return ErrorCounts(errors, len(words), found.substitutions, found.deletions, found.insertions)


def count_character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Count character errors; spaces do not count. Raises ValueError for an empty reference."""
    return count_errors(" ".join("".join(reference.split())), " ".join("".join(hypothesis.split())))


def corpus_rate(counts: Sequence[ErrorCounts]) -> float:
    """All errors over all words.

    Raises:
        ValueError: there is no utterance.
    """
    if not counts:
        raise ValueError("a corpus rate needs at least one utterance")
    return sum(count.errors for count in counts) / sum(count.words for count in counts)


def normalised(text: str, language: str) -> str:
    """Normalise a script or transcript of language en or zh for counting."""
    from syncvoice.text import normalise

    return normalise.mandarin(text) if language == "zh" else normalise.english(text)


def normaliser_version() -> str:
    """Version of the normaliser, part of every scorer version."""
    from syncvoice.text import normalise

    return f"normalise {normalise.VERSION}"


class _WordScorer:
    """Shared by the recognisers: transcribe, normalise, count."""

    NAME = ""
    VERSION = ""
    weights_sha256 = ""

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

    def check(self, row: Mapping[str, str]) -> None:
        """Raise NotApplicable for rows that this recogniser is not made for."""

    def transcribe(self, audio: np.ndarray, language: str) -> str:
        """Transcript of a sound (samples,) at 16 kHz."""
        raise NotImplementedError


class PocketSphinxScorer(_WordScorer):
    """PocketSphinx with the grammar of the GRID sentence."""

    NAME = "pocketsphinx_grid"

    def __init__(self) -> None:
        """Load the acoustic model of the installed package."""
        from pocketsphinx import Decoder, get_model_path

        self._decoder = Decoder(lm=None, jsgf=None, loglevel="FATAL", samprate=16_000)
        self._decoder.add_jsgf_string("grid", grid_grammar())
        self._decoder.activate_search("grid")
        self._cepstral_mean = self._decoder.get_cmn(False)
        self.VERSION = f"pocketsphinx {version('pocketsphinx')}, {normaliser_version()}"
        self.weights_sha256 = _folder_digest(Path(get_model_path()) / "en-us" / "en-us")

    @classmethod
    def from_sources(cls, _sources: Sources) -> "PocketSphinxScorer":
        """Load the recogniser; it needs nothing of the study."""
        return cls()

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """One metric; rows that are no English GRID sentence get it as not applicable."""
        return [f"wer.{self.NAME}"]

    def check(self, row: Mapping[str, str]) -> None:
        """Raise NotApplicable unless the script is an English GRID sentence."""
        if row["language"] != "en" or row["source"] != "grid":
            raise NotApplicable("the grammar covers English GRID sentences only")

    def transcribe(self, audio: np.ndarray, language: str = "en") -> str:
        """Transcript of a sound at 16 kHz; empty when no path through the grammar fits."""
        # The decoder adapts its cepstral mean from clip to clip: start every clip from the same state.
        self._decoder.reinit_feat()
        self._decoder.set_cmn(self._cepstral_mean)
        self._decoder.start_utt()
        samples = np.round(np.clip(audio, -1.0, 1.0) * 32767.0).astype("<i2")
        self._decoder.process_raw(samples.tobytes(), no_search=False, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""


class CtcScorer(_WordScorer):
    """The shipped CTC recogniser: words for English, characters for Mandarin."""

    NAME = "ctc_mini"

    def __init__(self, recogniser: "CtcRecogniser", weights_sha256: str = "") -> None:
        """Score with a loaded recogniser."""
        self._recogniser: Any = recogniser
        self.weights_sha256 = weights_sha256
        self.VERSION = f"1, {normaliser_version()}"

    @classmethod
    def from_sources(cls, sources: Sources) -> "CtcScorer":
        """Load the recogniser from the weights folder."""
        from syncvoice.networks.recogniser import CtcRecogniser

        path = sources.weight_file("recogniser")
        return cls(CtcRecogniser.load(path), sha256_of(path))

    def transcribe(self, audio: np.ndarray, language: str) -> str:
        """Transcript of a sound at 16 kHz."""
        return self._recogniser.transcribe([audio], language)[0]


def _folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file():
            digest.update(f"{path.name}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()
