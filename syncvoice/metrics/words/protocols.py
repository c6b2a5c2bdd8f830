"""The published word-error protocols, each with its normal form of texts, and one of our own.

Conventions
-----------
A *normaliser* is a tested object with a name and a version: script and transcript go through the same one, and the
version is part of the scorer's version. A *protocol* says which normaliser, which text stands as the reference of the
count, and how clips are put together.

Protocols
---------
styledubber
    Only letters, digits, `_` and spaces stay, digits become words, lower case. The published code counts with the
    transcript as reference, so the errors are divided by the words of the transcript; the table shows the mean over
    clips, and a clip with an empty transcript has no value (not_applicable), as there. How numbers are read is our
    choice (plain cardinals).
corpus
    ASCII and Chinese punctuation removed, lower case, spaces collapsed; all errors over all words of the scripts
    (AlignDiT's rule).
seed_tts
    ASCII and Chinese punctuation removed except the apostrophe, double spaces replaced once, lower case; the mean over
    clips of the rate per clip (Seed-TTS-eval).
by_ear
    Our own: as `corpus`, but digits become words and a word that sounds like a letter or digit of GRID counts as that
    ("at f to" is right for "at f two"): the recogniser is not asked for spelling.
by_ear_capped
    Our own: as `by_ear`, but no clip counts for more than all of its words, and all clips count alike. A transcript
    that repeats itself, or invents a sentence, then does not decide a row alone.

Other languages (by_ear only): no punctuation, lower case; of Japanese every mora of its reading counts as a word, so
that kanji and kana are equal.

Mandarin: the same punctuation is removed, traditional characters are rewritten as simplified ones (OpenCC `t2s`, our
choice; needed because Whisper writes both) and every character counts as a word.
"""

import re
import string
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from syncvoice.metrics.words import homophones
from syncvoice.metrics.words.counting import ErrorCounts, count_errors
from syncvoice.text.language import LANGUAGES

# Code points that the package zhon lists as Chinese punctuation: what both published cleaners remove.
_CHINESE_RANGES = (
    (0xFF01, 0xFF0D), (0xFF0F, 0xFF0F), (0xFF1A, 0xFF20), (0xFF3B, 0xFF40), (0xFF5B, 0xFF64), (0x3000, 0x3003),
    (0x3008, 0x3011), (0x3014, 0x301F), (0x3030, 0x3030), (0x303E, 0x303F), (0x2013, 0x2014), (0x2018, 0x2019),
    (0x201B, 0x201F), (0x2026, 0x2027), (0xFE4F, 0xFE4F), (0xFE51, 0xFE51), (0xFE54, 0xFE54), (0x00B7, 0x00B7),
)  # fmt: skip


def _chinese_punctuation() -> Iterator[str]:
    for first, last in _CHINESE_RANGES:
        yield from map(chr, range(first, last + 1))


PUNCTUATION = frozenset(string.punctuation) | frozenset(_chinese_punctuation())
_REMOVE_ALL = dict.fromkeys(map(ord, PUNCTUATION))
_REMOVE_BUT_APOSTROPHE = dict.fromkeys(map(ord, PUNCTUATION - {"'"}))
_NO_WORD = re.compile(r"[^\w\s]")
_NUMERAL = re.compile(r"\d+")


@dataclass(frozen=True)
class Normaliser:
    """A normal form of texts; `version` changes whenever a result could change.

    Attributes:
        name: protocol and language.
        version: part of every score's scorer version.
        rule: text to words separated by single or more spaces.
    """

    name: str
    version: str
    rule: Callable[[str], str]

    def __call__(self, text: str) -> str:
        """Return the normal form of a text: its words, separated by spaces."""
        return self.rule(text)

    @property
    def label(self) -> str:
        """Name and version."""
        return f"{self.name}-{self.version}"


def _styledubber(text: str) -> str:
    """Letters, digits, underscores and spaces; digits as words; lower case."""
    kept = _NO_WORD.sub("", text)
    return " ".join(_NUMERAL.sub(lambda match: f" {_cardinal(match[0])} ", kept).lower().split())


def _corpus(text: str) -> str:
    """No punctuation, lower case, single spaces."""
    return " ".join(text.translate(_REMOVE_ALL).lower().split())


def _by_ear(text: str) -> str:
    """No punctuation, digits apart from letters and as words, lower case, homophones made equal."""
    spelled = _NUMERAL.sub(lambda match: f" {_cardinal(match[0])} ", _corpus(text.replace("-", " ")))
    return homophones.by_ear(spelled)


def _seed_tts(text: str) -> str:
    """No punctuation but the apostrophe; double spaces replaced once, as the published code does."""
    return text.translate(_REMOVE_BUT_APOSTROPHE).replace("  ", " ").lower()


def _characters(text: str) -> str:
    """Characters separated by spaces: no punctuation (apostrophe included), lower case, simplified."""
    return " ".join("".join(simplified(text).translate(_REMOVE_ALL).lower().split()))


def _plain(text: str) -> str:
    """Return words of any language: no mark of any kind, lower case."""
    return " ".join(_NO_WORD.sub(" ", unicodedata.normalize("NFKC", text)).lower().split())


def _morae(text: str) -> str:
    """Return the morae of a Japanese text, separated by spaces."""
    from syncvoice.text import japanese

    return " ".join(japanese.sounds(text))


@lru_cache(maxsize=1)
def _inflect() -> Any:
    import inflect

    return inflect.engine()


def _cardinal(digits: str) -> str:
    """Read digits as a plain cardinal, words separated by spaces."""
    return str(_inflect().number_to_words(int(digits), andword="")).replace(",", "").replace("-", " ")


@lru_cache(maxsize=1)
def _converter() -> Any:
    import opencc

    return opencc.OpenCC("t2s")


def simplified(text: str) -> str:
    """Return Chinese text in simplified characters."""
    return str(_converter().convert(text))


@dataclass(frozen=True)
class Protocol:
    """How a clip's errors are counted.

    Attributes:
        name: last part of the metric id.
        normalisers: language -> normaliser; a language that is not there cannot be scored.
        divided_by_transcript: the transcript stands as reference, its words are the denominator.
        capped: a clip counts at most as all wrong; rows show the mean over clips.
        mode: `windows` (Whisper's own window loop with timestamps) or `single` (one 30 s window, no timestamps).
    """

    name: str
    normalisers: dict[str, Normaliser]
    divided_by_transcript: bool = False
    capped: bool = False
    mode: str = "windows"

    def metric(self, scorer: str, language: str) -> str:
        """Return the id of the metric: CER for languages without spaces, WER otherwise."""
        rate = LANGUAGES[language].error_rate if language in LANGUAGES else "wer"
        return f"{rate}.{scorer}.{self.name}"

    def count(self, script: str, transcript: str, language: str) -> ErrorCounts | None:
        """Count the errors of a transcript; None where the protocol has no value for the clip.

        Raises:
            ValueError: the script has no word after normalisation.
        """
        rule = self.normalisers[language]
        reference, hypothesis = rule(script), rule(transcript)
        if not self.divided_by_transcript:
            return count_errors(reference, hypothesis)
        if not reference.split():
            raise ValueError("the script has no word left after normalisation; an error rate is not defined")
        return count_errors(hypothesis, reference) if hypothesis.split() else None

    def rate(self, counts: ErrorCounts) -> float:
        """Return a clip's rate."""
        return min(1.0, counts.rate) if self.capped else counts.rate

    def version(self) -> str:
        """Return the versions of the normalisers."""
        return " ".join(normaliser.label for normaliser in self.normalisers.values())


STYLEDUBBER = Protocol("styledubber", {"en": Normaliser("styledubber-en", "1", _styledubber)}, True)
CORPUS = Protocol(
    "corpus", {"en": Normaliser("corpus-en", "1", _corpus), "zh": Normaliser("characters-zh", "1", _characters)}
)
SEED_TTS = Protocol(
    "seed_tts",
    {"en": Normaliser("seed_tts-en", "1", _seed_tts), "zh": Normaliser("characters-zh", "1", _characters)},
    mode="single",
)
BY_EAR = Protocol(
    "by_ear",
    {
        "en": Normaliser("by_ear-en", "1", _by_ear),
        "zh": Normaliser("characters-zh", "1", _characters),
        "ja": Normaliser("morae-ja", "1", _morae),
        **{language: Normaliser(f"plain-{language}", "1", _plain) for language in ("es", "fr", "it", "pt")},
    },
)
BY_EAR_CAPPED = Protocol("by_ear_capped", BY_EAR.normalisers, capped=True)
PROTOCOLS = {protocol.name: protocol for protocol in (STYLEDUBBER, CORPUS, SEED_TTS, BY_EAR, BY_EAR_CAPPED)}
