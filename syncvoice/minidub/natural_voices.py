"""Natural voices of MiniDub: published voices of Kokoro and blends of them, and who may hear which.

Every voice speaks all languages of the phrase bank. In a language that it was not made for it borrows ACCENT of its
style from the training or lending voices of its sex that were. Measured on Mandarin by six voices made for English:
Whisper base then misses 10 % of the characters instead of 25 %, the similarity to the voice's own English falls from
0.80 to 0.76 (GE2E; other voices of the same sex: 0.59). Voices named after those of a closed
service, and the whispered one, are left out. Roles
are our choice: `study_unseen` voices are heard by no shipped weight, `validation` voices choose settings and
are heard by none either; `pretrain` voices were made for other languages and only lend their timbre to blends.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from syncvoice.seeding import rng
from syncvoice.text.language import LANGUAGES

VERSION = "2"
N_BLENDS = 400  # blends of training voices that pools draw from
ACCENT = 0.3
_STOCK = {
    "study_train": (
        *("af_aoede", "af_bella", "af_heart", "af_jessica", "af_sky", "bf_alice", "bf_emma", "bf_lily"),
        *("am_adam", "am_fenrir", "am_liam", "am_santa", "bm_daniel", "bm_lewis"),
        *("zf_xiaobei", "zf_xiaoni", "zf_xiaoyi", "zm_yunjian", "zm_yunxia", "zm_yunyang"),
    ),
    "validation": ("af_river", "am_eric"),
    "study_unseen": (
        *("af_kore", "af_sarah", "bf_isabella", "am_michael", "am_puck", "bm_george"),
        *("zf_xiaoxiao", "zm_yunxi"),
    ),
    "pretrain": (
        *("ef_dora", "em_alex", "em_santa", "ff_siwis", "hf_alpha", "hf_beta", "hm_omega", "hm_psi", "if_sara"),
        *("im_nicola", "jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo", "pf_dora", "pm_alex"),
        "pm_santa",
    ),
}
_SEXES = {"f": "female", "m": "male"}


@dataclass(frozen=True)
class NaturalVoice:
    """A voice.

    Attributes:
        name: id used in file names.
        sex: "female" or "male".
        role: "study_train", "validation", "study_unseen" (no weight ever hears it), "pretrain" or "blend".
        parts: (published voice, weight) of the blend; one part for a published voice.
    """

    name: str
    sex: str
    role: str
    parts: tuple[tuple[str, float], ...]

    @property
    def language(self) -> str:
        """Return "zh" for voices made for Mandarin, else "en"; of a blend, the language of its first part."""
        return "zh" if self.parts[0][0].startswith("z") else "en"

    def style(self, language: str) -> np.ndarray:
        """Return the style vector, float32 (256,), for speaking a language."""
        return _style(self, language)


def _stock(role: str) -> tuple[NaturalVoice, ...]:
    return tuple(NaturalVoice(name, _SEXES[name[1]], role, ((name, 1.0),)) for name in _STOCK[role])


@lru_cache(maxsize=2048)
def _style(voice: NaturalVoice, language: str) -> np.ndarray:
    from syncvoice.networks.kokoro import blend

    if language == voice.language:
        return blend(dict(voice.parts))
    stock = LANGUAGES[language].stock
    natives = [v.name for v in TRAIN_VOICES + LENDING_VOICES if v.name[0] in stock and v.sex == voice.sex]
    shares = {name: ACCENT / len(natives) for name in natives}
    for part, weight in voice.parts:
        shares[part] = shares.get(part, 0.0) + (1 - ACCENT) * weight
    return blend(shares)


TRAIN_VOICES = _stock("study_train")
VALIDATION_VOICES = _stock("validation")
UNSEEN_VOICES = _stock("study_unseen")
LENDING_VOICES = _stock("pretrain")
VOICES = {voice.name: voice for voice in TRAIN_VOICES + VALIDATION_VOICES + UNSEEN_VOICES}


@lru_cache(maxsize=1)
def blends() -> tuple[NaturalVoice, ...]:
    """Return the N_BLENDS blends: a training voice with another one or with a lending one, mostly of the same sex."""
    found = []
    for index in range(N_BLENDS):
        draw = rng(1, "blend", index)
        first = TRAIN_VOICES[int(draw.integers(len(TRAIN_VOICES)))]
        others = TRAIN_VOICES if draw.random() < 0.5 else LENDING_VOICES
        same = draw.random() < 0.8
        fitting = [voice for voice in others if voice != first and (voice.sex == first.sex or not same)]
        second = fitting[int(draw.integers(len(fitting)))]
        weight = round(float(draw.uniform(0.4, 0.7)), 3)
        parts = ((first.name, weight), (second.name, round(1.0 - weight, 3)))
        found.append(NaturalVoice(f"blend{index:03d}", first.sex, "blend", parts))
    return tuple(found)


def is_seen(voice: NaturalVoice) -> bool:
    """Tell whether weights may learn from a voice: no part of it is kept for tests or validation."""
    kept = {voice.name for voice in VALIDATION_VOICES + UNSEEN_VOICES}
    return not kept.intersection(part for part, _ in voice.parts)
