"""Lip sync with the small SyncNet (`weights/syncnet.safetensors`) on prepared mouth crops; see `distances`."""

from typing import Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.metrics.lip_sync.distances import Lips, LipSyncScorer, embed_lips
from syncvoice.metrics.scorer import LooseClip, NotApplicable, ScoreError, Sources


def mouth_frames(clip: Any, size: int) -> np.ndarray:
    """Grey mouth crops of a clip, (frames, size, size) uint8: prepared ones, or cut out of a loose video now.

    Raises:
        NotApplicable: the clip has no video.
        ScoreError: there is no face, or the crops cannot be read.
    """
    from syncvoice.video.track import read_mouth

    if isinstance(clip, LooseClip):
        return shrink(mouth_of_video(clip.video), size)
    if clip is None or clip.track is None:
        raise NotApplicable("the clip has no prepared video")
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


class SyncNetMiniScorer(LipSyncScorer):
    """The small SyncNet."""

    NAME = "syncnet_mini"

    @classmethod
    def from_sources(cls, sources: Sources) -> "SyncNetMiniScorer":
        """Load the network from the weights folder."""
        from syncvoice.networks.syncnet import SyncNet

        path = sources.weight_file("syncnet")
        return cls(SyncNet.load(path), sources, sha256_of(path))

    def _embed(self, clip_id: str) -> Lips:
        """Embed the lips of a clip."""
        frames = mouth_frames(self._clips.get(clip_id), self.network.config.image_size)
        return Lips(embed_lips(self.network, frames))
