"""Of another row's candidates, the one whose wanted text is the likeliest by the small CTC recogniser."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from syncvoice.generation.choosing import ChoiceSettings, choose_all
from syncvoice.generation.work import Row, Work
from syncvoice.records.tasks import Utterance

if TYPE_CHECKING:
    from syncvoice.networks.recogniser import CtcRecogniser

NEEDS_RECIPE = False
CHOOSES = True
USES_CARD = False
CLIP_FEATURES: tuple[str, ...] = ()
REFERENCE_FEATURES: tuple[str, ...] = ()


class Settings(ChoiceSettings):
    """The recogniser judges."""

    recogniser: str


def speak(settings: Settings, work: Work) -> list[Row]:
    """Choose.

    Raises:
        UserError: weights or candidates are missing.
    """
    from syncvoice.networks.recogniser import CtcRecogniser

    recogniser = CtcRecogniser.load(Path(settings.recogniser))

    def judge(utterance: Utterance, sound: np.ndarray) -> float:
        """Judge one candidate."""
        return log_likelihood(recogniser, sound, utterance.text, utterance.language)

    return choose_all(settings, work, judge)


def log_likelihood(recogniser: "CtcRecogniser", sound: np.ndarray, text: str, language: str) -> float:
    """Return the log probability of a text per symbol, summed over all CTC paths.

    Symbols of the other language count as in `CtcRecogniser.transcribe`: they cannot be spoken.

    Args:
        recogniser: of the symbols.
        sound: (samples,) at 16 kHz.
        text: what should be heard.
        language: of the text, "en" or "zh".

    Returns:
        natural logarithm, at most 0; -inf where the text has no known symbol, or the sound is too short for it.
    """
    import torch
    from torch.nn.functional import ctc_loss

    from syncvoice.networks.recogniser import BLANK
    from syncvoice.text.normalise import normalise

    symbols = torch.tensor(recogniser.encode(normalise(text, language)))
    if not len(symbols):
        return float("-inf")
    log_probs, _ = recogniser.log_probs(sound)
    log_probs = log_probs.masked_fill(~recogniser.symbol_mask(language), float("-inf")).log_softmax(-1)
    lengths = (torch.tensor([len(log_probs)]), torch.tensor([len(symbols)]))
    loss = ctc_loss(log_probs[:, None], symbols[None], *lengths, blank=BLANK, reduction="sum")
    return -float(loss) / len(symbols)
