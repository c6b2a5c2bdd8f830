"""Word and character error rates with Whisper, by the three published protocols (see `protocols`).

Conventions
-----------
Mono float32 at 16 kHz, counts in every row, a failed clip counts as WER 1. One transcript serves all
protocols of a metric file that read the sound in the same way. Weights are files of the registry (config/assets.yaml);
nothing is downloaded here.

Scorers
-------
wer.whisper_base
    `styledubber` (the published GRID figures use this model), `corpus` and our `by_ear`, `by_ear_capped`.
wer.whisper_large_v3
    `styledubber` (the published V2C figures) and `corpus`; for Mandarin `cer.whisper_large_v3.corpus`. The published
    corpus rate of AlignDiT comes from faster-whisper with a beam of 5; ours is greedy.
wer.whisper_large_v3.seed_tts
    `seed_tts`. The published Mandarin rate comes from another recogniser (Paraformer); ours is Whisper's.

Runaways
--------
Greedy decoding sometimes repeats itself until Whisper's own cap (half the text context, 224 tokens) ends it. Such a
transcript is counted as it is, and `runaway.MODEL` is 1 for it: its text compresses better than Whisper's own limit of
2.4 allows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version

import numpy as np

from syncvoice.clocks import SCORER_SAMPLE_RATE
from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import NotApplicable, Problem, Score, ScoreError, Scorer, Sources, Utterance
from syncvoice.metrics.words import protocols as wer_protocols
from syncvoice.metrics.words.protocols import Protocol
from syncvoice.metrics.words.whisper_transcripts import BATCH, WINDOW_S, WhisperTranscriber, import_whisper, load_model

RUNAWAY_COMPRESSION = 2.4  # default compression_ratio_threshold of whisper.transcribe


class WhisperScorer(Scorer):
    """Whisper with one or more protocols; subclasses say which model and which protocols."""

    PROTOCOLS: tuple[Protocol, ...] = ()
    TELLS_RUNAWAYS = True
    BATCH = BATCH

    def __init__(self, transcriber: WhisperTranscriber, weights_sha256: str = "") -> None:
        """Score with a loaded model."""
        self._transcriber = transcriber
        self.weights_sha256 = weights_sha256
        rules = " ".join(protocol.version() for protocol in self.PROTOCOLS)
        self.VERSION = f"openai-whisper {version('openai-whisper')}, greedy, {self._mode}, {rules}"

    @classmethod
    def from_sources(cls, sources: Sources) -> "WhisperScorer":
        """Load the model from the folder of fetched assets.

        Raises:
            UserError: openai-whisper or the weights are missing.
        """
        import_whisper()
        path = sources.asset_file(cls.NAME)
        return cls(WhisperTranscriber(load_model(path)), sha256_of(path))

    @property
    def _mode(self) -> str:
        """How this file's protocols read a sound."""
        (mode,) = {protocol.mode for protocol in self.PROTOCOLS}
        return mode

    def _protocols(self, language: str) -> list[Protocol]:
        return [protocol for protocol in self.PROTOCOLS if language in protocol.normalisers]

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """Return the metrics of a task row: WER for English, CER for Mandarin.

        Raises:
            UserError: a Mandarin row needs a package that is not installed.
        """
        language = row["language"]
        if language == "zh":
            wer_protocols.simplified("")  # here, not per clip: a missing package is no property of the speech
        protocols = self._protocols(language) or list(self.PROTOCOLS)
        rates = [protocol.metric(self.NAME, language) for protocol in protocols]
        return [*rates, f"runaway.{self.NAME}"] if self.TELLS_RUNAWAYS else rates

    def check(self, row: Mapping[str, str]) -> None:
        """Raise NotApplicable for a language that no protocol of this file covers."""
        if not self._protocols(row["language"]):
            raise NotApplicable(f"no published protocol of {self.NAME} covers language {row['language']!r}")

    def why_absent(self, metric: str) -> str:
        """Return why a protocol has no value: it divides by the words that were understood, and there are none."""
        return "nothing was understood in the speech, and this protocol counts errors per word understood"

    def counts_if_failed(self, row: Mapping[str, str]) -> dict[str, int]:
        """Counts of a clip whose speech is missing or unusable: every word of the script deleted.

        Raises:
            ScoreError: the script is empty after normalisation.
        """
        words = len(self._protocols(row["language"])[0].normalisers[row["language"]](row["text"]).split())
        if not words:
            raise ScoreError("the script has no word left after normalisation; an error rate is not defined")
        return {"errors": words, "words": words, "substitutions": 0, "deletions": words, "insertions": 0}

    def score(self, utterance: Utterance) -> list[Score]:
        """Error rates of one utterance; a protocol without a value for it gives none.

        Raises:
            NotApplicable: no protocol covers the language.
            ScoreError: the script is empty, or the sound is longer than the protocol reads.
        """
        (result,) = self.score_many([utterance])
        if isinstance(result, Exception):
            raise result
        return result

    def score_many(self, utterances: Sequence[Utterance]) -> list[list[Score] | Problem]:
        """Error rates of utterances, transcribed side by side; a problem stands in the place of its utterance."""
        results: dict[int, list[Score] | Problem] = {}
        for language in sorted({utterance.row["language"] for utterance in utterances}):
            fitting = []
            for index, utterance in enumerate(utterances):
                if utterance.row["language"] == language:
                    problem = self._problem(utterance)
                    if problem is None:
                        fitting.append(index)
                    else:
                        results[index] = problem
            sounds = (np.asarray(utterances[index].audio_16k) for index in fitting)
            transcripts = self._transcriber.transcribe(sounds, language, self._mode)
            for index, transcript in zip(fitting, transcripts, strict=True):
                results[index] = self._scores(utterances[index].row, transcript)
        return [results[index] for index in range(len(utterances))]

    def _problem(self, utterance: Utterance) -> NotApplicable | ScoreError | None:
        """Why an utterance cannot be transcribed under this file's protocols, None if it can."""
        try:
            self.check(utterance.row)
        except NotApplicable as reason:
            return reason
        seconds = len(utterance.audio_16k) / SCORER_SAMPLE_RATE
        if self._mode == "single" and seconds > WINDOW_S:
            return ScoreError(f"sound lasts {seconds:.1f} s; the protocol reads one window of {WINDOW_S} s")
        return None

    def _scores(self, row: Mapping[str, str], transcript: str) -> list[Score] | ScoreError:
        """Scores of a transcript by every protocol."""
        scores = []
        for protocol in self._protocols(row["language"]):
            try:
                counts = protocol.count(row["text"], transcript, row["language"])
            except ValueError as error:
                return ScoreError(str(error))
            if counts is not None:
                metric = protocol.metric(self.NAME, row["language"])
                scores.append(Score(metric, protocol.rate(counts), asdict(counts)))
        if self.TELLS_RUNAWAYS:
            scores.append(Score(f"runaway.{self.NAME}", float(is_runaway(transcript))))
        return scores


def is_runaway(transcript: str) -> bool:
    """Whether a transcript repeats itself, by the limit with which Whisper itself distrusts one."""
    return bool(transcript) and import_whisper().utils.compression_ratio(transcript) > RUNAWAY_COMPRESSION


class WhisperBaseScorer(WhisperScorer):
    """Whisper base, the recogniser of the published GRID figures."""

    NAME = "whisper_base"
    PROTOCOLS = (wer_protocols.STYLEDUBBER, wer_protocols.CORPUS, wer_protocols.BY_EAR, wer_protocols.BY_EAR_CAPPED)


class WhisperLargeScorer(WhisperScorer):
    """Whisper large-v3."""

    NAME = "whisper_large_v3"
    PROTOCOLS = (wer_protocols.STYLEDUBBER, wer_protocols.CORPUS)


class WhisperSeedTtsScorer(WhisperScorer):
    """Whisper large-v3 read as Seed-TTS-eval does."""

    NAME = "whisper_large_v3"
    PROTOCOLS = (wer_protocols.SEED_TTS,)
    TELLS_RUNAWAYS = False  # the other file of this model does
