"""Predicted naturalness: UTMOS22 strong learner (Saeki et al. 2022), the UTMOS of most papers on speech synthesis.

Conventions
-----------
Audio is mono float32 at 16 kHz in [-1, 1], not normalised in level. Values are mean opinion scores around 1 to 5,
higher is better. Differs from the reference: sound is resampled by soxr and not by torchaudio, and sounds longer than
120 s are cut there (bounds the memory; our choice). UTMOS knows nothing of the script.

Metric: mos.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import Score, ScoreError, Scorer, Sources, Utterance, is_silent

ASSET = "utmos22_strong"
RATE_HZ = 16_000
LONGEST_S = 120
SHORTEST = 400  # samples, one frame of the trunk


class UtmosScorer(Scorer):
    """Scores with the UTMOS network."""

    NAME = "utmos_strong"
    METRICS = ("mos",)

    def __init__(self, network: Any, weights_sha256: str = "") -> None:
        """Score with a `syncvoice.networks.utmos.UtmosStrong`."""
        self._network = network
        self.weights_sha256 = weights_sha256

    @classmethod
    def from_sources(cls, sources: Sources) -> "UtmosScorer":
        """Load the public weights.

        Raises:
            UserError: they are not there.
        """
        from syncvoice.device import resolve_device
        from syncvoice.networks.utmos import UtmosStrong

        what = "utmos22_strong_step7459_v1.pt of SpeechMOS (MIT, trained on BVCC)"
        path = sources.asset_file(ASSET, f"mos.{cls.NAME}", what)
        network = UtmosStrong.load(path).to(resolve_device())
        return cls(network, sha256_of(path))

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance."""
        return [Score(self.metrics_for(utterance.row)[0], self.predict([utterance.audio_16k])[0])]

    def predict(self, sounds: Sequence[np.ndarray]) -> list[float]:
        """Predict the scores of sounds (samples,) at 16 kHz; those of one length share a batch.

        Raises:
            ScoreError: a sound is silent or shorter than one frame.
        """
        import torch

        results: dict[int, float] = {}
        device = next(self._network.parameters()).device
        for group in _of_equal_length([_checked(sound) for sound in sounds]):
            batch = torch.from_numpy(np.stack([sound for _, sound in group]))
            with torch.inference_mode():
                scores = self._network(batch.to(device)).tolist()
            results.update(zip((number for number, _ in group), scores, strict=True))
        return [results[number] for number in range(len(sounds))]


def _checked(sound: np.ndarray) -> np.ndarray:
    """Cut a sound to 120 s."""
    if len(sound) < SHORTEST:
        raise ScoreError(f"sound has {len(sound)} samples, UTMOS needs {SHORTEST}")
    if is_silent(sound):
        raise ScoreError("sound is silent: there is no speech to judge")
    return sound[: LONGEST_S * RATE_HZ].astype(np.float32)


def _of_equal_length(sounds: Sequence[np.ndarray], most: int = 8) -> list[list[tuple[int, np.ndarray]]]:
    """Groups of at most `most` numbered sounds of one length."""
    groups: dict[int, list[list[tuple[int, np.ndarray]]]] = {}
    for number, sound in enumerate(sounds):
        same = groups.setdefault(len(sound), [[]])
        if len(same[-1]) == most:
            same.append([])
        same[-1].append((number, sound))
    return [group for same in groups.values() for group in same]
