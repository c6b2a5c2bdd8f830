"""Speaker similarity: cosine of CAM++ embeddings (Wang et al. 2023, arXiv 2303.00332).

Conventions
-----------
Audio is mono float32 at 16 kHz; Kaldi filter bank, mean over time removed, whole utterance at once, 60 s at most (our
choice). Values lie in [-1, 1], higher is more alike. SyncVoice hears its speaker through CAM++: a study whose models
are conditioned on one of these networks may not score with it, and its configuration is refused.

Metrics: sim_o and sim_o_other, as in `similarity`. Scorers: the public encoders
(`campplus_zh_en`, `campplus_voxceleb`), and the small one that is shipped (`campplus_mini`, synthetic voices only).
"""

from typing import Any

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import ScoreError, Sources, is_silent
from syncvoice.metrics.voice.similarity import SilentSound, SpeakerSimilarityScorer

RATE_HZ = 16_000
LONGEST_S = 60
FEWEST_FRAMES = 20  # of 10 ms; statistics over time need some


class CamplusEncoder:
    """CAM++ with its front-end."""

    def __init__(self, network: Any, weights_sha256: str = "") -> None:
        """Embed with a `syncvoice.networks.camplus.CAMPPlus`."""
        self._network = network
        self.weights_sha256 = weights_sha256

    def embed(self, audio: np.ndarray) -> np.ndarray:
        """Embedding of a sound (samples,) at 16 kHz, float32 of length 1.

        Raises:
            ScoreError: the sound is silent or shorter than 0.2 s.
        """
        import torch

        from syncvoice.networks.camplus import fbank

        if is_silent(audio):
            raise SilentSound("sound is silent: no voice to compare")
        features = fbank(audio[: LONGEST_S * RATE_HZ])
        if len(features) < FEWEST_FRAMES:
            raise ScoreError(f"sound has {len(features)} frames of 10 ms, CAM++ needs {FEWEST_FRAMES}")
        with torch.inference_mode():
            raw = self._network(features[None])[0].numpy()
        return raw / np.linalg.norm(raw)


class CamplusMiniScorer(SpeakerSimilarityScorer):
    """Similarity by the small CAM++ that is shipped."""

    NAME = "campplus_mini"

    @classmethod
    def from_sources(cls, sources: Sources) -> "CamplusMiniScorer":
        """Load the shipped encoder; references come from the study's manifests."""
        return cls._with_weights(sources.weight_file("speaker_encoder"), sources)

    @classmethod
    def _with_weights(cls, path: Any, sources: Sources) -> "CamplusMiniScorer":
        from syncvoice.networks.camplus import CAMPPlus

        return cls(CamplusEncoder(CAMPPlus.load(path), sha256_of(path)), sources.references)


class CamplusZhEnScorer(CamplusMiniScorer):
    """Similarity by the public CAM++ for Mandarin and English."""

    NAME = "campplus_zh_en"

    @classmethod
    def from_sources(cls, sources: Sources) -> "CamplusMiniScorer":
        """Load the public encoder.

        Raises:
            UserError: it is not there.
        """
        what = "its weight file of 3D-Speaker (Apache-2.0)"
        return cls._with_weights(sources.asset_file(cls.NAME, f"sim_o.{cls.NAME}", what), sources)


class CamplusVoxcelebScorer(CamplusZhEnScorer):
    """Similarity by the public CAM++ for English."""

    NAME = "campplus_voxceleb"
