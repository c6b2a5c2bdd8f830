"""Semantically unpredictable Mandarin sentences over frequent words of jieba's dictionary (inside the package jieba).

They widen what pools say beyond the phrase bank. Templates are ours.
"""

import re
from functools import lru_cache
from pathlib import Path

import numpy as np

VERSION = "1"
_SIZES = {"n": 2500, "v": 1200, "a": 500}  # nouns, verbs, adjectives; two characters each
_SLOT = re.compile(r"[nva]")
TEMPLATES: tuple[str, ...] = (
    "n 在 n 里 v",
    "a 的 n 很 a",
    "n v 了 n",
    "我们 要 v n",
    "这个 n 不 v n",
    "他 的 n 比 n a",
    "你 为什么 v n",
    "n 和 n 都 a",
    "今天 的 n 真 a",
    "她 想 v a 的 n",
    "请 不要 v n",
    "我 喜欢 a 的 n",
)
# Characters of words that are not wanted in any mouth.
_LEFT_OUT = set("死杀性尸奸妓毒党裸淫娼奴战枪弹军恐爆血罪囚")


@lru_cache(maxsize=1)
def words() -> dict[str, tuple[str, ...]]:
    """Return "n", "v", "a" -> two-character words, most frequent first."""
    import importlib.util

    spec = importlib.util.find_spec("jieba")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("the package jieba is not installed")
    rows = Path(spec.origin).with_name("dict.txt").read_text(encoding="utf-8").splitlines()
    found: dict[str, list[tuple[int, str]]] = {kind: [] for kind in _SIZES}
    for row in rows:
        word, count, kind = row.split(" ")
        if kind in found and len(word) == 2 and not _LEFT_OUT.intersection(word):
            found[kind].append((-int(count), word))
    return {kind: tuple(word for _, word in sorted(found[kind])[:size]) for kind, size in _SIZES.items()}


def draw_sentence(draw: np.random.Generator) -> tuple[str, ...]:
    """Draw the words of a sentence."""
    template = TEMPLATES[int(draw.integers(len(TEMPLATES)))]
    filled = _SLOT.sub(lambda match: words()[match[0]][int(draw.integers(len(words()[match[0]])))], template)
    return tuple(filled.split())
