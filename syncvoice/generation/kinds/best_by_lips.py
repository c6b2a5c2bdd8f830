"""Of another row's candidates, the one whose sounds go best with the lips: no lip-sync network is asked.

The lip timing network says which lip shapes are seen when, the phone head of the small recogniser which phones are
heard when. Whatever the language, a phone has a lip shape (`lip_timing.visemes`), so the two compare.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from syncvoice.generation.choosing import ChoiceSettings, choose_all
from syncvoice.generation.mouths import face_of
from syncvoice.generation.work import Row, Work
from syncvoice.records.tasks import Utterance

if TYPE_CHECKING:
    from syncvoice.lip_timing.network import LipReader
    from syncvoice.records.clips import Clip

NEEDS_RECIPE = False
CHOOSES = True
USES_CARD = False
CLIP_FEATURES: tuple[str, ...] = ()  # the tracked mesh comes with the manifest
REFERENCE_FEATURES: tuple[str, ...] = ()

Lips = tuple[np.ndarray, np.ndarray]  # (rows, 15) log probabilities over those of any time, bool (rows,) if seen


class Settings(ChoiceSettings):
    """The lip timing network and the recogniser judge together."""

    lip_timing: str
    recogniser: str


def speak(settings: Settings, work: Work) -> list[Row]:
    """Choose; a clip whose lips are not seen to move keeps its first candidate.

    Raises:
        UserError: weights or candidates are missing, or a clip has no tracked face.
    """
    from syncvoice.lip_timing.network import LipReader
    from syncvoice.networks.recogniser import CtcRecogniser
    from syncvoice.records.clips import clips_of

    reader, recogniser = LipReader.load(Path(settings.lip_timing)), CtcRecogniser.load(Path(settings.recogniser))
    clips, seen = {clip.id: clip for clip in clips_of(work.manifest)}, dict[str, Lips | None]()

    def judge(utterance: Utterance, sound: np.ndarray) -> float:
        """Judge one candidate."""
        if utterance.clip not in seen:
            seen[utterance.clip] = lips_of(reader, clips[utterance.clip])
        lips = seen[utterance.clip]
        log_probs, _ = recogniser.phone_log_probs(sound)
        return 0.0 if lips is None else agreement(lips, shapes_heard(log_probs.numpy(), recogniser.phones))

    return choose_all(settings, work, judge)


def lips_of(reader: "LipReader", clip: "Clip") -> Lips | None:
    """Return how much likelier than at any time each lip shape is in every row of 10 ms; None if no lips move.

    Raises:
        UserError: the clip has no tracked face.
    """
    from syncvoice.lip_timing.network import averaged
    from syncvoice.lip_timing.timing import evidence_of

    found = evidence_of(reader, face_of(clip))
    return None if found is None else (averaged(found[0]) - reader.log_prior, found[1])


def shapes_heard(log_probs: np.ndarray, phones: tuple[str, ...]) -> np.ndarray:
    """Sum log probabilities of phones (frames, phones) over lip shapes: probabilities (frames, 15)."""
    from syncvoice.lip_timing.visemes import N_VISEMES, visemes_of

    shape_of = np.eye(N_VISEMES)[visemes_of(phones)]
    return np.asarray(np.exp(log_probs) @ shape_of)


def agreement(lips: Lips, heard: np.ndarray) -> float:
    """Return the mean of how much likelier the lips make the shapes that are heard, in nats per seen row.

    Args:
        lips: of the mouth, 100 rows per second.
        heard: probabilities (frames, 15) of the sound, which follows the mouth by SOUND_AFTER_S, at the same rate.
    """
    from syncvoice.lip_timing.network import ROWS_PER_SECOND
    from syncvoice.lip_timing.timing import SOUND_AFTER_S

    lead, seen = lips
    heard = heard[round(SOUND_AFTER_S * ROWS_PER_SECOND) :]
    rows = min(len(lead), len(heard))
    counted = seen[:rows]
    return float((lead[:rows] * heard[:rows]).sum(-1)[counted].mean()) if counted.any() else 0.0
