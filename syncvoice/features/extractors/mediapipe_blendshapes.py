"""Facial expression as MediaPipe's 52 blendshape coefficients, from the stored face crops.

Beside EmoNet (`emonet`), whose weights forbid changes and commercial use (CC-BY-NC-ND): here weights and code are
Apache-2.0.
"""

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np

from syncvoice import clocks
from syncvoice.assets import local_asset
from syncvoice.errors import UserError
from syncvoice.features.base import ExtractorSettings
from syncvoice.features.crops import Crops
from syncvoice.records.clips import Clip

COUNT = 52
FRAME_MS = 1000 // clocks.FPS
# Coefficients of brows, cheek squint, eyes and nose, in the order of MediaPipe's enumeration; the rest (neutral, cheek
# puff, jaw, mouth) is left out of `upper`. One network computes all 52 from the whole face, so `upper` names what the
# numbers say, and does not prove that no mouth is in them; `mesh_face` does.
UPPER = (1, 2, 3, 4, 5, *range(7, 23), 50, 51)
PARTS = {"all": tuple(range(COUNT)), "upper": UPPER}


class Settings(ExtractorSettings):
    """Which coefficients, by which model bundle.

    Attributes:
        weights: face_landmarker.task; None = where the registry puts it.
        parts: "all" coefficients or those of the "upper" face.
    """

    network = asset = "face_landmarker"
    weights: str | None = None
    parts: Literal["all", "upper"] = "all"


class Extractor:
    """(n_frames, 52 or 23) float32 in [0, 1] at 25 fps (asset face_landmarker)."""

    name = "mediapipe_blendshapes"
    version = "1"
    fps: float | None = float(clocks.FPS)
    source_fields: tuple[str, ...] = ("track_sha256",)

    def __init__(self, settings: Settings) -> None:
        """Check the model bundle.

        Raises:
            UserError: the file is absent.
        """
        found = local_asset("face_landmarker", settings.weights)
        self.weights_sha256: str | None = found.sha256
        self.settings: dict[str, Any] = {"parts": settings.parts}
        self._columns = list(PARTS[settings.parts])
        self.dim: int | None = len(self._columns)
        self._model, self._crops = found.path.read_bytes(), Crops()

    def extract(self, clip: Clip) -> np.ndarray:
        """Return the feature of a clip; a frame without face holds the nearest frame's values.

        Raises:
            UserError: the clip has no track, or the network finds no face in any of its face crops.
        """
        values, found = coefficients(self._model, self._crops.face(clip))
        if not found.any():
            raise UserError(
                f"no face in any of {len(found)} face crops of clip '{clip.id}'; look at the clip, or leave it out"
            )
        known = np.flatnonzero(found)
        nearest = known[np.abs(np.arange(len(found))[:, None] - known[None]).argmin(axis=1)]
        return values[nearest][:, self._columns]


def coefficients(model: bytes, faces: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Follow one face through RGB pictures, from a fresh state.

    Args:
        model: content of face_landmarker.task.
        faces: (height, width, 3) uint8, in order at 25 fps.

    Returns:
        coefficients (frames, 52) float32, zero where no face was found; found (frames,) bool.
    """
    import mediapipe
    from mediapipe.tasks.python import BaseOptions, vision

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model),
        running_mode=vision.RunningMode.VIDEO,
        num_faces=1,
        output_face_blendshapes=True,
    )
    rows = []
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        for number, face in enumerate(faces):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(face))
            shapes = landmarker.detect_for_video(image, number * FRAME_MS).face_blendshapes
            rows.append({shape.index: shape.score for shape in shapes[0]} if shapes else {})
    values = np.array([[row.get(index, 0.0) for index in range(COUNT)] for row in rows], np.float32)
    return values, np.array([bool(row) for row in rows])
