"""Speaker similarity: cosine of WavLM-large embeddings (Chen et al. 2022), the SIM-o of ZipVoice and Seed-TTS-eval.

Conventions
-----------
Audio is mono float32 at 16 kHz; each sound is scaled to mean 0 and variance 1, more than 120 s are cut. Values lie in
[-1, 1], higher is more alike. Not comparable with GE2E values (`ge2e`).

Metrics: sim_o and sim_o_other, as in `similarity`.
"""

from typing import Any

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import ScoreError, Sources, is_silent
from syncvoice.metrics.voice.similarity import SilentSound, SpeakerSimilarityScorer

ASSET = "wavlm_large_finetune"


class WavlmEncoder:
    """WavLM with its speaker head, sound by sound (memory does not grow with the number of clips)."""

    def __init__(self, network: Any, weights_sha256: str = "") -> None:
        """Embed with a `syncvoice.networks.ecapa.WavLMSpeakerEncoder`."""
        self._network = network
        self.weights_sha256 = weights_sha256

    def embed(self, audio: np.ndarray) -> np.ndarray:
        """Embedding of a sound (samples,) at 16 kHz, (256,) float32 of length 1.

        Raises:
            ScoreError: the sound is silent or shorter than one frame.
        """
        if is_silent(audio):
            raise SilentSound("sound is silent: no voice to compare")
        try:
            return self._network.embed([audio])[0].cpu().numpy()
        except ValueError as error:
            raise ScoreError(str(error)) from error


class WavlmSimilarityScorer(SpeakerSimilarityScorer):
    """Similarity by WavLM large and its ECAPA-TDNN head."""

    NAME = "wavlm_ecapa"

    @classmethod
    def from_sources(cls, sources: Sources) -> "WavlmSimilarityScorer":
        """Load the public weights; references come from the study's manifests.

        Raises:
            UserError: they are not there.
        """
        from syncvoice.device import resolve_device
        from syncvoice.networks.ecapa import WavLMSpeakerEncoder

        what = "wavlm_large_finetune.pth (code MIT, licence of the weights not stated, trained on VoxCeleb)"
        path = sources.asset_file(ASSET, f"sim_o.{cls.NAME}", what)
        network = WavLMSpeakerEncoder.load(path).to(resolve_device())
        return cls(WavlmEncoder(network, sha256_of(path)), sources.references)
