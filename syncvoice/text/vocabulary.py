"""The 360 symbols of the Emilia tokenizer and their ids (facts of the reference implementation).

Ids 0-158 are the symbols of piper-phonemize for espeak IPA; 159-359 are Mandarin pieces in code point order: initials
with the suffix 0, finals with tone 1-5 (5 is neutral).
"""

from functools import lru_cache

_ASCII_PART = "_^$ !'(),-.:;?abcdefhijklmnopqrstuvwxyz"
_IPA_PART = (
    "æçðøħŋœǀǁǂǃɐɑɒɓɔɕɖɗɘəɚɛɜɞɟɠɡɢɣɤɥɦɧɨɪɫɬɭɮɯɰɱɲɳɴɵɶɸɹɺɻɽɾʀʁʂʃʄʈʉʊʋʌʍʎʏʐʑʒʔʕʘʙʛʜʝʟʡʢʲ"
    'ˈˌːˑ˞βθχᵻⱱ0123456789\u0327\u0303\u032a\u032f\u0329ʰˤε↓#"↑\u033a\u033bgʦX\u031d\u030a'
)
_INITIALS = "b c ch d f g h j k l m n p q r s sh t w x y z zh"
_FINALS = {
    "12345": "a ai an ang ao e ei en eng i ia ian iang iao ie in ing iu o ong ou u uai uan uang ui un uo",
    "2345": "er g n",
    "1234": "iong ua ue ê",
    "1245": "m",
    "234": "v",
    "34": "ve",
    "5": "ng",
}


def _pinyin_pieces() -> list[str]:
    initials = [f"{initial}0" for initial in _INITIALS.split()]
    finals = [final + tone for tones, names in _FINALS.items() for final in names.split() for tone in tones]
    return sorted(initials + finals)


@lru_cache(maxsize=1)
def emilia_symbols() -> tuple[str, ...]:
    """Return the 360 symbols; the index is the id, index 0 the pad "_"."""
    return (*_ASCII_PART, *_IPA_PART, *_pinyin_pieces())


@lru_cache(maxsize=1)
def emilia_ids() -> dict[str, int]:
    """Return symbol -> id."""
    return {symbol: index for index, symbol in enumerate(emilia_symbols())}
