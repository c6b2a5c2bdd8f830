"""Speaker similarity: cosine of GE2E speaker embeddings (Wan et al. 2018; weights of the package Resemblyzer).

Conventions of the network stand in `syncvoice.networks.ge2e`. Values lie in [0, 1], higher is more alike.

Metrics: sim_o and sim_o_other, as in `similarity`.
"""

import numpy as np

from syncvoice.metrics.scorer import Sources
from syncvoice.metrics.voice.similarity import SilentSound, SpeakerSimilarityScorer
from syncvoice.networks.ge2e import Ge2eNetwork, NoVoice


class SpeakerEncoder(Ge2eNetwork):
    """The network as a scorer asks it: a sound without voice is a failed score.

    >>> sound = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    >>> own, other = (SpeakerEncoder.installed().embed(audio) for audio in (sound, sound[8_000:]))
    >>> bool(0 < own @ other < 1)
    True
    """

    def embed(self, audio: np.ndarray) -> np.ndarray:
        """Embedding of a sound (samples,) at 16 kHz, (256,) float32 of length 1.

        Raises:
            SilentSound: there is no voice.
        """
        try:
            return super().embed(audio)
        except NoVoice as error:
            raise SilentSound(str(error)) from error


class Ge2eScorer(SpeakerSimilarityScorer):
    """Similarity by the GE2E network of Resemblyzer."""

    NAME = "ge2e_resemblyzer"

    @classmethod
    def from_sources(cls, sources: Sources) -> "Ge2eScorer":
        """Load the network from the installed package; references come from the study's manifests."""
        return cls(SpeakerEncoder.installed(), sources.references)
