"""Phones grouped by what the lips show: 14 classes and silence (our choice), over `syncvoice.text.phones`."""

from collections.abc import Sequence

import numpy as np

from syncvoice.errors import UserError
from syncvoice.text.phones import PHONE_CLASSES, SILENCE

_GROUPS: tuple[tuple[str, str], ...] = (
    ("silence", SILENCE),
    ("lips", "p b m pʰ"),
    ("lip_teeth", "f v"),
    ("dental", "θ ð"),
    ("alveolar", "t d n l ɾ tʰ"),
    ("sibilant", "s z tɕ tɕʰ ɕ ts tsʰ"),
    ("hushing", "ʃ ʒ tʃ dʒ ʈʂ ʈʂʰ ʂ ʐ"),
    ("rhotic", "ɹ ɚ ɜ"),
    ("back", "k ɡ ŋ h ʔ kʰ x"),
    ("pursed", "w u ʊ y"),
    ("spread", "i ɪ j ɨ"),
    ("front", "ɛ æ eɪ"),
    ("open", "a ɑ ʌ aɪ aʊ"),
    ("round", "ɔ oʊ ɔɪ"),
    ("neutral", "ə ɤ"),
)
VISEME_NAMES = tuple(name for name, _ in _GROUPS)
N_VISEMES = len(VISEME_NAMES)
_CLASS = {phone: number for number, (_, phones) in enumerate(_GROUPS) for phone in phones.split()}
OF_PHONE_CLASS = np.array([_CLASS[phone] for phone in PHONE_CLASSES])  # viseme of every entry of PHONE_CLASSES


def visemes_of(phones: Sequence[str]) -> np.ndarray:
    """Return the class, int64 (phones,), of phones of PHONE_CLASSES.

    Raises:
        UserError: an unknown phone.
    """
    unknown = sorted(set(phones) - set(_CLASS))
    if unknown:
        raise UserError(f"phones {', '.join(unknown)} have no lip shape; extend syncvoice.lip_timing.visemes")
    return np.array([_CLASS[phone] for phone in phones], np.int64)
