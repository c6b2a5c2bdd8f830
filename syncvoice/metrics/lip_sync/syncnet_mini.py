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

Scorers: `lse.syncnet_mini` is the small SyncNet of `weights/syncnet.safetensors` on prepared mouth crops. SyncNet v2
and its protocols are in `lip_sync_v2`; only its scores may be titled plain LSE-D and LSE-C.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.clocks import FPS, SCORER_SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import NotApplicable, Score, ScoreError, Sources, Utterance, cached_by_id

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
    if not getattr(network, "takes_bytes", False):
        images = images.float()
    images = images.unsqueeze(0) if images.ndim == 3 else images.permute(3, 0, 1, 2)  # (channels, frames, H, W)
    with torch.inference_mode():
        return network.embed_lips(images[None]).numpy()


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
        sounds = network.embed_audio(torch.from_numpy(audio_windows(audio, windows, full_scale))).numpy()
    return window_distances(lips[:windows], sounds)


def mouth_frames(clip: Any, size: int) -> np.ndarray:
    """Grey mouth crops of a clip, (frames, size, size) uint8: prepared ones, or cut out of a loose video now.

    Raises:
        NotApplicable: the clip has no video.
        ScoreError: there is no face, or the crops cannot be read.
    """
    from syncvoice.video.track import read_mouth

    if clip is None or (getattr(clip, "track", None) is None and not getattr(clip, "loose", False)):
        raise NotApplicable("the clip has no prepared video")
    if clip.track is None:
        return shrink(mouth_of_video(clip.video), size)
    try:
        return shrink(read_mouth(clip.track, clip.id), size)
    except (KeyError, OSError) as error:
        raise ScoreError(f"mouth crops cannot be read: {error}") from error


def mouth_of_video(media: Any) -> np.ndarray:
    """Mouth crops (frames, 96, 96) uint8 grey of a video file, the pixels that a track shard would hold.

    Raises:
        ScoreError: the video cannot be decoded, or its face cannot be followed.
    """
    from syncvoice.video.crop import MOUTH_SIZE, crops, decode_jpeg, encode_jpeg, grey, mouth_transforms
    from syncvoice.video.decode import FrameSource
    from syncvoice.video.prepare import track_video

    try:
        track = track_video(media)
    except UserError as error:
        raise ScoreError(str(error)) from error
    transforms = mouth_transforms(track.landmarks, MOUTH_SIZE)
    images = crops(FrameSource(media), transforms, MOUTH_SIZE)
    return np.stack([decode_jpeg(encode_jpeg(grey(image)), colour=False) for image in images])


def shrink(frames: np.ndarray, size: int) -> np.ndarray:
    """Shrink square images (frames, N size, N size) by averaging N x N blocks; other sizes go through OpenCV."""
    found = frames.shape[1]
    if found == size:
        return frames
    if found % size == 0:
        blocks = frames.reshape(len(frames), size, found // size, size, found // size)
        return np.round(blocks.mean((2, 4), dtype=np.float32)).astype(np.uint8)
    import cv2

    return np.stack([cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA) for frame in frames])


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


class LipSyncScorer:
    """LSE-D, LSE-C, offset and in_sync of the small SyncNet; the lips of a clip are embedded once per job."""

    NAME = "syncnet_mini"
    VERSION = "1"

    def __init__(self, network: "SyncNet", sources: Sources, weights_sha256: str = "") -> None:
        """Score with a loaded network."""
        self.network = network
        self.weights_sha256 = weights_sha256
        self._clips = sources.clips
        self._lips = cached_by_id(self._embed, sources.remember)

    @classmethod
    def from_sources(cls, sources: Sources) -> "LipSyncScorer":
        """Load the network from the weights folder."""
        from syncvoice.networks.syncnet import SyncNet

        path = sources.weight_file("syncnet")
        return cls(SyncNet.load(path), sources, sha256_of(path))

    def metrics_for(self, row: Mapping[str, str]) -> list[str]:
        """All four metrics, for every row."""
        return [f"{name}.{self.NAME}" for name in ("lse_d", "lse_c", "offset", "in_sync")]

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance against the mouth of its clip."""
        result = lip_sync_of(self.distances(utterance).mean(0))
        values = (result.lse_d, result.lse_c, float(result.offset), float(result.in_sync))
        return [Score(metric, value) for metric, value in zip(self.metrics_for(utterance.row), values, strict=True)]

    def distances(self, utterance: Utterance) -> np.ndarray:
        """Distances (windows, 31) of an utterance, the basis of its scores and of `sync_curve`."""
        lips = self._lips(utterance.row["clip"])
        return distances_of(lips.embeddings, self.network, lips.sound(utterance.audio_16k))

    def first_frame(self, utterance: Utterance) -> int:
        """Video frame of the first window."""
        return self._lips(utterance.row["clip"]).start

    def _embed(self, clip_id: str) -> Lips:
        """Embed the lips of a clip."""
        frames = mouth_frames(self._clips.get(clip_id), self.network.config.image_size)
        return Lips(embed_lips(self.network, frames))
