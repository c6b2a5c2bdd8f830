"""Predicted naturalness: DistillMOS (Stahl and Gamper 2025), trained on judgements of real and synthetic speech.

Conventions
-----------
Audio is mono float32 at 16 kHz; every window is brought to a peak of 1, so level does not count. The network hears
7.68 s: a shorter sound is padded with zeros, the windows of a longer one are averaged, as its package does. Values are
mean opinion scores from 1 to 5, higher is better. It knows nothing of the script.

Metric: mos.
"""

from typing import Any

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import Score, ScoreError, Scorer, Sources, Utterance, is_silent

ASSET = "distillmos"


class DistillMosScorer(Scorer):
    """Scores with the DistillMOS network."""

    NAME = "distillmos"
    METRICS = ("mos",)

    def __init__(self, network: Any, weights_sha256: str = "") -> None:
        """Score with a `syncvoice.networks.distillmos.DistillMos`."""
        self._network = network
        self.weights_sha256 = weights_sha256

    @classmethod
    def from_sources(cls, sources: Sources) -> "DistillMosScorer":
        """Load the published weights.

        Raises:
            UserError: they are not there.
        """
        from syncvoice.device import resolve_device
        from syncvoice.networks.distillmos import DistillMos

        path = sources.asset_file(ASSET, f"mos.{cls.NAME}", "distill_mos_v7.pt of the package distillmos (MIT)")
        network = DistillMos.load(path).to(resolve_device())
        return cls(network, sha256_of(path))

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        return [Score(self.metrics_for(utterance.row)[0], self.predict(utterance.audio_16k))]

    def predict(self, audio: np.ndarray) -> float:
        """Predict the score of a sound (samples,) at 16 kHz.

        Raises:
            ScoreError: the sound is empty or silent.
        """
        import torch

        from syncvoice.networks.distillmos import windows_of

        if len(audio) == 0 or is_silent(audio):
            raise ScoreError("sound is silent: there is no speech to judge")
        device = next(self._network.parameters()).device
        with torch.inference_mode():
            windows = windows_of(torch.from_numpy(np.ascontiguousarray(audio, np.float32))).to(device)
            return float(self._network(windows).mean())
