"""Lip sync: how well the mouth and the sound of a clip belong together (LSE-D, LSE-C, offset).

Conventions
-----------
Video is 25 fps, one mouth image per frame; audio is mono at 16 kHz. A window is 5 frames and the 0.2 s of sound (20
MFCC frames) that start with them; a clip of n = min(frames, samples // 640) frames has n - 5 windows (reference
code). Embeddings are rows of (windows, embedding) arrays. The distance curve holds the mean L2 distance of lip and
sound embeddings for delays of -vshift .. +vshift frames, vshift = 15; sound embeddings are zero-padded at both ends,
and the padding takes part in the mean, as in the reference code: short clips are biased, so clips of very different
lengths and scores of different protocols do not compare.

Metrics
-------
LSE-D   smallest value of the curve, lower is better (Prajwal et al. 2020).
LSE-C   median minus smallest value, higher is better.
offset  vshift - argmin, frames of 40 ms; positive: the sound leads. Delaying the sound by k frames lowers it by k.
in_sync 1 where |offset| <= 1, else 0. LSE-D and LSE-C take the best delay, so a constant delay costs them nothing; this
        share is the guard against that.

Scorers: the small SyncNet (`syncnet_mini`) and SyncNet v2 with its protocols (`syncnet_v2`); only scores of the latter
may be titled plain LSE-D and LSE-C.
"""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from syncvoice.clocks import FPS, SCORER_SAMPLE_RATE
from syncvoice.metrics.scorer import Score, ScoreError, Scorer, Sources, Utterance, cached_by_id

if TYPE_CHECKING:
    from syncvoice.networks.syncnet import SyncNet

VSHIFT = 15  # frames; run_syncnet.py and the LSE scripts of Wav2Lip use 15
SAMPLES_PER_FRAME_16K = SCORER_SAMPLE_RATE // FPS  # 640
EPSILON = 1e-6  # torch's pairwise_distance adds it to every difference


@dataclass(frozen=True)
class LipSync:
    """Result of one clip; offset in frames of 40 ms, positive when the sound leads."""

    lse_d: float
    lse_c: float
    offset: int

    @property
    def in_sync(self) -> bool:
        """Whether the offset is at most one frame."""
        return abs(self.offset) <= 1


def distance_curve(lips: np.ndarray, sounds: np.ndarray, vshift: int = VSHIFT) -> np.ndarray:
    """Mean distance of lip and sound embeddings for every delay.

    Args:
        lips: (windows, embedding).
        sounds: (windows, embedding), same shape.
        vshift: largest delay, frames.

    Returns:
        (2 vshift + 1,) float64; index i is a sound that comes i - vshift frames later than the lips.

    Raises:
        ValueError: shapes differ or there is no window.
    """
    return window_distances(lips, sounds, vshift).mean(0)


def window_distances(lips: np.ndarray, sounds: np.ndarray, vshift: int = VSHIFT) -> np.ndarray:
    """Distance of every window's lips to the sound at every delay, (windows, 2 vshift + 1) float64.

    Args and errors as in `distance_curve`.
    """
    if lips.shape != sounds.shape or lips.ndim != 2 or not len(lips):
        raise ValueError(f"lips {lips.shape} and sounds {sounds.shape}: expected two equal (windows, embedding) arrays")
    padded = np.pad(sounds.astype(np.float64), ((vshift, vshift), (0, 0)))
    shifted = np.lib.stride_tricks.sliding_window_view(padded, 2 * vshift + 1, axis=0)  # (windows, embedding, shifts)
    difference = lips.astype(np.float64)[:, :, None] - shifted + EPSILON
    return np.sqrt(np.einsum("wes,wes->ws", difference, difference))


def lip_sync_of(curve: np.ndarray) -> LipSync:
    """LSE-D, LSE-C and offset of a distance curve (2 vshift + 1,)."""
    vshift = len(curve) // 2
    best = int(np.argmin(curve))
    return LipSync(float(curve[best]), float(np.median(curve) - curve[best]), vshift - best)


def lip_sync(network: "SyncNet", frames: np.ndarray, audio: np.ndarray) -> LipSync:
    """Score one clip.

    >>> from syncvoice.networks.syncnet import SyncNet
    >>> network = SyncNet.load("weights/syncnet.safetensors")
    >>> rng = np.random.default_rng(0)
    >>> frames = rng.integers(0, 255, (25, network.config.image_size, network.config.image_size), np.uint8)
    >>> result = lip_sync(network, frames, rng.normal(0, 0.1, 16_000).astype(np.float32))
    >>> result.lse_d > 0, result.lse_c >= 0, -15 <= result.offset <= 15
    (True, True, True)

    Args:
        network: a SyncNet in evaluation mode.
        frames: (frames, height, width) grey or (frames, height, width, 3) BGR uint8 images of the network's size.
        audio: (samples,) float in [-1, 1] at 16 kHz.
    """
    return score_embeddings(embed_lips(network, frames), network, audio)


def embed_lips(network: "SyncNet", frames: np.ndarray) -> np.ndarray:
    """Embeddings of all windows of a clip's lips, (frames - 4, embedding) float32.

    Raises:
        ScoreError: fewer than six frames, for which no window is defined.
    """
    import torch

    from syncvoice.networks.syncnet import LIP_WINDOW

    if len(frames) <= LIP_WINDOW:
        raise ScoreError(f"clip has {len(frames)} frames, at least {LIP_WINDOW + 1} are needed for lip sync")
    images = torch.from_numpy(np.ascontiguousarray(frames))
    if not network.takes_bytes:
        images = images.float()
    images = images.unsqueeze(0) if images.ndim == 3 else images.permute(3, 0, 1, 2)  # (channels, frames, H, W)
    with torch.inference_mode():
        return network.embed_lips(images[None].to(network.device)).cpu().numpy()


def score_embeddings(lips: np.ndarray, network: "SyncNet", audio: np.ndarray) -> LipSync:
    """Score a sound at 16 kHz against lips that are already embedded, (frames - 4, embedding).

    Raises:
        ScoreError: the sound is too short for one window.
    """
    return lip_sync_of(distances_of(lips, network, audio).mean(0))


def distances_of(lips: np.ndarray, network: "SyncNet", audio: np.ndarray) -> np.ndarray:
    """Distances (windows, 31) of embedded lips (frames - 4, embedding) to a sound at 16 kHz at every delay.

    Raises:
        ScoreError: the sound is too short for one window.
    """
    import torch

    from syncvoice.networks.syncnet import LIP_WINDOW, audio_windows, n_windows

    windows = n_windows(len(lips) + LIP_WINDOW - 1, len(audio))
    if not windows:
        raise ScoreError(f"sound lasts {len(audio) / 16000:.2f} s, too short for lip sync")
    full_scale = 32768 if network.config.layout == "v2" else 32767  # v2: the samples of the file, as its own code reads
    with torch.inference_mode():
        heard = torch.from_numpy(audio_windows(audio, windows, full_scale)).to(network.device)
        sounds = network.embed_audio(heard).cpu().numpy()
    return window_distances(lips[:windows], sounds)


@dataclass(frozen=True)
class Lips:
    """Embedded lips (frames - 4, embedding) of a run of `frames` video frames that starts at frame `start`."""

    embeddings: np.ndarray
    start: int = 0

    def sound(self, audio: np.ndarray) -> np.ndarray:
        """The part of a clip's sound (samples,) at 16 kHz that belongs to the run; a whole clip keeps all of it."""
        if not self.start:
            return audio
        return audio[self.start * SAMPLES_PER_FRAME_16K :]


class LipSyncScorer(Scorer):
    """LSE-D, LSE-C, offset and in_sync of any SyncNet; the lips of a clip are embedded once per job."""

    METRICS = ("lse_d", "lse_c", "offset", "in_sync")

    def __init__(self, network: "SyncNet", sources: Sources, weights_sha256: str = "") -> None:
        """Score with a loaded network."""
        self.network = network
        self.weights_sha256 = weights_sha256
        self._clips = sources.clips
        self._lips = cached_by_id(self._embed, sources.remember)
        self.watch: Callable[[Utterance, np.ndarray, int], None] | None = None  # is shown distances and first frame

    @abstractmethod
    def _embed(self, clip_id: str) -> Lips:
        """Embed the lips of a clip.

        Raises:
            NotApplicable: it has no video.
            ScoreError: there is no face, or the video cannot be read.
        """

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance against the mouth of its clip."""
        distances = self.distances(utterance)
        result = lip_sync_of(distances.mean(0))
        if self.watch is not None:
            self.watch(utterance, distances, self.first_frame(utterance))
        values = (result.lse_d, result.lse_c, float(result.offset), float(result.in_sync))
        return [Score(metric, value) for metric, value in zip(self.metrics_for(utterance.row), values, strict=True)]

    def distances(self, utterance: Utterance) -> np.ndarray:
        """Distances (windows, 31) of an utterance, the basis of its scores and of `sync_curve`."""
        lips = self._lips(utterance.row["clip"])
        return distances_of(lips.embeddings, self.network, lips.sound(utterance.audio_16k))

    def first_frame(self, utterance: Utterance) -> int:
        """Video frame of the first window."""
        return self._lips(utterance.row["clip"]).start

    def lips(self, clip_id: str) -> Lips:
        """Lips of a clip; raises what `_embed` does."""
        lips: Lips = self._lips(clip_id)
        return lips
