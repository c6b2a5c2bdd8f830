"""Word error rate by PocketSphinx 5 with its own English acoustic model and a grammar of the GRID sentence.

It knows that the speech is a GRID sentence, so only English GRID sentences are scored; others are `not_applicable`.
"""

import hashlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import NotApplicable, Sources
from syncvoice.metrics.words.word_scorer import WordScorer, normaliser_version
from syncvoice.text.grid_grammar import grid_grammar


class PocketSphinxScorer(WordScorer):
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


def _folder_digest(folder: Path) -> str:
    """SHA-256 over names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.is_file():
            digest.update(f"{path.name}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()
