"""MiniDub spoken by natural voices (Kokoro): known phone times, and voices that say both languages.

English clips are spoken by voices made for English. Those in other languages by these and by voices made for Mandarin,
so that dubbing into another language knows the same voices.
"""

from dataclasses import replace

from syncvoice import seeding
from syncvoice.clocks import FPS, SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.minidub import natural_speech, natural_voices, phrases
from syncvoice.minidub import sentences as all_sentences
from syncvoice.minidub.engine import MIN_FRAMES, PlannedClip, Wanted
from syncvoice.minidub.natural_speech import NaturalDelivery, carry_out, natural_seconds, random_delivery
from syncvoice.minidub.natural_voices import TRAIN_VOICES, UNSEEN_VOICES, VALIDATION_VOICES, NaturalVoice, blends
from syncvoice.minidub.phrases import Sentence
from syncvoice.minidub.sentences import SPLITS, draw_sentence, split_of
from syncvoice.minidub.speech import Speech

VERSION = f"1/{natural_voices.VERSION}/{all_sentences.VERSION}/{natural_speech.VERSION}"
REFERENCE_FRAMES = 62  # 2.5 s: a reference is spoken faster until it fits
MAX_FRAMES = 90  # 3.6 s: a clip loses its pauses, then is spoken faster until it fits
SURPRISING = 1 / 3  # share of the open English training sentences that are semantically unpredictable
SIMILAR = 0.2  # largest relative difference between the durations of a sentence and its translation
TRANSLATION_RATES = (0.7, 1.4)
_VOICES = {
    "train": (TRAIN_VOICES,),
    "validation": (VALIDATION_VOICES,),
    "unseen": (UNSEEN_VOICES,),
    "both": (TRAIN_VOICES, UNSEEN_VOICES),
}
CARD = f"""\
- **Speech**: Kokoro-82M v1.0 (hexgrad, Apache-2.0) at {SAMPLE_RATE} Hz, natural voices made by a network; sentences
  of the GRID grammar, everyday and (in training) semantically unpredictable English sentences, and a bank of Mandarin
  phrases. Rate (0.8 to 1.3 times the voice's own), silences, pauses and three intensities vary at random, so that the
  text does not tell the timing. The network's author says that it learned partly from synthetic speech of closed
  services.
- **Phone times**: the durations that the network speaks with, moved by the 55 ms by which it sounds early. The row
  `ground_truth` of a study's tables (phone-time error) says how far forced alignment of the sound is from them.
- **Two languages, one voice**: a translation clip has a recording of the same voice saying the translation.
- **Held out**: test and validation sentences and these voices are unknown to every shipped weight:
  {", ".join(voice.name for voice in UNSEEN_VOICES)} (test), {", ".join(voice.name for voice in VALIDATION_VOICES)}
  (validation).
"""


def compute_in(arithmetic: str) -> None:
    """Let this process speak in an arithmetic of the network: "int8" or "bf16"."""
    natural_speech.compute_in(arithmetic)


def voices(group: str, language: str) -> tuple[tuple[NaturalVoice, ...], ...]:
    """Return groups of voices: for English those made for it, for other languages all.

    Raises:
        UserError: no such group.
    """
    known = {**_VOICES, "pretrain": (TRAIN_VOICES + blends(),)}
    if group not in known:
        raise UserError(f"natural voices have no group {group!r}; expected one of {', '.join(known)}")
    groups = known[group]
    return tuple(tuple(v for v in members if language != "en" or v.language == "en") for members in groups)


def is_seen(voice: NaturalVoice) -> bool:
    """Whether shipped weights have heard a voice."""
    return natural_voices.is_seen(voice)


def sentences(language: str, source: str, wanted: Wanted) -> list[Sentence]:
    """Draw different sentences.

    Raises:
        UserError: hardly so many different ones exist, or there is no such split.
    """
    if wanted.sentences not in SPLITS:
        raise UserError(f"split {wanted.split!r} asks for sentences {wanted.sentences!r}; expected one of {SPLITS}")
    draw = seeding.rng(wanted.seed, "natural minidub", wanted.split, language, source)
    found: dict[str, Sentence] = {}
    for attempt in range(1000 * max(wanted.n, 1)):
        if len(found) == wanted.n:
            return list(found.values())
        sentence = draw_sentence(_kind(language, source, wanted.sentences, attempt), wanted.sentences, draw)
        if wanted.fits(sentence):
            found[sentence.text] = sentence
    raise UserError(
        f"split {wanted.split!r} asks for {wanted.n} sentences of {source}/{language}, {len(found)} were found; "
        "ask for fewer"
    )


def _kind(language: str, source: str, split: str, number: int) -> str:
    """Kind of sentence for a source; open English mixes kinds in training."""
    if source == "grid" or language != "en":
        return source if source == "grid" else language
    surprising = split == "train" and number % round(1 / SURPRISING) == 0
    return "unpredictable" if surprising else "everyday"


def translations(wanted: Wanted, language: str, into: str) -> list[tuple[Sentence, Sentence]]:
    """Draw phrases of a language with translations that take about as long, none of them kept for references.

    Raises:
        UserError: fewer exist, or there are no phrases in one of the languages.
    """
    bank = [pair for pair in phrases.phrase_bank() if split_of(pair.english) == wanted.sentences]
    voice = TRAIN_VOICES[0]
    found: list[tuple[Sentence, Sentence]] = []
    for index in seeding.rng(wanted.seed, "natural pairs", wanted.split).permutation(len(bank)):
        if len(found) == wanted.n:
            break
        pair = bank[index]
        if not wanted.fits(pair.english):
            continue
        own, other = pair.said_in(language), pair.said_in(into)
        seconds = natural_seconds(own, voice)
        if abs(seconds - natural_seconds(other, voice)) <= SIMILAR * seconds:
            found.append((own, other))
    if len(found) < wanted.n:
        raise UserError(f"{wanted.n} translation pairs asked for, only {len(found)} exist; ask for fewer")
    return found


def speak(planned: PlannedClip, seed: int, max_frames: int | None) -> tuple[Speech, NaturalDelivery]:
    """Speak a planned clip with its own random delivery, between MIN_FRAMES and `max_frames` (or MAX_FRAMES) long."""
    delivery = random_delivery(seeding.rng(seed, planned.clip, "delivery"), planned.sentence)
    if max_frames is not None:
        delivery = replace(delivery, pauses=(), lead_s=min(delivery.lead_s, 0.15), tail_s=min(delivery.tail_s, 0.15))
    speech, delivery = carry_out(planned.sentence, planned.voice, delivery, max_frames or MAX_FRAMES)
    if speech.n_frames < MIN_FRAMES and max_frames is None:
        delivery = replace(delivery, tail_s=delivery.tail_s + (MIN_FRAMES - speech.n_frames) / FPS)
        speech, delivery = carry_out(planned.sentence, planned.voice, delivery, MAX_FRAMES)
    return speech, delivery


def speak_translation(planned: PlannedClip, speech: Speech, seed: int) -> Speech | None:
    """Speak the translation with the clip's voice in the time that the clip speaks: same start, same length."""
    if planned.translation is None:
        return None
    start, end = speech.words[0].start_s, speech.words[-1].end_s
    own = random_delivery(seeding.rng(seed, planned.clip, "translation"), planned.translation)
    delivery = NaturalDelivery(1.0, round(start, 3), 0.08, (), own.intensity)
    said, _ = carry_out(planned.translation, planned.voice, delivery)
    rate = (said.words[-1].end_s - said.words[0].start_s) / (end - start)
    delivery = replace(delivery, rate=round(min(max(rate, TRANSLATION_RATES[0]), TRANSLATION_RATES[1]), 3))
    said, delivery = carry_out(planned.translation, planned.voice, delivery, speech.n_frames)
    missing = speech.n_frames - said.n_frames
    if missing:
        delivery = replace(delivery, tail_s=delivery.tail_s + missing / FPS)
        said, _ = carry_out(planned.translation, planned.voice, delivery, speech.n_frames)
    return said


def columns(delivery: NaturalDelivery) -> dict[str, str]:
    """Return the columns of clips.csv about the delivery."""
    return {"intensity": delivery.intensity, "rate": f"{delivery.rate:.3f}"}
