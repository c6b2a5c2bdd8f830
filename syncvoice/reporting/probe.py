"""What lip and face features tell: a linear probe, fitted on the training clips, tested on others.

It answers two questions about an embedded corpus: do the features carry the timing of speech, and does the set without
prosody coupling really hide prosody from the face? Targets per video frame (25 fps):

    energy    mean log mel of the frame
    opening   mouth opening that the phone times imply (syncvoice.text.articulation)
    phone     phone class at the frame's centre

Energy and opening are scored by R², phone by accuracy; the chance level is the best constant guess. Our choice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.records.clips import Clip
from syncvoice.text.articulation import articulation
from syncvoice.text.phones import PHONE_CLASSES, phone_class

COLUMNS = ("split", "features", "target", "measure", "value", "chance", "n_frames")
RIDGE = 1.0  # penalty on standardised features
CONTEXT = (-2, -1, 0, 1, 2)  # frames that the probe sees around its own


@dataclass(frozen=True)
class Frames:
    """Features (frames, dim) and targets of all frames of some clips; targets as in the module's docstring."""

    features: Mapping[str, np.ndarray]
    energy: np.ndarray
    opening: np.ndarray
    phone: np.ndarray


def frames_of(clips: Sequence[Clip], stores: Mapping[str, Mapping[str, np.ndarray]], features: Sequence[str]) -> Frames:
    """Gather frames.

    Args:
        clips: with known phones.
        stores: feature name -> clip id -> values; needs "mel" and `features`.
        features: names of visual features.

    Raises:
        UserError: no clip has phone times.
    """
    known = [clip for clip in clips if clip.phones]
    if not known:
        raise UserError(f"none of {len(clips)} clips has phone times; the probe needs them")
    mels = [stores["mel"][clip.id] for clip in known]
    return Frames(
        {name: np.concatenate([with_context(stores[name][clip.id]) for clip in known]) for name in features},
        np.concatenate([energy_of(mel, clip.n_frames) for mel, clip in zip(mels, known, strict=True)]),
        np.concatenate([articulation(clip.phones, clip.n_frames)[:, 0] for clip in known]),
        np.concatenate([phones_of(clip) for clip in known]),
    )


def with_context(values: np.ndarray) -> np.ndarray:
    """Join each frame with its neighbours: (frames, dim) -> (frames, 5 dim); the ends are repeated."""
    index = np.arange(len(values))
    return np.concatenate([values[np.clip(index + shift, 0, len(values) - 1)] for shift in CONTEXT], axis=1)


def energy_of(mel: np.ndarray, n_frames: int) -> np.ndarray:
    """Mean log mel per video frame, (T, 100) -> (n_frames,)."""
    owner = np.array([clocks.video_frame_of_mel(f) for f in range(len(mel))]).clip(max=n_frames - 1)
    return np.bincount(owner, mel.mean(axis=1), n_frames) / np.maximum(np.bincount(owner, minlength=n_frames), 1)


def phones_of(clip: Clip) -> np.ndarray:
    """Phone class at every frame's centre (n_frames,)."""
    ends = np.array([end for _, _, end in clip.phones])
    index = np.searchsorted(ends, clocks.frame_centres(clip.n_frames), side="right").clip(max=len(ends) - 1)
    return np.array([phone_class(clip.phones[i][0]) for i in index])


class LinearProbe:
    """Ridge regression on standardised features."""

    def __init__(self, features: np.ndarray, targets: np.ndarray) -> None:
        """Fit (frames, dim) to (frames, outputs)."""
        self.mean, self.scale = features.mean(axis=0), features.std(axis=0) + 1e-6
        self.offset = targets.mean(axis=0)
        x = (features - self.mean) / self.scale
        self.weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (targets - self.offset))

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Predict (frames, outputs)."""
        return (features - self.mean) / self.scale @ self.weights + self.offset


def probe(train: Frames, tests: Mapping[str, Frames]) -> list[dict[str, object]]:
    """Fit on `train` and score every test set; rows as COLUMNS."""
    rows = []
    one_hot = np.eye(len(PHONE_CLASSES))[train.phone]
    most_common = int(np.bincount(train.phone).argmax())
    for name, values in train.features.items():
        continuous = LinearProbe(values, np.stack([train.energy, train.opening], axis=1))
        classes = LinearProbe(values, one_hot)
        for split, test in tests.items():
            predicted = continuous(test.features[name])
            shared = {"split": split, "features": name, "n_frames": len(test.phone)}
            for column, target in enumerate(("energy", "opening")):
                value = r_squared(getattr(test, target), predicted[:, column])
                rows.append({**shared, "target": target, "measure": "R2", "value": value, "chance": 0.0})
            accuracy = float((classes(test.features[name]).argmax(axis=1) == test.phone).mean())
            chance = float((test.phone == most_common).mean())
            rows.append({**shared, "target": "phone", "measure": "accuracy", "value": accuracy, "chance": chance})
    return rows


def r_squared(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the variance of `truth` that the prediction explains; negative when worse than the mean."""
    return float(1 - np.square(truth - predicted).sum() / np.square(truth - truth.mean()).sum())
