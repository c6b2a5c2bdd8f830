"""Symbols of the tokenizers and their ids, and the file `tokens.txt` that lists them (facts of the reference).

The 360 symbols of the Emilia tokenizer: ids 0-158 are those of piper-phonemize for espeak IPA; 159-359 are Mandarin
pieces in code point order: initials with the suffix 0, finals with tone 1-5 (5 is neutral).
"""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.files import atomic_path

PAD = "_"
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


@lru_cache(maxsize=1)
def character_symbols() -> tuple[str, ...]:
    """Return the symbols of the LibriTTS tokenizer: pad, space, marks, capitals.

    Our choice: the file of the LibriTTS recipe is not at hand; its weights must be read with their own `tokens.txt`.
    """
    return (PAD, *" !',.?", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ")


def read_vocabulary(path: Path | str) -> dict[str, int]:
    """Read `tokens.txt`: one `token TAB id` per line, the token may be a space, ids count from 0, the pad is "_".

    Returns:
        symbol -> id, in the order of the ids.

    Raises:
        UserError: the file is missing, or a line, an id or the pad is wrong; the message names the line.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path} does not exist; it lists the symbols of the weights and must lie beside them")
    found: dict[str, int] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        line = line.removesuffix("\r")
        if not line:
            continue
        symbol, tab, index = line.rpartition("\t")
        if not tab or not symbol or not index.isdecimal():
            raise UserError(f"{path} line {number} is {line!r}, expected a token, a TAB and an id")
        if symbol in found:
            raise UserError(f"{path} line {number} repeats the token {symbol!r}; every token has one id")
        found[symbol] = int(index)
    if sorted(found.values()) != list(range(len(found))):
        raise UserError(f"{path} holds {len(found)} tokens, but their ids are not 0 to {len(found) - 1}, each once")
    if PAD not in found:
        raise UserError(f"{path} holds no pad token {PAD!r}; is it the tokens.txt of these weights?")
    return dict(sorted(found.items(), key=lambda item: item[1]))


def write_vocabulary(path: Path | str, symbols: Iterable[str]) -> None:
    """Write `tokens.txt`; the position of a symbol is its id."""
    with atomic_path(path) as temporary:
        lines = (f"{symbol}\t{index}\n" for index, symbol in enumerate(symbols))
        temporary.write_text("".join(lines), encoding="utf-8", newline="\n")
