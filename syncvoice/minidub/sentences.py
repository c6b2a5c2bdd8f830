"""What natural voices say, and who may hear it: train, validation or test, by the content of the sentence.

Kinds: "grid" (GRID grammar), "everyday" and "unpredictable" (open English), "phrases" (English phrase bank), "zh",
"es" and "ja" (the same bank in Mandarin, Spanish and Japanese) and "zh_open" (unpredictable Mandarin). Test and
validation sentences are each a tenth of all contents and are said in no pool that a shipped weight learns from.
"""

from zlib import crc32

import numpy as np

from syncvoice.errors import UserError
from syncvoice.minidub import open_english, open_mandarin, phrases
from syncvoice.minidub.phrases import Sentence

VERSION = f"1.{phrases.VERSION}.{open_english.VERSION}.{open_mandarin.VERSION}"
KINDS = ("grid", "everyday", "unpredictable", "phrases", "zh", "zh_open", "es", "ja")
SPLITS = ("train", "validation", "test")
SPLIT_RULE = "crc32(content, UTF-8) % 10: 0 test, 1 validation, else train; the content of a translation is its English"


def split_of(sentence: Sentence) -> str:
    """Return "train", "validation" or "test"; the same as `phrases.split_of` for test sentences."""
    rest = int(sentence.sentence_id.rsplit("-", 1)[1], 16) % phrases.TEST_MODULUS
    return {0: "test", 1: "validation"}.get(rest, "train")


def draw_sentence(kind: str, split: str, draw: np.random.Generator) -> Sentence:
    """Draw a sentence of a kind and split.

    Args:
        kind: one of KINDS.
        split: one of SPLITS.
        draw: random numbers; how many it takes depends on what it draws.

    Raises:
        UserError: unknown kind or split.
    """
    if kind not in KINDS or split not in SPLITS:
        raise UserError(f"no sentences of kind {kind!r} and split {split!r}; expected {KINDS} and {SPLITS}")
    while True:
        sentence = _draw(kind, draw)
        if split_of(sentence) == split:
            return sentence


def _draw(kind: str, draw: np.random.Generator) -> Sentence:
    if kind == "grid":
        bank = phrases.grid_sentences()
        return bank[int(draw.integers(len(bank)))]
    if kind == "phrases" or kind in phrases.PHRASE_LANGUAGES:
        pairs = phrases.phrase_bank()
        return pairs[int(draw.integers(len(pairs)))].said_in("en" if kind == "phrases" else kind)
    if kind == "zh_open":
        words = open_mandarin.draw_sentence(draw)
        text = "".join(words)
        return Sentence(text, "zh", "open", f"open-zh-{crc32(text.encode()):08x}", words)
    templates = open_english.EVERYDAY if kind == "everyday" else open_english.UNPREDICTABLE
    text = open_english.draw_sentence(draw, templates)
    return Sentence(text, "en", kind, f"{kind}-en-{crc32(text.encode()):08x}")
