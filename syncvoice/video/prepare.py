"""Prepare one clip: decode, find and follow the face, cut mouth and face."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.section import Probability, Section
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
from syncvoice.video.decode import ClipProblem, FrameSource, Limits, decode_clip, fit, read_sound
from syncvoice.video.detect import FaceDetector, make_detector
from syncvoice.video.several import Rule, choose, follow_faces
from syncvoice.video.shots import Watched, check_cuts, check_view
from syncvoice.video.track import Track, make_track


class PrepareSettings(Section):
    """Limits and sizes of the prepare step (section `prepare` of a study).

    Attributes:
        detector: mediapipe_mesh or mediapipe_tasks.
        detector_model: path of face_landmarker.task, for mediapipe_tasks.
        min_confidence: of the face detector; higher excludes more clips.
        min_face_share: least share of frames in which the face must be found.
        max_gap_frames: longest run of frames without face that is interpolated.
        several_faces: "exclude" refuses clips with a second face, "speaking" follows every face and takes the one whose
            lips go with the sound, "longest" the one seen longest, "first" follows the face found first.
        face_checks: number of frames, spread over the clip, in which faces are counted (rule "exclude").
        min_face_pixels: least side of the face box, from forehead to chin.
        max_yaw_degrees: how far the head may be turned, in more than
        max_profile_share: of the frames.
        length_tolerance_frames: sound may differ from the picture by this much; it is padded or cut.
        min_frames: shorter clips are refused.
        max_pixels, max_seconds: larger and longer files are refused, whatever their size on disk.
        cut_above_seconds: longer videos are cut at pauses (see `pieces`); None cuts none.
        mouth_size, face_size: pixels of the stored crops.
    """

    detector: Literal["mediapipe_mesh", "mediapipe_tasks"] = "mediapipe_mesh"
    detector_model: str | None = None
    min_confidence: Probability = 0.5
    min_face_share: Probability = 0.8
    max_gap_frames: int = Field(default=5, ge=0)
    several_faces: Rule = "exclude"
    face_checks: int = Field(default=3, ge=1)
    min_face_pixels: float = Field(default=48.0, ge=0)
    max_yaw_degrees: float = Field(default=50.0, ge=0)
    max_profile_share: Probability = 0.2
    length_tolerance_frames: float = Field(default=5.0, ge=0)
    min_frames: int = Field(default=10, ge=1)
    max_pixels: int = Field(default=Limits.max_pixels, ge=1)
    max_seconds: float = Field(default=600.0, gt=0)
    cut_above_seconds: float | None = Field(default=None, gt=0)
    mouth_size: int = Field(default=MOUTH_SIZE, ge=16)
    face_size: int = Field(default=FACE_SIZE, ge=16)

    @property
    def limits(self) -> Limits:
        """What a file may unfold to."""
        return Limits(self.max_pixels, self.max_seconds)

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
    clip = decode_clip(media, settings.length_tolerance_frames, settings.min_frames, settings.limits)
    track = follow_face(clip.frames, detector, settings, clip.audio)
    to_face = box_transforms(track.box, settings.face_size)
    mouth = _mouth_jpegs(clip.frames, track, settings)
    face = [encode_jpeg(image) for image in crops(clip.frames, to_face, settings.face_size)]
    return PreparedClip(clip.audio, clip.n_frames, track, mouth, face)


def follow_face(
    frames: Iterable[np.ndarray], detector: FaceDetector, settings: PrepareSettings, sound: np.ndarray | None = None
) -> Track:
    """Return the track of the only face of a clip, or of the one that `several_faces` chooses.

    Args:
        frames: RGB; with "exclude" a `FrameSource`, which can be read twice.
        detector: that finds them.
        settings: limits and rule.
        sound: (960 * frames,) at 24 kHz, for "speaking".

    Raises:
        ClipProblem: no usable face; says why.
    """
    rule = settings.several_faces
    if rule == "exclude":
        _check_alone(frames, detector, settings.face_checks)  # type: ignore[arg-type]
    watched = Watched(frames)
    if rule in ("speaking", "longest"):
        detections = detector.detect_all(watched)
        check_cuts(detections, watched.differences, settings.max_gap_frames)
        faces = follow_faces(detections, settings.max_gap_frames)
        choice = choose(faces, rule, settings.min_face_share, sound)
        landmarks, found, n_faces = choice.face.landmarks, choice.face.found, choice.n_faces
    else:
        landmarks, found = detector.detect(watched)
        check_cuts(_one_each(landmarks, found), watched.differences, settings.max_gap_frames)
        n_faces = 1
    track = make_track(landmarks, found, settings.max_gap_frames)
    _check_track(track, settings)
    return replace(track, n_faces=n_faces, rule=rule)


def _check_alone(frames: FrameSource, detector: FaceDetector, checks: int) -> None:
    """Refuse a clip with a second face in one of a few frames.

    Raises:
        ClipProblem: several_faces.
    """
    wanted = set(np.linspace(0, frames.count() - 1, checks).round().astype(int).tolist())
    counts = detector.count_faces([frame for number, frame in enumerate(frames) if number in wanted])
    if max(counts, default=0) > 1:
        raise crowd_problem(sorted(wanted)[int(np.argmax(counts))])


def crowd_problem(frame: int) -> ClipProblem:
    """Return the problem of a second face."""
    return ClipProblem(
        "several_faces",
        f"more than one face in frame {frame}; cut the picture to the speaker, or set several_faces to speaking, "
        "longest or first",
    )


def _one_each(landmarks: np.ndarray, found: np.ndarray) -> list[np.ndarray]:
    """Return one face, or none, per frame, as `detect_all` would."""
    return [points[None] if seen else points[None][:0] for points, seen in zip(landmarks, found, strict=True)]


def _check_track(track: Track, settings: PrepareSettings) -> None:
    """Refuse a face that is lost too often, too small or turned away.

    Raises:
        ClipProblem: face_lost, small_face or profile.
    """
    share = track.found.mean()
    if share < settings.min_face_share:
        raise ClipProblem(
            "face_lost",
            f"face found in {share:.0%} of the frames, at least {settings.min_face_share:.0%} are needed; "
            "use a clip that shows the face throughout",
        )
    sides = track.box[:, 2] - track.box[:, 0]
    limits = settings.min_face_pixels, settings.max_yaw_degrees, settings.max_profile_share
    check_view(track.landmarks, track.found, sides, *limits)


def _mouth_jpegs(frames: FrameSource, track: Track, settings: PrepareSettings) -> list[np.ndarray]:
    """Return the JPEG bytes of a clip's mouth crops."""
    matrices = mouth_transforms(track.landmarks, settings.mouth_size)
    return [encode_jpeg(grey(image)) for image in crops(frames, matrices, settings.mouth_size)]


def sound_for(frames: FrameSource, settings: PrepareSettings) -> np.ndarray | None:
    """Return the sound (960 * frames,) of a video if the rule of choosing a face listens to it, else None.

    Raises:
        UserError: it is needed and cannot be read.
    """
    if settings.several_faces != "speaking":
        return None
    n_samples = clocks.samples(frames.count())
    try:
        return fit(read_sound(frames.path, frames.start_s, settings.limits), n_samples)
    except ClipProblem as problem:
        raise UserError(f"{frames.path}: several_faces is speaking, which needs sound: {problem.message}") from problem


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
        frames = FrameSource(media, limits=settings.limits)
        return follow_face(frames, _detector(settings), settings, sound_for(frames, settings))
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
        clip = decode_clip(media, settings.length_tolerance_frames, settings.min_frames, settings.limits)
        track = follow_face(clip.frames, _detector(settings), settings, clip.audio)
    except ClipProblem as problem:
        raise UserError(f"{media}: {problem.message}") from problem
    mouth = [decode_jpeg(data, colour=False) for data in _mouth_jpegs(clip.frames, track, settings)]
    return np.stack(mouth), clip.audio
