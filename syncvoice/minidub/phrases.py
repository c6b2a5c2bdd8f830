"""Sentences of MiniDub: the GRID grammar, an open English and a Mandarin phrase bank, and translation pairs.

Both phrase banks come from the same two-language templates, so every phrase has an exact counterpart in the other
language, and in those of `phrases_spanish` and `phrases_japanese`. Which split a sentence belongs to depends on the
CRC-32 of its content (the English text), about one in ten is `test`: no shipped weight ever saw it, in any language.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Literal
from zlib import crc32

from syncvoice.errors import UserError
from syncvoice.seeding import rng
from syncvoice.text.grid_grammar import SLOTS
from syncvoice.text.language import LANGUAGES

VERSION = "1"  # of grammar and banks; part of the provenance of weights
SPLITS = ("train", "test")
PHRASE_LANGUAGES = ("en", "zh", "es", "ja")
SOURCES = {"grid": ("en",), "phrases": ("en", "zh")}
TEST_MODULUS = 10
SPLIT_RULE = "test when crc32(English text, UTF-8) % 10 == 0, else train; a translation pair has one English text"

_SUBJECTS = (
    ("I", "我"),
    ("we", "我们"),
    ("they", "他们"),
    ("you", "你"),
    ("my mother", "我 妈妈"),
    ("my father", "我 爸爸"),
    ("my friend", "我 朋友"),
    ("the teacher", "老师"),
    ("the doctor", "医生"),
    ("the students", "学生"),
    ("the girl", "女孩"),
    ("the boys", "男孩们"),
)
_MODALS = (("will", "要"), ("can", "能"), ("must", "必须"))
_TIMES = (
    ("today", "今天"),
    ("tomorrow", "明天"),
    ("tonight", "今晚"),
    ("next week", "下周"),
    ("every day", "每天"),
    ("on Friday", "周五"),
    ("this year", "今年"),
)
_ACTIONS = (
    ("buy new books", "买 新书"),
    ("buy some bread", "买 面包"),
    ("drink hot tea", "喝 热茶"),
    ("drink cold water", "喝 冷水"),
    ("drink milk", "喝 牛奶"),
    ("cook dinner", "做 晚饭"),
    ("cook fish", "煮鱼"),
    ("eat noodles", "吃 面条"),
    ("eat apples", "吃 苹果"),
    ("read the letter", "读信"),
    ("write a letter", "写信"),
    ("watch a film", "看 电影"),
    ("play football", "踢 足球"),
    ("sing a song", "唱歌"),
    ("dance", "跳舞"),
    ("learn to swim", "学 游泳"),
    ("learn English", "学 英语"),
    ("clean the kitchen", "打扫 厨房"),
    ("wash the car", "洗车"),
    ("wash the clothes", "洗 衣服"),
    ("open the door", "开门"),
    ("close the window", "关窗"),
    ("feed the dog", "喂狗"),
    ("find the key", "找 钥匙"),
    ("go to school", "去 学校"),
    ("go to the park", "去 公园"),
    ("go to the station", "去 车站"),
    ("go home", "回家"),
    ("go to the sea", "去 海边"),
    ("take the train", "坐 火车"),
    ("ride a horse", "骑马"),
    ("rest", "休息"),
    ("meet a friend", "见 朋友"),
    ("draw a tree", "画树"),
    ("climb the mountain", "爬山"),
    ("help the children", "帮 孩子"),
)
_ADJECTIVES = (
    ("red", "红"),
    ("blue", "蓝"),
    ("white", "白"),
    ("black", "黑"),
    ("green", "绿"),
    ("yellow", "黄"),
    ("new", "新"),
    ("old", "旧"),
    ("small", "小"),
    ("big", "大"),
)
_THINGS = (
    ("apple", "苹果"),
    ("book", "书"),
    ("cat", "猫"),
    ("dog", "狗"),
    ("cup", "杯子"),
    ("hat", "帽子"),
    ("key", "钥匙"),
    ("phone", "手机"),
    ("coat", "外套"),
    ("shoe", "鞋"),
    ("umbrella", "雨伞"),
    ("ball", "球"),
    ("bag", "包"),
    ("picture", "图片"),
)
_PLACES = (
    ("on the table", "桌上"),
    ("under the bed", "床下"),
    ("in the kitchen", "厨房"),
    ("in the garden", "花园"),
    ("in the car", "车里"),
    ("at the door", "门口"),
    ("by the window", "窗边"),
    ("in the box", "盒子里"),
    ("in the room", "房间"),
    ("at school", "学校"),
)
_CITIES = (
    ("Beijing", "北京"),
    ("Shanghai", "上海"),
    ("London", "伦敦"),
    ("Paris", "巴黎"),
    ("New York", "纽约"),
    ("the village", "村子"),
    ("this city", "城市"),
)
_QUALITIES = (("cold", "冷"), ("hot", "热"), ("quiet", "安静"), ("busy", "忙"), ("beautiful", "美"), ("safe", "安全"))
_VERBS = (("need", "需要"), ("have", "有"), ("see", "看见"), ("bought", "买"), ("found", "找到"))
_NUMBERS = (
    ("two", "两"),
    ("three", "三"),
    ("four", "四"),
    ("five", "五"),
    ("six", "六"),
    ("seven", "七"),
    ("eight", "八"),
    ("nine", "九"),
    ("ten", "十"),
)
_COUNTABLE = (
    ("apples", "苹果"),
    ("cups", "杯子"),
    ("balls", "球"),
    ("bags", "包"),
    ("hats", "帽子"),
    ("boxes", "盒子"),
)


_UNFIT = ("绿帽子", "黄书")  # idioms that do not mean the colour


@dataclass(frozen=True)
class Sentence:
    """One sentence.

    Attributes:
        text: as written; Mandarin without spaces or punctuation.
        language: of PHRASE_LANGUAGES.
        source: "grid" or "phrases".
        sentence_id: "{source}-{language}-{crc32 of the English content, hex}"; the two sides of a translation share
            the last part.
        words: `text` cut into words (Mandarin: the words of the template).
    """

    text: str
    language: str
    source: str
    sentence_id: str
    words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Fill `words` when not given: cut at spaces, or in a language without them at every character."""
        if not self.words:
            words = tuple(self.text.split()) if LANGUAGES[self.language].spaced else tuple(self.text)
            object.__setattr__(self, "words", words)


@dataclass(frozen=True)
class Content:
    """What a phrase says, apart from any language: a template and the English of its parts."""

    template: Literal["action", "place", "city", "count", "question"]
    parts: tuple[str, ...]


@dataclass(frozen=True)
class TranslationPair:
    """An English phrase, the Mandarin sentence that means the same, and what both say."""

    english: Sentence
    mandarin: Sentence
    content: Content

    def said_in(self, language: str) -> Sentence:
        """Return the phrase in a language of `PHRASE_LANGUAGES`.

        Raises:
            UserError: another language.
        """
        from syncvoice.minidub import phrases_japanese, phrases_spanish

        if language in ("en", "zh"):
            return self.english if language == "en" else self.mandarin
        if language not in PHRASE_LANGUAGES:
            raise UserError(f"MiniDub has no phrases in {language!r}; expected one of {', '.join(PHRASE_LANGUAGES)}")
        said = (phrases_spanish if language == "es" else phrases_japanese).say(self.content)
        number = self.english.sentence_id.rsplit("-", 1)[1]
        joint = " " if LANGUAGES[language].spaced else ""
        return Sentence(joint.join(said), language, "phrases", f"phrases-{language}-{number}", said)


def _english(text: str, source: str) -> Sentence:
    return Sentence(text, "en", source, f"{source}-en-{crc32(text.encode()):08x}")


def _pair(content: Content, english: str, mandarin: str) -> TranslationPair:
    """`mandarin` holds spaces between words."""
    first = _english(english, "phrases")
    number = first.sentence_id.rsplit("-", 1)[1]
    words = tuple(mandarin.split())
    return TranslationPair(first, Sentence("".join(words), "zh", "phrases", f"phrases-zh-{number}", words), content)


def split_of(sentence: Sentence) -> str:
    """Return "test" (unseen by every shipped weight) for about one sentence content in ten, else "train"."""
    return "test" if int(sentence.sentence_id.rsplit("-", 1)[1], 16) % TEST_MODULUS == 0 else "train"


def _templates() -> Iterator[tuple[Content, str, str]]:
    """Yield content, English, and Mandarin with spaces between words, of every combination, suitable or not."""
    for who, modal, action, time in product(_SUBJECTS, _MODALS, _ACTIONS, _TIMES):
        content = Content("action", (who[0], modal[0], action[0], time[0]))
        yield content, " ".join(content.parts), f"{who[1]} {time[1]} {modal[1]} {action[1]}"
    for kind, thing, place in product(_ADJECTIVES, _THINGS, _PLACES):
        content = Content("place", (kind[0], thing[0], place[0]))
        yield content, f"the {kind[0]} {thing[0]} is {place[0]}", f"{kind[1]}{thing[1]} 在 {place[1]}"
    for city, quality, time in product(_CITIES, _QUALITIES, _TIMES):
        content = Content("city", (city[0], quality[0], time[0]))
        yield content, f"{city[0]} is very {quality[0]} {time[0]}", f"{city[1]} {time[1]} 很 {quality[1]}"
    for who, verb, number, kind, thing in product(_SUBJECTS[:4], _VERBS, _NUMBERS, _ADJECTIVES, _COUNTABLE):
        content = Content("count", (who[0], verb[0], number[0], kind[0], thing[0]))
        english = " ".join(content.parts)
        if crc32(english[::-1].encode()) % 4 == 0:  # a quarter, or this pattern would be most of the bank
            yield content, english, f"{who[1]} {verb[1]} {number[1]}个 {kind[1]}{thing[1]}"
    for thing, place in product(_THINGS, _PLACES):
        content = Content("question", (thing[0], place[0]))
        yield content, f"is my {thing[0]} {place[0]}", f"我的 {thing[1]} 在 {place[1]} 吗"


@lru_cache(maxsize=1)
def phrase_bank() -> tuple[TranslationPair, ...]:
    """Return every phrase with its counterpart: 4-8 English words, 4-9 Mandarin characters, no text twice."""
    pairs: list[TranslationPair] = []
    seen: set[str] = set()
    for content, english, mandarin in _templates():
        pair = _pair(content, english, mandarin)
        texts = (pair.english.text, pair.mandarin.text)
        if not 4 <= len(pair.english.words) <= 8 or not 4 <= len(texts[1]) <= 9 or seen.intersection(texts):
            continue
        if any(words in texts[1] for words in _UNFIT):
            continue
        seen.update(texts)
        pairs.append(pair)
    return tuple(pairs)


@lru_cache(maxsize=1)
def grid_sentences() -> tuple[Sentence, ...]:
    """Return the 64,000 sentences of the GRID grammar in order."""
    return tuple(_english(" ".join(words), "grid") for words in product(*SLOTS))


@lru_cache(maxsize=8)
def sentences(language: str, source: str, split: str) -> tuple[Sentence, ...]:
    """Return every sentence of a language, source ("grid" | "phrases") and split, in a fixed order.

    Raises:
        UserError: no such combination.
    """
    if language not in SOURCES.get(source, ()) or split not in SPLITS:
        raise UserError(
            f"no sentences of language {language!r}, source {source!r}, split {split!r}; "
            "expected grid en or phrases en|zh, and train or test"
        )
    if source == "grid":
        bank: Iterator[Sentence] = iter(grid_sentences())
    else:
        bank = (pair.english if language == "en" else pair.mandarin for pair in phrase_bank())
    return tuple(sentence for sentence in bank if split_of(sentence) == split)


def sample_sentences(language: str, source: str, split: str, n: int, seed: int) -> list[Sentence]:
    """Draw `n` different sentences; the same arguments give the same list, a larger `n` extends it.

    Raises:
        UserError: fewer than `n` sentences exist.
    """
    bank = sentences(language, source, split)
    if n > len(bank):
        raise UserError(f"{n} {split} sentences asked of {source}/{language}, only {len(bank)} exist; ask for fewer")
    order = rng(seed, "sentences", language, source, split).permutation(len(bank))
    return [bank[index] for index in order[:n]]


def sample_translation_pairs(
    n: int, seed: int, split: str = "test", max_difference: float = 0.2
) -> list[TranslationPair]:
    """Draw `n` different pairs whose natural durations (espeak, plain delivery) differ by at most `max_difference`.

    The difference is |English - Mandarin| / English, of the spoken part without leading or trailing silence.

    Raises:
        UserError: fewer than `n` such pairs exist.
    """
    from syncvoice.minidub.speech import natural_duration

    bank = [pair for pair in phrase_bank() if split_of(pair.english) == split]
    pairs: list[TranslationPair] = []
    for index in rng(seed, "pairs", split).permutation(len(bank)):
        if len(pairs) == n:
            break
        english, mandarin = natural_duration(bank[index].english), natural_duration(bank[index].mandarin)
        if abs(english - mandarin) <= max_difference * english:
            pairs.append(bank[index])
    if len(pairs) < n:
        raise UserError(f"{n} translation pairs asked of split {split}, only {len(pairs)} exist; ask for fewer")
    return pairs
