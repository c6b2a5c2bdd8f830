"""Boxes of all faces of a frame, for the lip-sync protocol `tracked`: S3FD, or the extent of MediaPipe's mesh."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from syncvoice.video.detect import N_FACE_POINTS, FaceDetector, MediaPipeMesh


class FaceBoxes(Protocol):
    """What the lip-sync protocol `tracked` asks of a detector: boxes of all faces, each frame looked at alone."""

    name: str
    version: str
    weights_sha256: str | None

    def boxes(self, frames: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Boxes of every RGB frame, (faces, 4) float64 x0, y0, x1, y1 in pixels, most confident first."""
        ...


class S3FDBoxes:
    """S3FD on frames shrunk to a quarter, faces of confidence above 0.9: the settings published with SyncNet."""

    name = "s3fd"
    version = "1"

    def __init__(self, network: Any, weights_sha256: str | None = None, scale: float = 0.25, batch: int = 25) -> None:
        """Detect with a loaded `syncvoice.networks.s3fd.S3FD`; `scale` shrinks the frames, `batch` bounds the memory.

        A network in bfloat16 finds boxes that lie elsewhere by parts of a pixel: its version says so.
        """
        self._network = network
        self._dtype = next(network.parameters()).dtype
        self.version = "1" if str(self._dtype) == "torch.float32" else f"1 {str(self._dtype).removeprefix('torch.')}"
        self.weights_sha256 = weights_sha256
        self._scale, self._batch = scale, batch

    @classmethod
    def load(cls, path: Path, dtype: str = "float32") -> "S3FDBoxes":
        """Load the public weights; `dtype` "float32" or "bfloat16" of the whole network.

        Raises:
            UserError: the file does not fit.
        """
        import torch

        from syncvoice.device import resolve_device
        from syncvoice.networks.s3fd import S3FD
        from syncvoice.records.weights import open_weights

        weights = open_weights(path)
        network = weights.into(S3FD()).to(resolve_device(), getattr(torch, dtype))
        return cls(network.to(memory_format=torch.channels_last), weights.sha256)

    def boxes(self, frames: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Boxes of every RGB frame (height, width, 3) uint8; frames of equal size go through in batches."""
        found: list[np.ndarray] = []
        for part in batched_by_shape(frames, self._batch):
            found += self._boxes(part)
        return found

    def _boxes(self, frames: list[np.ndarray]) -> list[np.ndarray]:
        """Boxes of frames of one size."""
        import cv2
        import torch

        from syncvoice.networks.s3fd import MEAN_RGB, kept_boxes

        height, width = frames[0].shape[:2]
        small = [cv2.resize(frame, (0, 0), fx=self._scale, fy=self._scale) for frame in frames]
        device = next(self._network.parameters()).device
        images = torch.from_numpy(np.stack(small)).to(device).permute(0, 3, 1, 2)  # (N, H, W, 3), channels last
        with torch.inference_mode():
            images = images.float() - torch.tensor(MEAN_RGB, device=device)[:, None, None]
            scores, boxes = self._network(images.to(self._dtype))
        pixels = boxes.cpu().double().numpy() * np.array([width, height, width, height])
        return [kept_boxes(s, b)[:, :4] for s, b in zip(scores.cpu().double().numpy(), pixels, strict=True)]


class MediaPipeBoxes:
    """Extent of MediaPipe's face mesh (without the iris points), one face per frame; used without S3FD's weights."""

    name = "mediapipe"
    weights_sha256: str | None = None

    def __init__(self, detector: FaceDetector | None = None) -> None:
        """Use a mesh detector, by default the one that comes with MediaPipe."""
        self._detector = detector or MediaPipeMesh()
        self.version = self._detector.version

    def boxes(self, frames: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Boxes of every RGB frame, (0 or 1, 4) float64."""
        landmarks, found = self._detector.detect(frames)
        points = landmarks[:, :N_FACE_POINTS, :2].astype(np.float64)
        extents = np.concatenate([points.min(1), points.max(1)], axis=1)
        return [box[None] if seen else np.zeros((0, 4)) for box, seen in zip(extents, found, strict=True)]


def batched_by_shape(frames: Iterable[np.ndarray], size: int) -> Iterator[list[np.ndarray]]:
    """Yield runs of at most `size` frames of equal shape."""
    part: list[np.ndarray] = []
    for frame in frames:
        if part and (len(part) == size or part[0].shape != frame.shape):
            yield part
            part = []
        part.append(frame)
    if part:
        yield part
