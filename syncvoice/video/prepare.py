"""Prepare one clip: decode, find and follow the face, cut mouth and face."""

import hashlib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import numpy as np

from syncvoice.errors import UserError
from syncvoice.video.crop import (
    FACE_SIZE,
    MOUTH_SIZE,
    box_transforms,
    crops,
    decode_jpeg,
    encode_jpeg,
    grey,
    mouth_transforms,
)
from syncvoice.video.decode import ClipProblem, FrameSource, decode_clip
from syncvoice.video.detect import FaceDetector, make_detector
from syncvoice.video.track import Track, make_track


@dataclass(frozen=True)
class PrepareSettings:
    """Limits and sizes of the prepare step (section `prepare` of a study).

    Attributes:
        detector: mediapipe_mesh or mediapipe_tasks.
        detector_model: path of face_landmarker.task, for mediapipe_tasks.
        min_confidence: of the face detector; higher excludes more clips.
        min_face_share: least share of frames in which the face must be found.
        max_gap_frames: longest run of frames without face that is interpolated.
        two_faces: "exclude" refuses clips with a second face, "ignore" follows the face found first.
        face_checks: number of frames, spread over the clip, in which faces are counted.
        length_tolerance_frames: sound may differ from the picture by this much; it is padded or cut.
        min_frames: shorter clips are refused.
        mouth_size, face_size: pixels of the stored crops.
    """

    detector: str = "mediapipe_mesh"
    detector_model: str | None = None
    min_confidence: float = 0.5
    min_face_share: float = 0.8
    max_gap_frames: int = 5
    two_faces: Literal["exclude", "ignore"] = "exclude"
    face_checks: int = 3
    length_tolerance_frames: float = 5.0
    min_frames: int = 10
    mouth_size: int = MOUTH_SIZE
    face_size: int = FACE_SIZE

    @classmethod
    def of(cls, values: dict[str, Any]) -> "PrepareSettings":
        """Return settings with `values` over the defaults.

        Raises:
            UserError: a key is unknown or two_faces has another value.
        """
        known = [field.name for field in fields(cls)]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise UserError(f"prepare settings hold unknown keys {', '.join(unknown)}; known are {', '.join(known)}")
        settings = cls(**values)
        if settings.two_faces not in ("exclude", "ignore"):
            raise UserError(f"prepare setting two_faces is {settings.two_faces!r}; choose exclude or ignore")
        return settings

    def make_detector(self) -> FaceDetector:
        """Return the detector that these settings name."""
        return make_detector(self.detector, self.detector_model, self.min_confidence)


@dataclass(frozen=True)
class PreparedClip:
    """A clip ready to be stored: sound (960 * n_frames,) at 24 kHz, track, JPEG bytes of mouth and face crops."""

    audio: np.ndarray
    n_frames: int
    track: Track
    mouth: list[np.ndarray]
    face: list[np.ndarray]

    def track_sha256(self) -> str:
        """Return the digest of landmarks and boxes."""
        return hashlib.sha256(self.track.landmarks.tobytes() + self.track.box.tobytes()).hexdigest()


def prepare_clip(media: Path, detector: FaceDetector, settings: PrepareSettings) -> PreparedClip:
    """Decode a video, follow its face and cut the crops.

    Raises:
        ClipProblem: the clip cannot be used; says why.
    """
    clip = decode_clip(media, settings.length_tolerance_frames, settings.min_frames)
    track = follow_face(clip.frames, detector, settings)
    to_face = box_transforms(track.box, settings.face_size)
    mouth = _mouth_jpegs(clip.frames, track, settings)
    face = [encode_jpeg(image) for image in crops(clip.frames, to_face, settings.face_size)]
    return PreparedClip(clip.audio, clip.n_frames, track, mouth, face)


def follow_face(frames: FrameSource, detector: FaceDetector, settings: PrepareSettings) -> Track:
    """Return the track of the only face of a clip.

    Raises:
        ClipProblem: no_face, face_lost or two_faces.
    """
    if settings.two_faces == "exclude":
        wanted = set(np.linspace(0, frames.count() - 1, settings.face_checks).round().astype(int).tolist())
        counts = detector.count_faces([frame for number, frame in enumerate(frames) if number in wanted])
        if max(counts, default=0) > 1:
            frame = sorted(wanted)[int(np.argmax(counts))]
            raise ClipProblem(
                "two_faces",
                f"more than one face in frame {frame}; cut the picture to the speaker or set two_faces to ignore",
            )
    landmarks, found = detector.detect(frames)
    track = make_track(landmarks, found, settings.max_gap_frames)
    if found.mean() < settings.min_face_share:
        raise ClipProblem(
            "face_lost",
            f"face found in {found.mean():.0%} of the frames, at least {settings.min_face_share:.0%} are needed; "
            "use a clip that shows the face throughout",
        )
    return track


def _mouth_jpegs(frames: FrameSource, track: Track, settings: PrepareSettings) -> list[np.ndarray]:
    """Return the JPEG bytes of a clip's mouth crops."""
    matrices = mouth_transforms(track.landmarks, settings.mouth_size)
    return [encode_jpeg(grey(image)) for image in crops(frames, matrices, settings.mouth_size)]


_DETECTORS: dict[PrepareSettings, FaceDetector] = {}


def _detector(settings: PrepareSettings) -> FaceDetector:
    """Return the detector of these settings; it is made once per process."""
    if settings not in _DETECTORS:
        _DETECTORS[settings] = settings.make_detector()
    return _DETECTORS[settings]


def track_video(media: Path, settings: PrepareSettings | None = None) -> Track:
    """Follow the face of a video file outside any data set; the file needs no sound.

    Raises:
        UserError: the clip cannot be used; says why.
    """
    settings = settings or PrepareSettings()
    try:
        return follow_face(FrameSource(media), _detector(settings), settings)
    except ClipProblem as problem:
        raise UserError(f"{media}: {problem.message}") from problem


def mouth_and_audio(media: Path, settings: PrepareSettings | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mouth crops (frames, 96, 96) uint8 grey and mono 24 kHz sound (960 * frames,) of a video file.

    The pixels are those that a track shard of the file would give, JPEG included.

    Raises:
        UserError: the clip cannot be used; says why.
    """
    settings = settings or PrepareSettings()
    try:
        clip = decode_clip(media, settings.length_tolerance_frames, settings.min_frames)
        track = follow_face(clip.frames, _detector(settings), settings)
    except ClipProblem as problem:
        raise UserError(f"{media}: {problem.message}") from problem
    mouth = [decode_jpeg(data, colour=False) for data in _mouth_jpegs(clip.frames, track, settings)]
    return np.stack(mouth), clip.audio
