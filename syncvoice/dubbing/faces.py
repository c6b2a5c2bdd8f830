"""Follow the speaker through the cues of a video: every cue is a clip of its own, the video is decoded once more."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice import clocks
from syncvoice.dubbing.script import Cue
from syncvoice.errors import UserError
from syncvoice.features.conditions import Seen, extractor_of
from syncvoice.video.decode import ClipProblem, FrameSource
from syncvoice.video.detect import FaceDetector
from syncvoice.video.prepare import PrepareSettings, crowd_problem, follow_face, sound_for
from syncvoice.video.several import Rule
from syncvoice.video.track import Track

if TYPE_CHECKING:
    from torch import Tensor

Found = Track | ClipProblem
LOOKS = {"max_gap_frames": 10**6, "min_face_share": 0.2}  # lost frames are no obstacle: there the text leads
FILLED_FRAMES = 5  # of a lost face that are interpolated, as in what the models learned from


def follow_cues(
    frames: FrameSource,
    cues: Sequence[Cue],
    several_faces: Rule,
    on_frame: Callable[[], None],
    limits: Mapping[str, Any] | None = None,
) -> list[Found]:
    """Return the track of each cue, or why there is none.

    Args:
        frames: of the whole video.
        cues: rising in time, not overlapping.
        several_faces: rule for a picture with more than one, see `PrepareSettings`.
        on_frame: called after every frame of a cue.
        limits: further settings of `PrepareSettings`.

    Raises:
        UserError: the rule is unknown, or needs sound and there is none.
    """
    settings = PrepareSettings(several_faces=several_faces, **(limits or {}))
    sound = sound_for(frames, settings)
    detector, stream, position, found = _detector(), iter(frames), 0, []
    for cue in cues:
        for _ in islice(stream, cue.start - position):
            pass
        heard = None if sound is None else sound[clocks.samples(cue.start) : clocks.samples(cue.stop)]
        found.append(_follow(islice(stream, cue.n_frames), cue, detector, settings, on_frame, heard))
        position = cue.stop
    return found


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    """Return the detector of the prepare step; it is made once per process."""
    return PrepareSettings().make_detector()


def _follow(
    frames: Iterable[np.ndarray],
    cue: Cue,
    detector: FaceDetector,
    settings: PrepareSettings,
    on_frame: Callable,
    sound: np.ndarray | None,
) -> Found:
    """Return the track of one cue in a single pass, so that a long cue needs no memory for its frames."""
    alone = settings.several_faces == "exclude"
    wanted = set(np.linspace(0, cue.n_frames - 1, settings.face_checks).round().astype(int).tolist())
    crowded: list[int] = []

    def watched() -> Iterator[np.ndarray]:
        """Pass frames on; count faces in some of them."""
        for number, frame in enumerate(frames):
            if alone and number in wanted and detector.count_faces([frame])[0] > 1:
                crowded.append(number)
            yield frame
            on_frame()

    problem: ClipProblem | None = None
    try:
        once = settings.model_copy(update={"several_faces": "first"}) if alone else settings
        track = follow_face(watched(), detector, once, sound)
    except ClipProblem as error:
        problem = error
    if crowded:
        return crowd_problem(crowded[0])
    return problem or track


def seen_of(track: Track) -> tuple[np.ndarray, str]:
    """Return which frames of a track show a face, bool (frames,), and where they do not, for people ("" if they do).

    A face that is lost for FILLED_FRAMES or fewer is interpolated, and counts as seen.
    """
    edges = np.diff(np.concatenate([[0], ~track.found.astype(bool), [0]]).astype(np.int8))
    gaps = [
        (int(start), int(end))
        for start, end in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)
        if end - start > FILLED_FRAMES
    ]
    seen = np.ones(len(track.found), bool)
    for start, end in gaps:
        seen[start:end] = False
    return seen, ", ".join(f"{start / clocks.FPS:.2f} to {end / clocks.FPS:.2f} s" for start, end in gaps)


def extractors_of(seen: Mapping[str, Seen], conditions: Sequence[str]) -> dict[str, Any]:
    """Return the extractors that a model was trained with, of the conditions that guide.

    Raises:
        UserError: one cannot be had here, or needs more than a followed face.
    """
    found = {}
    for condition in conditions:
        found[condition] = extractor_of(condition, seen[condition])
        if not hasattr(found[condition], "from_landmarks"):
            raise UserError(
                f"condition {condition}: {seen[condition].extractor} needs pictures of prepared clips; dub such a "
                f"model with a study (config/wild.yaml), or set the scale of {condition} to 0"
            )
    return found


def visual_features(track: Track, extractors: Mapping[str, Any]) -> dict[str, "Tensor"]:
    """Features of a track, per condition (n_frames, dim)."""
    import torch

    return {name: torch.from_numpy(one.from_landmarks(track.landmarks)) for name, one in extractors.items()}
