"""Speaker similarity: cosine of speaker embeddings, the same for every speaker network.

Conventions
-----------
Audio is mono float32 at 16 kHz; embeddings have length 1; higher is more alike. Networks and their front-ends stand in
`ge2e`, `dvector`, `campplus` and `wavlm`; values of different networks do not compare.

Metrics
-------
sim_o        generated speech against the ORIGINAL reference recording, not its copy through a vocoder.
sim_o_other  mean over the reference recordings of all other voices of the same sex: what an unspecific voice would get.
sim_margin   sim_o less sim_o_other, clip by clip: how much more like its own voice than like others the speech is.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from syncvoice.metrics.scorer import NotApplicable, Score, ScoreError, Scorer, Utterance, cached_by_id, read_16k


class SilentSound(ScoreError):
    """There is no voice in the sound."""


class Encoder(Protocol):
    """A speaker network with its front-end."""

    weights_sha256: str

    def embed(self, audio: np.ndarray) -> np.ndarray:
        """Embedding of a sound (samples,) at 16 kHz, float32 of length 1; raises ScoreError if there is no voice."""
        ...


class SpeakerSimilarityScorer(Scorer):
    """Similarity to the reference recording and to other voices; every reference is embedded once per job."""

    METRICS = ("sim_o", "sim_o_other", "sim_margin")

    def __init__(self, encoder: Encoder, references: Mapping[str, Any]) -> None:
        """Score against recordings: clip id -> object with `audio` (path), `speaker` and `sex`."""
        self.encoder = encoder
        self.weights_sha256 = encoder.weights_sha256
        self._references = references
        self._embedding = cached_by_id(self._embed)

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance; without other voices of the same sex only sim_o is given."""
        if not utterance.row.get("reference"):
            raise NotApplicable("the utterance has no reference recording")
        own = self._embedding(utterance.row["reference"])
        generated = self.encoder.embed(utterance.audio_16k)
        sim_o, sim_other, margin = self.metrics_for(utterance.row)
        others = [self._embedding(clip) for clip in self._other_voices(utterance.row)]
        likeness = float(generated @ own)
        if not others:
            return [Score(sim_o, likeness)]
        other = float(np.mean(np.stack(others) @ generated))
        return [Score(sim_o, likeness), Score(sim_other, other), Score(margin, likeness - other)]

    def _other_voices(self, row: Mapping[str, str]) -> list[str]:
        """Reference recordings of all other voices of the speaker's sex, in the order of their names."""
        return sorted(
            name
            for name, clip in self._references.items()
            if clip.sex == row["sex"] and clip.speaker != self._speaker_of(row) and clip.split == row["reference_split"]
        )

    def _speaker_of(self, row: Mapping[str, str]) -> str:
        """The voice that the utterance should have: that of its reference."""
        clip = self._references.get(row["reference"])
        return clip.speaker if clip is not None else row["speaker"]

    def _embed(self, clip_id: str) -> np.ndarray:
        """Embed one reference recording.

        Raises:
            ScoreError: it is in no manifest.
        """
        if clip_id not in self._references:
            raise ScoreError(f"reference {clip_id} is in no manifest given with --references or --manifest")
        return self.encoder.embed(read_16k(self._references[clip_id].audio))
