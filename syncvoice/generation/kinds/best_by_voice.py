"""Of another row's candidates, the one whose voice is nearest to the reference recording by the small CAM++.

The same network gives the model its speaker embedding. It may choose as well, but never score.
"""

from pathlib import Path

import numpy as np

from syncvoice.errors import UserError
from syncvoice.generation.choosing import ChoiceSettings, choose_all
from syncvoice.generation.work import Row, Work
from syncvoice.records.tasks import Utterance

NEEDS_RECIPE = False
CHOOSES = True
USES_CARD = False
CLIP_FEATURES: tuple[str, ...] = ()
REFERENCE_FEATURES: tuple[str, ...] = ("speaker",)


class Settings(ChoiceSettings):
    """The speaker encoder judges."""

    speaker_encoder: str


def speak(settings: Settings, work: Work) -> list[Row]:
    """Choose.

    Raises:
        UserError: weights, features or candidates are missing; an utterance has no reference.
    """
    import torch

    from syncvoice.features.speaker import FEATURE, check_speakers
    from syncvoice.generation.requests import references_of
    from syncvoice.networks.camplus import CAMPPlus, fbank

    encoder = CAMPPlus.load(Path(settings.speaker_encoder)).eval()
    known = references_of(work.features_root, work.utterances)
    for stores in known.values():
        check_speakers(stores[FEATURE], settings.speaker_encoder)

    @torch.inference_mode()
    def judge(utterance: Utterance, sound: np.ndarray) -> float:
        """Cosine of a candidate and the reference."""
        if not utterance.reference:
            raise UserError(f"utterance '{utterance.utterance}' has no reference recording whose voice could be wanted")
        wanted = torch.from_numpy(known[utterance.reference_split][FEATURE][utterance.reference])[0]
        return float(torch.cosine_similarity(encoder(fbank(sound)[None])[0], wanted, dim=0))

    return choose_all(settings, work, judge)
