"""Face detectors: frames in, mesh landmarks out, behind one small protocol.

Every detector treats a clip as one ordered pass from a fresh state, so the landmarks of a clip do not depend on which
clips came before (a known trap of MediaPipe's video mode). Landmarks are (478, 3) pixels of the source frame: x to the
right, y down, z towards the back, in the same unit.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from syncvoice.errors import UserError
from syncvoice.files import sha256_of

N_POINTS = 478
N_FACE_POINTS = 468  # the rest are iris points
MAX_FACES = 4  # that are followed at once (our choice; each costs time)


class FaceDetector(Protocol):
    """What the pipeline asks of a face detector."""

    name: str
    version: str
    weights_sha256: str | None

    def detect(self, frames: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Track one face through RGB frames; returns landmarks (frames, 478, 3) float32 and found (frames,) bool."""
        ...

    def detect_all(self, frames: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Landmarks (faces, 478, 3) float32 of up to `MAX_FACES` faces of every frame, in any order."""
        ...

    def count_faces(self, frames: Sequence[np.ndarray]) -> list[int]:
        """Number of faces (at most 2) in each of a few frames, each looked at alone."""
        ...


def make_detector(name: str, model: str | None = None, min_confidence: float = 0.5) -> FaceDetector:
    """Return a detector by name.

    Args:
        name: "mediapipe_mesh" (model inside MediaPipe 0.10.21) or "mediapipe_tasks" (needs `model`).
        model: path of face_landmarker.task, for "mediapipe_tasks".
        min_confidence: of detection and tracking; higher finds fewer faces.

    Raises:
        UserError: unknown name, or the model file is missing.
    """
    if name == "mediapipe_mesh":
        return MediaPipeMesh(min_confidence)
    if name == "mediapipe_tasks":
        return MediaPipeTasks(model, min_confidence)
    raise UserError(f"detector '{name}' is unknown; choose mediapipe_mesh or mediapipe_tasks")


class MediaPipeMesh:
    """MediaPipe's bundled face mesh with iris points (solutions API)."""

    name = "mediapipe_mesh"
    weights_sha256: str | None = None  # the weights are part of the package, its version names them

    def __init__(self, min_confidence: float = 0.5) -> None:
        """Load the graphs.

        Raises:
            UserError: the installed MediaPipe has no bundled models.
        """
        with _quiet():
            import mediapipe

            if not hasattr(mediapipe, "solutions"):
                raise UserError(
                    f"MediaPipe {mediapipe.__version__} has no bundled face models; install mediapipe==0.10.21 or set "
                    "detector to mediapipe_tasks with a face_landmarker.task file"
                )
            self.version = mediapipe.__version__
            mesh = self._mesh = mediapipe.solutions.face_mesh.FaceMesh
            limits = {"min_detection_confidence": min_confidence, "min_tracking_confidence": min_confidence}
            self._limits = limits
            self._tracker = mesh(static_image_mode=False, max_num_faces=1, refine_landmarks=True, **limits)
            self._counter = mesh(static_image_mode=True, max_num_faces=2, refine_landmarks=False, **limits)
            for graph in (self._tracker, self._counter):  # start them now, while their chatter is kept away
                graph.process(np.zeros((64, 64, 3), np.uint8))

    def detect(self, frames: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Track one face through RGB frames (height, width, 3) uint8, from a fresh state."""
        with _quiet():
            self._tracker.reset()
            results = [(self._tracker.process(frame).multi_face_landmarks, frame.shape) for frame in frames]
        return _stacked([(found[0] if found else None, shape) for found, shape in results])

    def detect_all(self, frames: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Landmarks of every face of RGB frames (height, width, 3) uint8, from a fresh graph."""
        with (
            _quiet(),
            self._mesh(
                static_image_mode=False, max_num_faces=MAX_FACES, refine_landmarks=True, **self._limits
            ) as tracker,
        ):
            results = [(tracker.process(frame).multi_face_landmarks or (), frame.shape) for frame in frames]
        return [_stacked([(face, shape) for face in faces])[0] for faces, shape in results]

    def count_faces(self, frames: Sequence[np.ndarray]) -> list[int]:
        """Number of faces (at most 2) in each frame."""
        with _quiet():
            return [len(self._counter.process(frame).multi_face_landmarks or ()) for frame in frames]


class MediaPipeTasks:
    """MediaPipe's Tasks API with a `face_landmarker.task` bundle; works with versions that dropped `solutions`."""

    name = "mediapipe_tasks"
    weights_sha256: str | None

    def __init__(self, model: str | None, min_confidence: float = 0.5) -> None:
        """Check the model bundle.

        Raises:
            UserError: the file is missing.
        """
        if model is None or not Path(model).is_file():
            raise UserError(
                f"face landmark model {model!r} does not exist; put face_landmarker.task there or set detector to "
                "mediapipe_mesh"
            )
        with _quiet():
            import mediapipe

        self.version = mediapipe.__version__
        self.weights_sha256 = sha256_of(model)
        self._model = Path(model).read_bytes()
        self._min_confidence = min_confidence

    def detect(self, frames: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Track one face through RGB frames (height, width, 3) uint8; a landmarker is made anew for every clip."""
        return _stacked([(found[0] if found else None, shape) for found, shape in self._track(frames, 1)])

    def detect_all(self, frames: Iterable[np.ndarray]) -> list[np.ndarray]:
        """Landmarks of every face of RGB frames (height, width, 3) uint8."""
        results = self._track(frames, MAX_FACES)
        return [_stacked([(face, shape) for face in faces])[0] for faces, shape in results]

    def _track(self, frames: Iterable[np.ndarray], faces: int) -> list[tuple[Any, tuple[int, ...]]]:
        """Return the normalised landmarks of up to `faces` faces, and the shape, of every frame."""
        import mediapipe

        results = []
        with _quiet(), self._landmarker("VIDEO", faces) as landmarker:
            for number, frame in enumerate(frames):
                image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
                results.append((landmarker.detect_for_video(image, number * 40).face_landmarks, frame.shape))
        return results

    def count_faces(self, frames: Sequence[np.ndarray]) -> list[int]:
        """Number of faces (at most 2) in each frame."""
        import mediapipe

        with _quiet(), self._landmarker("IMAGE", 2) as landmarker:
            images = [
                mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
                for frame in frames
            ]
            return [len(landmarker.detect(image).face_landmarks) for image in images]

    def _landmarker(self, mode: str, faces: int) -> Any:
        """Return a new landmarker in running mode VIDEO or IMAGE."""
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=self._model),
            running_mode=getattr(vision.RunningMode, mode),
            num_faces=faces,
            min_face_detection_confidence=self._min_confidence,
            min_face_presence_confidence=self._min_confidence,
            min_tracking_confidence=self._min_confidence,
        )
        return vision.FaceLandmarker.create_from_options(options)


def _stacked(results: list[tuple[Any, tuple[int, ...]]]) -> tuple[np.ndarray, np.ndarray]:
    """Stack normalised landmarks (or None) and frame shapes to pixels (frames, 478, 3) and found (frames,)."""
    found = np.array([points is not None for points, _ in results], bool)
    landmarks = np.zeros((len(results), N_POINTS, 3), np.float32)
    for number, (points, (height, width, *_)) in enumerate(results):
        if points is not None:
            values = _coordinates(points)
            size = np.array([width, height, width], np.float32)  # z comes in units of the width
            landmarks[number] = values * size
    return landmarks, found


WIRE_ENTRY = {0: 0x0A, 1: 15, 2: 0x0D, 7: 0x15, 12: 0x1D}  # place and value of tags and length in 17 serialised bytes


def _coordinates(points: Any) -> np.ndarray:
    """Return x, y, z (points, 3) float32 of a protobuf list of landmarks or of a sequence of them.

    A list is read from its serialised bytes (one 17-byte entry per point, x, y and z as little-endian floats), which
    takes a twentieth of the time of asking every point for its attributes.
    """
    if hasattr(points, "SerializeToString"):
        data = np.frombuffer(points.SerializeToString(), np.uint8)
        points = points.landmark
        if len(data) == 17 * len(points):
            entries = data.reshape(-1, 17)
            if (entries[:, list(WIRE_ENTRY)] == list(WIRE_ENTRY.values())).all():
                floats = entries[:, [3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16]]
                return np.ascontiguousarray(floats).view("<f4").astype(np.float32, copy=False)
    return np.array([(p.x, p.y, p.z) for p in points], np.float32)


@contextmanager
def _quiet() -> Iterator[None]:
    """Send file descriptor 2 to nowhere: MediaPipe's C++ start-up chatter ignores every log level.

    Exceptions still reach the caller; only what C++ writes while the block runs is lost.
    """
    saved = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(nowhere)
        os.close(saved)
