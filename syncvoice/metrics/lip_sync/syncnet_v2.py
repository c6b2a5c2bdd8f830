"""Lip sync with the public SyncNet v2, by the two protocols in use.

Conventions and metrics are those of `distances`. Frames are decoded at 25 fps without re-encoding; embeddings are not
normalised. Clips of any length from six frames are scored, so also the 75 frames of GRID.

Protocols
---------
lrs
    Whole frames resized to 224 x 224, for videos that are already cropped to the face (script `calculate_scores_LRS` of
    Wav2Lip).
tracked
    Boxes by S3FD, face track and crop of `tracked`; if a clip has several tracks the first one counts, as in
    Wav2Lip's `calculate_scores_real_videos`. The sound is cut to the span of the track.
tracked_mediapipe
    The same with the extent of MediaPipe's face mesh as box, for machines without S3FD's weights. Other boxes, other
    crops: its values do not compare with those of `tracked`.

Options, both part of the scorer's version: `jpeg` re-encodes every crop as JPEG as the published pipeline does; `dtype`
`bfloat16` runs the convolutions of SyncNet and S3FD in that type (and SyncNet's first layer on bytes). How far LSE-D
then moves depends on the weights: 1e-3 for those of the benchmarks, more than 0.01 in a trial with other random ones;
published numbers need float32, the default.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.lip_sync.distances import Lips, LipSyncScorer, embed_lips
from syncvoice.metrics.scorer import NotApplicable, ScoreError, Sources

if TYPE_CHECKING:
    from syncvoice.fast.syncnet_fused import FusedSyncNet
    from syncvoice.metrics.lip_sync.seen import SeenLips
    from syncvoice.networks.syncnet import SyncNet
    from syncvoice.video.boxes import FaceBoxes

ASSET = "syncnet_v2"


def load_v2(path: Path | str) -> "SyncNet":
    """Load the public weights; evaluation mode, float32.

    Raises:
        UserError: the file is unreadable or does not fit.
    """
    import torch

    from syncvoice.networks.syncnet import V2, SyncNet
    from syncvoice.records.weights import open_weights

    network, weights = SyncNet(V2), open_weights(path)
    for name in network.state_dict():  # files of old torch versions lack these counters, which nothing reads
        if name.endswith("num_batches_tracked"):
            weights.state.setdefault(name, torch.tensor(0))
    return weights.into(network)


class WholeFrameScorer(LipSyncScorer):
    """SyncNet v2, protocol lrs."""

    NAME = "syncnet_v2.lrs"
    network: Any

    def __init__(self, network: "FusedSyncNet | SyncNet", sources: Sources, weights_sha256: str = "") -> None:
        """Score with a loaded network; option `jpeg` of the sources re-encodes the crops."""
        super().__init__(network, sources, weights_sha256)  # type: ignore[arg-type]
        self._jpeg = bool(sources.options.get("jpeg"))
        self._seen: SeenLips | None = None
        switches = ["jpeg"] if self._jpeg else []
        dtype = sources.options.get("dtype", "float32")
        switches += [f"{dtype} and bytes"] if dtype != "float32" else []  # plain "bfloat16" was another first layer
        self.VERSION = ", ".join([self.VERSION, *switches])

    @classmethod
    def from_sources(cls, sources: Sources) -> "WholeFrameScorer":
        """Load the public weights.

        Raises:
            UserError: they are missing or do not fit.
        """
        from syncvoice.device import resolve_device
        from syncvoice.fast.syncnet_fused import FusedSyncNet

        path = sources.asset_file(ASSET)
        network = FusedSyncNet(load_v2(path).to(resolve_device()), sources.options.get("dtype", "float32"))
        scorer = cls(network, sources, sha256_of(path))
        if sources.seen:
            scorer.take_seen(sources)
        return scorer

    def take_seen(self, sources: Sources) -> None:
        """Take the lips of all clips from files that a job like this one made, and look at no video.

        Raises:
            UserError: a file is missing, lacks a clip, or was made with other weights or of another picture.
        """
        from syncvoice.metrics.lip_sync.seen import SeenLips

        self._seen = SeenLips(sources.seen, self)
        self._seen.check(self._clips.values())

    def _embed(self, clip_id: str) -> Lips:
        """Embed the lips of a clip."""
        from syncvoice.video.decode import ClipProblem, FrameSource

        clip = self._clips.get(clip_id)
        if clip is None or clip.video is None:
            raise NotApplicable("the clip has no video")
        if self._seen is not None:
            return self._seen.lips(clip_id)
        frames = FrameSource(clip.video)
        try:
            start, crops = self.crops(frames, frames.count())
            return Lips(embed_lips(self.network, np.stack(crops)), start)
        except ClipProblem as problem:
            raise ScoreError(problem.message) from problem

    def crops(self, frames: Iterable[np.ndarray], n_frames: int) -> tuple[int, list[np.ndarray]]:
        """Number of the first frame, and BGR crops (224, 224, 3) of consecutive frames, at least one.

        Args:
            frames: RGB, iterated more than once.
            n_frames: how many there are.

        Raises:
            ScoreError: there is no face to crop.
        """
        from syncvoice.metrics.lip_sync.tracked import jpeg_round_trip, whole_frames

        crops = list(whole_frames(bgr(frames)))
        return 0, [jpeg_round_trip(crop) for crop in crops] if self._jpeg else crops


class TrackedScorer(WholeFrameScorer):
    """SyncNet v2, protocol tracked, boxes by S3FD."""

    NAME = "syncnet_v2.tracked"

    def __init__(
        self,
        network: "FusedSyncNet | SyncNet",
        sources: Sources,
        weights_sha256: str = "",
        detector: "FaceBoxes | None" = None,
    ) -> None:
        """Score with a loaded network and a face detector."""
        super().__init__(network, sources, weights_sha256)
        self._detector = detector or self.make_detector(sources)
        self.VERSION = f"{self.VERSION}, boxes {self._detector.name} {self._detector.version}"
        if self._detector.weights_sha256:
            self.weights_sha256 = f"{weights_sha256}+{self._detector.weights_sha256}"

    def make_detector(self, sources: Sources) -> "FaceBoxes":
        """Load S3FD.

        Raises:
            UserError: its weights are missing or do not fit.
        """
        from syncvoice.video.boxes import S3FDBoxes

        return S3FDBoxes.load(sources.asset_file("s3fd"), sources.options.get("dtype", "float32"))

    def crops(self, frames: Iterable[np.ndarray], n_frames: int) -> tuple[int, list[np.ndarray]]:
        """Crops of the first face track; see `WholeFrameScorer.crops`."""
        from syncvoice.metrics.lip_sync.tracked import crop_track, face_tracks, shots

        boxes = self._detector.boxes(frames)
        tracks = face_tracks(boxes, shots(frames))
        if not tracks:
            seen = sum(len(faces) > 0 for faces in boxes)
            raise ScoreError(f"no face track: a face was found in {seen} of {n_frames} frames, or it is too small")
        try:
            return int(tracks[0].frames[0]), list(crop_track(bgr(frames), tracks[0], self._jpeg))
        except ValueError as error:  # a track of some frames, which the median filter shrinks to nothing
            raise ScoreError(f"face track cannot be cropped: {error}") from error


class TrackedMediaPipeScorer(TrackedScorer):
    """SyncNet v2, protocol tracked, boxes by MediaPipe."""

    NAME = "syncnet_v2.tracked_mediapipe"

    def make_detector(self, sources: Sources) -> "FaceBoxes":
        """Load MediaPipe's face mesh."""
        from syncvoice.video.boxes import MediaPipeBoxes

        return MediaPipeBoxes()


def bgr(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield frames with their colours in the order blue, green, red, as SyncNet v2 was trained."""
    for frame in frames:
        yield np.ascontiguousarray(frame[:, :, ::-1])
