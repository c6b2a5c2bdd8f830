"""Natural voices: what a delivery asks for is carried out exactly, phone times are where the sound is."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from syncvoice.clocks import FPS, SAMPLE_RATE, samples
from syncvoice.errors import UserError
from syncvoice.minidub import natural_engine, natural_speech, natural_voices
from syncvoice.minidub.engine import PlannedClip, Wanted
from syncvoice.minidub.natural_speech import (
    INTENSITIES,
    NaturalDelivery,
    carry_out,
    natural_seconds,
    random_delivery,
    synthesise,
)
from syncvoice.minidub.natural_voices import TRAIN_VOICES, UNSEEN_VOICES, VALIDATION_VOICES, blends, is_seen
from syncvoice.minidub.phrases import Sentence
from syncvoice.minidub.sentences import KINDS, SPLITS, draw_sentence, split_of
from syncvoice.minidub.speech import Speech
from syncvoice.networks import kokoro
from syncvoice.networks.kokoro import whole_frames
from syncvoice.places import find_weights
from syncvoice.seeding import rng
from syncvoice.text.kokoro_symbols import english_units, mandarin_units, syllable_units
from syncvoice.text.phones import PHONE_CLASSES
from tests.unit.fake_kokoro import FakeKokoro

VOICE = TRAIN_VOICES[0]
TEXT = Sentence("the teacher will read a letter", "en", "everyday", "everyday-en-00000005")


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speak without the network."""
    monkeypatch.setattr(natural_speech, "engine", FakeKokoro)
    natural_seconds.cache_clear()


def sounding(speech: Speech) -> np.ndarray:
    """Times (s) at which 5 ms of sound stand clearly above the noise floor."""
    size = SAMPLE_RATE // 200
    blocks = speech.audio[: len(speech.audio) // size * size].reshape(-1, size)
    return np.flatnonzero(np.abs(blocks).max(1) > 0.02 * np.abs(speech.audio).max()) / 200


@pytest.mark.parametrize("kind", KINDS)
def test_phones_cover_whole_frames(fake: None, kind: str) -> None:
    for index in range(8):
        draw = rng(1, kind, index)
        sentence = draw_sentence(kind, "train", draw)
        speech = synthesise(sentence, blends()[index], random_delivery(draw, sentence))
        assert speech.audio.shape == (samples(speech.n_frames),) and speech.n_frames <= natural_speech.MAX_FRAMES
        assert tuple(word.text for word in speech.words) == sentence.words
        assert speech.phones[0].start_s == 0 and speech.phones[-1].end_s == pytest.approx(speech.n_frames / FPS)
        assert all(a.end_s == pytest.approx(b.start_s) and b.end_s > b.start_s for a, b in pairwise(speech.phones))
        assert all(phone.symbol in PHONE_CLASSES for phone in speech.phones)
        assert all(a.end_s <= b.start_s + 1e-6 for a, b in pairwise(speech.words))


def test_lead_pause_and_tail_are_exact(fake: None) -> None:
    delivery = NaturalDelivery(1.0, lead_s=0.33, tail_s=0.2, pauses=((2, 0.31),))
    speech = synthesise(TEXT, VOICE, delivery)
    heard = sounding(speech)
    assert heard[0] == pytest.approx(0.33, abs=0.015)
    gaps = np.diff(heard)
    assert gaps.max() == pytest.approx(0.31, abs=0.03)
    assert speech.words[3].start_s - speech.words[2].end_s == pytest.approx(0.31, abs=1e-6)
    assert heard[np.argmax(gaps)] == pytest.approx(speech.words[2].end_s, abs=0.02)
    assert speech.n_frames / FPS - speech.words[-1].end_s == pytest.approx(0.2, abs=1 / FPS)


def test_rate_is_exact(fake: None) -> None:
    spoken = {}
    for rate in (0.8, 1.0, 1.25):
        words = synthesise(TEXT, VOICE, NaturalDelivery(rate)).words
        spoken[rate] = words[-1].end_s - words[0].start_s
    assert spoken[0.8] / spoken[1.0] == pytest.approx(1.25, rel=0.03)
    assert spoken[1.25] / spoken[1.0] == pytest.approx(0.8, rel=0.03)
    assert natural_seconds(TEXT, VOICE) == pytest.approx(spoken[1.0], abs=0.05)


def test_intensity_is_heard(fake: None) -> None:
    levels, bright = [], []
    for intensity in INTENSITIES:
        audio = synthesise(TEXT, VOICE, NaturalDelivery(intensity=intensity)).audio
        levels.append(np.sqrt(np.mean(audio**2)))
        bright.append(INTENSITIES[intensity]["tilt"])
    assert levels[0] * 1.5 < levels[1] < levels[2] / 1.4 and bright == sorted(bright)


def test_a_long_delivery_loses_its_pauses_then_is_hurried(fake: None) -> None:
    slow = NaturalDelivery(0.8, 0.2, 0.2, ((1, 0.4), (3, 0.4)))
    plain, _ = carry_out(TEXT, VOICE, replace(slow, pauses=()))
    speech, done = carry_out(TEXT, VOICE, slow, plain.n_frames)
    assert done == replace(slow, pauses=()) and speech.n_frames == plain.n_frames
    speech, done = carry_out(TEXT, VOICE, slow, plain.n_frames - 12)
    assert done.rate > slow.rate and speech.n_frames <= plain.n_frames - 12


def test_whole_frames_keep_the_sum_and_every_symbol() -> None:
    frames = rng(0).uniform(0.2, 9.0, 40)
    for rate in (0.5, 1.0, 1.3, 3.0, 50.0):
        whole = whole_frames(frames, rate)
        assert whole.min() >= 1 and whole.sum() == max(40, round(frames.sum() / rate))
    even = whole_frames(frames)
    assert np.abs(np.cumsum(even) - np.cumsum(frames)).max() < 8
    assert whole_frames(frames, total=77).sum() == 77
    with pytest.raises(ValueError, match="cannot hold"):
        whole_frames(frames, total=39)


def test_symbols_are_known_and_phones_have_classes() -> None:
    rows = english_units("Could you bring the church a nicer orange yearly in the vision of thought".split())
    rows += mandarin_units(["女孩", "吃", "面条", "月亮", "云", "四十", "儿子", "去", "学校"])
    for unit in (unit for row in rows for unit in row):
        assert set(unit.letters) <= set(kokoro.symbol_ids()) and set(unit.phones) <= set(PHONE_CLASSES), unit
    assert "".join(unit.letters for unit in syllable_units("zhong1")) == "ꭧʊ→ŋ"
    assert "".join(unit.letters for unit in syllable_units("nv3")) == "ny↓"
    assert [phone for unit in syllable_units("shi4") for phone in unit.phones] == ["ʂ", "ɨ"]
    with pytest.raises(UserError, match="no pinyin syllable"):
        syllable_units("xyz1")


def test_words_keep_their_place_when_espeak_joins_them() -> None:
    for text in ("is there a hat in the hallway", "out of the box and into the garden"):
        assert len(english_units(text.split())) == len(text.split())


def test_voices_and_sentences_are_kept_apart() -> None:
    kept = {voice.name for voice in UNSEEN_VOICES + VALIDATION_VOICES}
    english = [voice for voice in UNSEEN_VOICES if voice.language == "en"]
    assert len(english) >= 6 and {voice.sex for voice in english} == {"female", "male"}
    assert sum(voice.language == "zh" for voice in UNSEEN_VOICES) >= 2
    assert kept.isdisjoint(voice.name for voice in TRAIN_VOICES)
    assert all(is_seen(voice) for voice in TRAIN_VOICES + blends())
    assert not any(is_seen(voice) for voice in UNSEEN_VOICES + VALIDATION_VOICES)
    assert kept.isdisjoint(part for voice in blends() for part, _ in voice.parts)
    assert {part for voice in blends() for part, _ in voice.parts} <= set(kokoro.styles())
    texts = {split: {draw_sentence(k, split, rng(3, k, i)).text for k in KINDS for i in range(60)} for split in SPLITS}
    assert texts["train"].isdisjoint(texts["test"]) and texts["validation"].isdisjoint(texts["train"] | texts["test"])
    assert all(split_of(draw_sentence(kind, split, rng(4))) == split for kind in KINDS for split in SPLITS)


def test_training_says_many_words() -> None:
    kinds = ("everyday", "unpredictable")
    said = {word for k in kinds for i in range(4000) for word in draw_sentence(k, "train", rng(5, k, i)).words}
    assert len(said) >= 5000


@pytest.mark.parametrize(("language", "into"), [("en", "zh"), ("zh", "en"), ("es", "ja")])
def test_translation_is_said_by_the_same_voice_in_the_same_time(fake: None, language: str, into: str) -> None:
    fitted = 0
    for sentence, translation in natural_engine.translations(
        Wanted(1, "translation", "test", False, 8), language, into
    ):
        assert (sentence.language, translation.language) == (language, into)
        assert split_of(sentence) == split_of(translation) == "test"
        planned = PlannedClip("clip", sentence, UNSEEN_VOICES[0], translation)
        speech, _ = natural_engine.speak(planned, 1, None)
        said = natural_engine.speak_translation(planned, speech, 1)
        assert said is not None and said.n_frames == speech.n_frames
        assert tuple(word.text for word in said.words) == translation.words
        assert said.words[0].start_s == pytest.approx(speech.words[0].start_s, abs=1e-3)
        own = synthesise(translation, planned.voice, NaturalDelivery()).words
        needed = (own[-1].end_s - own[0].start_s) / (speech.words[-1].end_s - speech.words[0].start_s)
        if natural_engine.TRANSLATION_RATES[0] < needed < natural_engine.TRANSLATION_RATES[1]:
            assert said.words[-1].end_s == pytest.approx(speech.words[-1].end_s, abs=0.1)
            fitted += 1
    assert fitted >= 3


def test_engine_offers_every_group_of_voices() -> None:
    for group in ("train", "validation", "unseen", "both", "pretrain"):
        assert all(voice.language == "en" for members in natural_engine.voices(group, "en") for voice in members)
    assert any(voice.language == "zh" for members in natural_engine.voices("unseen", "zh") for voice in members)
    assert all(is_seen(voice) for language in ("en", "zh") for voice in natural_engine.voices("pretrain", language)[0])
    with pytest.raises(UserError, match="expected one of train"):
        natural_engine.voices("everybody", "en")


def test_a_foreign_language_borrows_from_voices_made_for_it() -> None:
    styles = kokoro.styles()
    voice = UNSEEN_VOICES[0]
    assert voice.style("en") == pytest.approx(styles[voice.name])
    natives = [styles[v.name] for v in TRAIN_VOICES if v.language == "zh" and v.sex == voice.sex]
    assert len(natives) == 3
    expected = 0.7 * styles[voice.name] + 0.3 * np.mean(natives, axis=0)
    assert voice.style("zh") == pytest.approx(expected, abs=1e-5)


def test_blend_of_unknown_voices_is_refused() -> None:
    assert kokoro.blend({"af_heart": 2.0}) == pytest.approx(kokoro.styles()["af_heart"])
    with pytest.raises(UserError, match="nobody"):
        kokoro.blend({"nobody": 1.0})
    with pytest.raises(UserError, match="unknown"):
        kokoro.ids_of("§")


has_network = pytest.mark.skipif(
    find_weights(kokoro.ASSET) is None, reason="the network of the natural voices is fetched, not shipped"
)


@has_network
def test_both_parts_equal_the_whole_network() -> None:
    import onnxruntime

    from syncvoice.assets import local_asset

    path = local_asset(kokoro.ASSET).path
    parts, style = kokoro.Kokoro(path), natural_voices.TRAIN_VOICES[2].style("en")
    letters = "plˈAs blˈu æt ˈɛf tˈu nˈW."
    prediction = parts.predict(letters, style)
    frames = np.maximum(np.round(prediction.frames), 1).astype(int)
    audio = parts.speak(letters, style, prediction, frames.tolist())
    whole = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(
        ["audio"],
        {"tokens": np.array([kokoro.ids_of(letters)]), "style": style[None], "speed": np.ones(1, np.float32)},
    )[0]
    np.testing.assert_array_equal(audio, whole)
    longer = parts.speak(letters, style, prediction, (frames * 2).tolist())
    assert len(longer) == 2 * len(audio) == kokoro.FRAME * 2 * frames.sum()
    with pytest.raises(ValueError, match="durations"):
        parts.speak(letters, style, prediction, frames[1:].tolist())


@has_network
def test_same_arguments_same_bytes() -> None:
    delivery = random_delivery(rng(2), TEXT)
    first = synthesise(TEXT, VOICE, delivery)
    synthesise(TEXT, TRAIN_VOICES[1], delivery)
    second = synthesise(TEXT, VOICE, delivery)
    assert np.array_equal(first.audio, second.audio) and first.phones == second.phones
