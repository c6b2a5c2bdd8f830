"""Follow the speaker through the cues of a video: every cue is a clip of its own, the video is decoded once more."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.dubbing.script import Cue
from syncvoice.errors import UserError
from syncvoice.video.decode import ClipProblem, FrameSource
from syncvoice.video.detect import FaceDetector
from syncvoice.video.prepare import PrepareSettings, follow_face
from syncvoice.video.track import Track

if TYPE_CHECKING:
    from torch import Tensor

Found = Track | ClipProblem


def follow_cues(frames: FrameSource, cues: Sequence[Cue], two_faces: str, on_frame: Callable[[], None]) -> list[Found]:
    """Return the track of each cue, or why there is none.

    Args:
        frames: of the whole video.
        cues: rising in time, not overlapping.
        two_faces: "exclude" or "ignore", see `PrepareSettings`.
        on_frame: called after every frame of a cue.
    """
    settings = PrepareSettings.of({"two_faces": two_faces})
    detector, stream, position, found = _detector(), iter(frames), 0, []
    for cue in cues:
        for _ in islice(stream, cue.start - position):
            pass
        found.append(_follow(islice(stream, cue.n_frames), cue, detector, settings, on_frame))
        position = cue.stop
    return found


@lru_cache(maxsize=1)
def _detector() -> FaceDetector:
    """Return the detector of the prepare step; it is made once per process."""
    return PrepareSettings().make_detector()


def _follow(
    frames: Iterable[np.ndarray], cue: Cue, detector: FaceDetector, settings: PrepareSettings, on_frame: Callable
) -> Found:
    """Return the track of one cue in a single pass, so that a long cue needs no memory for its frames."""
    wanted = set(np.linspace(0, cue.n_frames - 1, settings.face_checks).round().astype(int).tolist())
    crowded: list[int] = []

    def watched() -> Iterator[np.ndarray]:
        """Pass frames on; count faces in some of them."""
        for number, frame in enumerate(frames):
            if settings.two_faces == "exclude" and number in wanted and detector.count_faces([frame])[0] > 1:
                crowded.append(number)
            yield frame
            on_frame()

    stream: Any = watched()
    problem: ClipProblem | None = None
    try:
        track = follow_face(stream, detector, replace(settings, two_faces="ignore"))
    except ClipProblem as error:
        problem = error
    if crowded:
        advice = "cut the picture to the speaker or set two_faces to ignore"
        return ClipProblem("two_faces", f"more than one face in frame {crowded[0]}; {advice}")
    return problem or track


def visual_features(track: Track, modalities: Sequence[str], dims: dict[str, int]) -> dict[str, "Tensor"]:
    """Features of a track, per modality (n_frames, dim).

    Raises:
        UserError: the model was trained with features of another kind.
    """
    import torch

    from syncvoice.features.base import make_extractor

    features = {}
    for modality in modalities:
        extractor: Any = make_extractor(modality)
        if dims[modality] != extractor.dim:
            raise UserError(
                f"the model hears {dims[modality]} {modality} features per frame and {extractor.name} makes "
                f"{extractor.dim}; take a model trained with {extractor.name}, or set the scale of {modality} to 0"
            )
        features[modality] = torch.from_numpy(extractor.from_landmarks(track.landmarks))
    return features
