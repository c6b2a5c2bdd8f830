"""MiniDub spoken by espeak-ng: formant synthesis, for tests and where the natural voices cannot be had."""

from collections.abc import Sequence
from dataclasses import replace

from syncvoice import seeding
from syncvoice.clocks import FPS, SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.minidub import phrases
from syncvoice.minidub.engine import MIN_FRAMES, PlannedClip, Wanted
from syncvoice.minidub.phrases import Sentence
from syncvoice.minidub.speech import Delivery, Speech, random_delivery, synthesise
from syncvoice.minidub.voices import PRETRAIN_VOICES, TRAIN_VOICES, UNSEEN_VOICES, Voice

VERSION = f"1.{phrases.VERSION}"
REFERENCE_FRAMES = 50  # 2 s: a reference is spoken faster or with another sentence until it fits
_MAX_RATE = 400  # words per minute of a hurried reference
_VOICES = {
    "train": (TRAIN_VOICES,),
    "unseen": (UNSEEN_VOICES,),
    "both": (TRAIN_VOICES, UNSEEN_VOICES),
    "pretrain": (PRETRAIN_VOICES,),
}
CARD = f"""\
- **Speech**: espeak-ng (GPL-3, a separate package) at {SAMPLE_RATE} Hz, formant synthesis, no natural voice;
  sentences of the GRID grammar and of a bank of English and Mandarin phrases. Rate, silences, pauses, pitch and three
  intensities vary at random, so that the text does not tell the timing.
- **Phone times**: those that espeak-ng reports.
- **Held out**: test sentences and these voices are unknown to every shipped weight:
  {", ".join(voice.name for voice in UNSEEN_VOICES)}.
"""


def voices(group: str, language: str) -> tuple[tuple[Voice, ...], ...]:
    """Return groups of voices; every one speaks both languages.

    Raises:
        UserError: there are no voices for validation.
    """
    if group not in _VOICES:
        raise UserError(f"espeak has no voices {group!r}; expected one of {', '.join(_VOICES)}, or engine kokoro")
    return _VOICES[group]


def compute_in(arithmetic: str) -> None:
    """Do nothing: formant synthesis has no arithmetic to choose (the settings say so too)."""


def is_seen(voice: Voice) -> bool:
    """Whether shipped weights have heard a voice."""
    return voice not in UNSEEN_VOICES


def sentences(language: str, source: str, wanted: Wanted) -> list[Sentence]:
    """Draw different sentences.

    Raises:
        UserError: fewer exist, or there is no such split.
    """
    bank: Sequence[Sentence] = phrases.sentences(language, source, wanted.sentences) if wanted.n else ()
    bank = [sentence for sentence in bank if wanted.fits(sentence)]
    if wanted.n > len(bank):
        raise UserError(
            f"split {wanted.split!r} asks for {wanted.n} sentences of {source}/{language}, only {len(bank)} exist"
        )
    order = seeding.rng(wanted.seed, "minidub", wanted.split, language, source).permutation(len(bank))
    return [bank[index] for index in order[: wanted.n]]


def translations(wanted: Wanted, language: str, into: str) -> list[tuple[Sentence, Sentence]]:
    """Draw English sentences with their translations, none of them kept for references.

    Raises:
        UserError: fewer exist, or other languages are asked for.
    """
    if (language, into) != ("en", "zh"):
        raise UserError(f"espeak's voices translate en into zh, not {language} into {into}; take engine kokoro")
    pairs = phrases.sample_translation_pairs(2 * wanted.n, wanted.seed, wanted.sentences)
    free = [(pair.english, pair.mandarin) for pair in pairs if wanted.fits(pair.english)]
    if len(free) < wanted.n:
        raise UserError(
            f"{wanted.n} translation pairs asked for, only {len(free)} of those drawn are free; ask for fewer"
        )
    return free[: wanted.n]


def speak(planned: PlannedClip, seed: int, max_frames: int | None) -> tuple[Speech, Delivery]:
    """Speak a planned clip with its own random delivery, between MIN_FRAMES and `max_frames` long."""
    delivery = random_delivery(seeding.rng(seed, planned.clip, "delivery"), planned.sentence)
    if max_frames is not None:
        delivery = replace(delivery, pauses=(), lead_s=min(delivery.lead_s, 0.15), tail_s=min(delivery.tail_s, 0.15))
    speech = synthesise(planned.sentence, planned.voice, delivery)
    while max_frames is not None and speech.n_frames > max_frames and delivery.rate_wpm < _MAX_RATE:
        delivery = replace(delivery, rate_wpm=round(delivery.rate_wpm * 1.08))
        speech = synthesise(planned.sentence, planned.voice, delivery)
    if speech.n_frames < MIN_FRAMES and max_frames is None:
        delivery = replace(delivery, tail_s=delivery.tail_s + (MIN_FRAMES - speech.n_frames) / FPS)
        speech = synthesise(planned.sentence, planned.voice, delivery)
    return speech, delivery


def speak_translation(planned: PlannedClip, speech: Speech, seed: int) -> Speech | None:
    """Return None: a formant voice in Mandarin is no reference for anything."""
    return None


def columns(delivery: Delivery) -> dict[str, str]:
    """Return the columns of clips.csv about the delivery."""
    return {"intensity": delivery.intensity, "rate": f"{delivery.rate_wpm} wpm"}
