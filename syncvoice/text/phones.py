"""Phone classes shared by English and Mandarin, and the mapping of espeak-ng's phoneme names to them.

espeak-ng names Mandarin phonemes half in ASCII ("ts.h", "o-", "i."); compound finals and r-coloured vowels are cut
into their parts, so that lip shapes and recognisers see one inventory. The mapping is our choice.
"""

import re

from syncvoice.errors import UserError

SILENCE = "_"
PHONE_CLASSES: tuple[str, ...] = (
    SILENCE,
    *("p", "b", "m", "f", "v", "θ", "ð", "t", "d", "n", "l", "ɾ", "s", "z", "ʃ", "ʒ", "tʃ", "dʒ", "ɹ", "j", "w"),
    *("k", "ɡ", "ŋ", "h", "ʔ", "pʰ", "tʰ", "kʰ", "x", "tɕ", "tɕʰ", "ɕ", "ts", "tsʰ", "ʈʂ", "ʈʂʰ", "ʂ", "ʐ"),
    *("i", "ɪ", "ɛ", "æ", "a", "ɑ", "ɔ", "ʊ", "u", "ʌ", "ə", "ɚ", "ɜ", "y", "ɤ", "ɨ", "eɪ", "aɪ", "ɔɪ", "aʊ", "oʊ"),
)
_INDEX = {symbol: index for index, symbol in enumerate(PHONE_CLASSES)}
_MARKS = re.compile("[ˈˌːˑ0-9\u0361\u0329\u200d]")
_PARTS: dict[str, tuple[str, ...]] = {
    "ph": ("pʰ",),
    "th": ("tʰ",),
    "kh": ("kʰ",),
    "χ": ("x",),
    "tɕh": ("tɕʰ",),
    "tsh": ("tsʰ",),
    "ts.": ("ʈʂ",),
    "ts.h": ("ʈʂʰ",),
    "s.": ("ʂ",),
    "i.": ("ɨ",),
    "i̪": ("ɨ",),
    "o-": ("ɤ",),
    "o": ("ɔ",),
    "ɑu": ("aʊ",),
    "ai": ("aɪ",),
    "ei": ("eɪ",),
    "ou": ("oʊ",),
    "iou": ("i", "oʊ"),
    "iɛ": ("i", "ɛ"),
    "iɑ": ("i", "ɑ"),
    "iɑu": ("i", "aʊ"),
    "iə": ("i", "ə"),
    "uo": ("u", "ɔ"),
    "uə": ("u", "ə"),
    "ua": ("u", "a"),
    "uɑ": ("u", "ɑ"),
    "uai": ("u", "aɪ"),
    "uei": ("u", "eɪ"),
    "yɛ": ("y", "ɛ"),
    "yæ": ("y", "ɛ"),
    "yə": ("y", "ə"),
    "onɡ": ("ʊ", "ŋ"),
    "ionɡ": ("i", "ʊ", "ŋ"),
    "ər": ("ɚ",),
    "ɑr": ("ɑ", "ɹ"),
    "ɐ": ("ə",),
    "ᵻ": ("ɪ",),
    "əl": ("ə", "l"),
    "ɔɹ": ("ɔ", "ɹ"),
    "oɹ": ("ɔ", "ɹ"),
    "ɪɹ": ("ɪ", "ɹ"),
    "ɑɹ": ("ɑ", "ɹ"),
    "ɛɹ": ("ɛ", "ɹ"),
    "ʊɹ": ("ʊ", "ɹ"),
    "aɪə": ("aɪ", "ə"),
    "aɪɚ": ("aɪ", "ɚ"),
    "ɒ": ("ɑ",),
    "r": ("ɹ",),
    "g": ("ɡ",),
}


def canonical_phones(symbol: str) -> tuple[str, ...]:
    """Return the phones of PHONE_CLASSES that one espeak-ng phoneme name stands for; () for pauses and marks.

    Raises:
        UserError: a part of the name is in no class.
    """
    name = _MARKS.sub("", symbol)
    if name in _PARTS:
        return _PARTS[name]
    if name in _INDEX:
        return (name,)
    phones: list[str] = []
    for letter in name:
        if letter not in _PARTS and letter not in _INDEX:
            raise UserError(
                f"phoneme {symbol!r} holds {letter!r}, which is in no phone class; extend syncvoice.text.phones"
            )
        phones += _PARTS.get(letter, (letter,))
    return tuple(phones)


def phone_class(symbol: str) -> int:
    """Return the index in PHONE_CLASSES of a phone or of the first phone of an espeak-ng name; "" is silence."""
    if symbol in _INDEX:
        return _INDEX[symbol]
    phones = canonical_phones(symbol)
    return _INDEX[phones[0]] if phones else 0
