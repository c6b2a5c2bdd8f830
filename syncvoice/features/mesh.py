"""Geometry shared by the mesh features: head pose out, everything in units of the outer eye distance."""

from pathlib import Path
from typing import Any

import numpy as np

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.features.base import ExtractorSettings
from syncvoice.records.clips import Clip
from syncvoice.video.track import smooth

MESH = "mediapipe_face_mesh"  # the network that finds the landmarks


def align(landmarks: np.ndarray, points: dict[int, tuple[float, float, float]], window: int) -> "Aligned":
    """Fit a 3-D similarity per frame that maps stable points onto a mean face, and map all landmarks with it.

    Args:
        landmarks: (frames, points, 3) pixels.
        points: where each stable point lies in the mean face (x right, y down, z back, unit: outer eye distance).
        window: frames over which the stable points are averaged before the fit; noise in them would move everything.
    """
    index, layout = np.array(list(points)), np.array(list(points.values()))
    stable = smooth(landmarks[:, index], window)
    centre, target = stable.mean(axis=1), layout.mean(axis=0)
    source, wanted = stable - centre[:, None], layout - target
    u, singular, vt = np.linalg.svd(np.einsum("npi,pj->nij", source, wanted))
    signs = np.ones((len(stable), 3))
    signs[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = u @ (signs[:, :, None] * vt)  # row vectors: aligned = source @ rotation
    scale = (singular * signs).sum(axis=1) / (source**2).sum(axis=(1, 2))
    mapped = scale[:, None, None] * ((landmarks - centre[:, None]) @ rotation) + target
    return Aligned(mapped, rotation, scale, centre)


class Aligned:
    """Landmarks in the mean face's frame.

    Attributes:
        points: (frames, points, 3) aligned landmarks.
        rotation: (frames, 3, 3), row vectors of the picture times this are face coordinates.
        scale: (frames,) units per pixel.
        centre: (frames, 3) centre of the stable points in pixels.
    """

    def __init__(self, points: np.ndarray, rotation: np.ndarray, scale: np.ndarray, centre: np.ndarray) -> None:
        """Keep the parts."""
        self.points, self.rotation, self.scale, self.centre = points, rotation, scale, centre

    def distance(self, *pairs: tuple[int, int]) -> np.ndarray:
        """Mean distance (frames,) of pairs of points."""
        first, second = (self.points[:, list(side)] for side in zip(*pairs, strict=True))
        return np.linalg.norm(first - second, axis=2).mean(axis=1)

    def mean(self, axis: int, *points: int) -> np.ndarray:
        """Mean coordinate (frames,) of points along axis 0 (x), 1 (y) or 2 (z)."""
        return self.points[:, list(points), axis].mean(axis=1)


def around_median(values: np.ndarray) -> np.ndarray:
    """Remove each clip's own median (frames,): what differs between people, not between sounds."""
    return values - np.median(values, axis=0)


def with_differences(values: np.ndarray) -> np.ndarray:
    """Append central first differences per frame: (frames, d) to (frames, 2 d)."""
    padded = np.concatenate([values[:1], values, values[-1:]])
    return np.concatenate([values, (padded[2:] - padded[:-2]) / 2], axis=1)


def standardised(values: np.ndarray, mean: np.ndarray, std: np.ndarray, limit: float = 6.0) -> np.ndarray:
    """Return (values - mean) / std as float32, clipped to +-limit so that a tracking slip cannot dominate."""
    return np.clip((values - mean) / std, -limit, limit).astype(np.float32)


class MeshExtractor:
    """Base of the extractors that see landmarks alone; a subclass has `name`, `version`, `dim`, `from_landmarks`."""

    name: str
    version: str
    dim: int | None
    fps: float | None = float(clocks.FPS)
    weights_sha256: str | None = None
    source_fields: tuple[str, ...] = ("track_sha256",)

    def __init__(self, settings: ExtractorSettings) -> None:
        """Open nothing; the last track shard stays open while clips are read."""
        self.settings: dict[str, Any] = settings.model_dump()
        self._path: Path | None = None
        self._reader: Any = None

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip, (n_frames, dim) float32.

        Raises:
            UserError: the clip has no track.
        """
        from syncvoice.video.store import TrackReader

        if clip.track is None:
            raise UserError(f"clip '{clip.id}' has no tracked face, so no {self.name} features; use a clip with video")
        if clip.track != self._path:
            if self._reader is not None:
                self._reader.close()
            self._reader, self._path = TrackReader(clip.track), clip.track
        return self.from_landmarks(self._reader.landmarks(clip.id))

    def from_landmarks(self, landmarks: np.ndarray) -> np.ndarray:
        """Return the feature (n_frames, dim) of landmarks (n_frames, 478, 3) in pixels."""
        raise NotImplementedError
