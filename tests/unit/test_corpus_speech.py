"""Speech of MiniDub, its voices, and the pools the weights learn from."""

import hashlib
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from syncvoice.clocks import FPS, samples
from syncvoice.errors import UserError
from syncvoice.minidub.phrases import sample_sentences, split_of
from syncvoice.minidub.speech import (
    INTENSITIES,
    MAX_FRAMES,
    Delivery,
    Speech,
    natural_duration,
    random_delivery,
    synthesise,
)
from syncvoice.minidub.voices import BACKBONE_VOICES, PRETRAIN_VOICES, STUDY_WER, TRAIN_VOICES, UNSEEN_VOICES, Voice
from syncvoice.pretraining.speech_data import SpeechPool, build, check_seen, plan
from syncvoice.seeding import rng
from syncvoice.text.phones import PHONE_CLASSES, canonical_phones, phone_class
from syncvoice.text.tokenizer import EmiliaTokenizer

KINDS = [("en", "grid"), ("en", "phrases"), ("zh", "phrases")]


def clips(language: str, source: str, n: int) -> list[Speech]:
    found = []
    for index, sentence in enumerate(sample_sentences(language, source, "test", n, 1)):
        voice = (TRAIN_VOICES + UNSEEN_VOICES)[index % 12]
        found.append(synthesise(sentence, voice, random_delivery(rng(0, index), sentence)))
    return found


@pytest.mark.parametrize(("language", "source"), KINDS)
def test_clips_are_whole_frames_and_phones_cover_them(language: str, source: str) -> None:
    for speech in clips(language, source, 40):
        assert speech.n_frames <= MAX_FRAMES
        assert speech.audio.dtype == np.float32
        assert speech.audio.shape == (samples(speech.n_frames),)
        assert 0.05 < np.abs(speech.audio).max() <= 1.0
        assert speech.phones[0].start_s == 0.0
        assert speech.phones[-1].end_s == pytest.approx(speech.n_frames / FPS)
        assert speech.phones[0].symbol == speech.phones[-1].symbol == "_"
        for phone, following in zip(speech.phones, speech.phones[1:], strict=False):
            assert phone.end_s == following.start_s
        assert all(phone.end_s > phone.start_s and phone.symbol in PHONE_CLASSES for phone in speech.phones)


@pytest.mark.parametrize(("language", "source"), KINDS)
def test_words_are_in_order_and_hold_sound(language: str, source: str) -> None:
    for index, speech in enumerate(clips(language, source, 12)):
        sentence = sample_sentences(language, source, "test", 12, 1)[index]
        assert tuple(word.text for word in speech.words) == sentence.words
        for word, following in zip(speech.words, speech.words[1:], strict=False):
            assert word.start_s < word.end_s <= following.start_s + 1e-9
        inside = [
            p for p in speech.phones if p.symbol == "_" and any(w.start_s < p.start_s < w.end_s for w in speech.words)
        ]
        assert not inside


def test_silence_is_where_the_phones_say() -> None:
    for speech in clips("en", "grid", 12):
        level = np.sqrt(np.convolve(speech.audio.astype(np.float64) ** 2, np.ones(480) / 480, mode="same"))
        lead = speech.phones[0].end_s
        assert level[: max(1, int((lead - 0.02) * 24_000))].max() < 1e-3
        assert level[int(lead * 24_000) : int((lead + 0.3) * 24_000)].max() > 5e-3


def test_same_arguments_same_bytes() -> None:
    sentence = sample_sentences("zh", "phrases", "train", 1, 0)[0]
    delivery = random_delivery(rng(1, "a"), sentence)
    assert delivery == random_delivery(rng(1, "a"), sentence)
    first = synthesise(sentence, TRAIN_VOICES[1], delivery)
    synthesise(sentence, TRAIN_VOICES[2], replace(delivery, rate_wpm=240))
    second = synthesise(sentence, TRAIN_VOICES[1], delivery)
    assert np.array_equal(first.audio, second.audio)
    assert first.phones == second.phones


def test_delivery_is_heard() -> None:
    sentence = sample_sentences("en", "grid", "train", 1, 0)[0]
    voice = TRAIN_VOICES[0]
    plain = synthesise(sentence, voice, Delivery(160, lead_s=0.1))
    late = synthesise(sentence, voice, Delivery(160, lead_s=0.4))
    assert late.phones[0].end_s - plain.phones[0].end_s == pytest.approx(0.3, abs=1e-3)
    assert synthesise(sentence, voice, Delivery(230)).words[-1].end_s < plain.words[-1].end_s
    paused = synthesise(sentence, voice, Delivery(160, lead_s=0.1, pauses=((2, 0.3),)))
    gaps = [p.end_s - p.start_s for p in paused.phones[1:-1] if p.symbol == "_"]
    assert len(gaps) == 1
    assert gaps[0] == pytest.approx(0.3, abs=0.05)
    assert paused.words[3].start_s - paused.words[2].end_s == pytest.approx(gaps[0], abs=0.02)
    levels = [np.sqrt(np.mean(synthesise(sentence, voice, Delivery(160, intensity=i)).audio ** 2)) for i in INTENSITIES]
    assert levels[0] * 1.5 < levels[1] < levels[2] / 1.4


def test_long_deliveries_are_hurried() -> None:
    sentence = max(sample_sentences("en", "phrases", "train", 50, 0), key=natural_duration)
    speech = synthesise(sentence, TRAIN_VOICES[0], Delivery(90, 0.45, 0.3, ((0, 0.4), (2, 0.4))))
    assert speech.n_frames <= MAX_FRAMES
    assert speech.words[-1].end_s < MAX_FRAMES / FPS


def test_deliveries_vary() -> None:
    sentence = sample_sentences("en", "grid", "train", 1, 0)[0]
    drawn = [random_delivery(rng(0, index), sentence) for index in range(300)]
    assert {len(d.pauses) for d in drawn} == {0, 1, 2}
    assert {d.intensity for d in drawn} == set(INTENSITIES)
    assert max(d.rate_wpm for d in drawn) > 1.35 * min(d.rate_wpm for d in drawn)
    assert all(0.05 <= d.lead_s <= 0.45 and all(0.08 <= s <= 0.4 for _, s in d.pauses) for d in drawn)


@pytest.mark.parametrize(
    ("symbol", "phones"),
    [
        *[("ˈuː", ("u",)), ("ˈɔːɹ", ("ɔ", "ɹ")), ("tʃ", ("tʃ",)), ("ts.h", ("ʈʂʰ",)), ("ˈonɡ", ("ʊ", "ŋ")), ("", ())],
        *[("ˈiou", ("i", "oʊ")), ("o-", ("ɤ",)), ("i̪", ("ɨ",)), ("əl", ("ə", "l")), ("ᵻ", ("ɪ",)), ("_", ("_",))],
    ],
)
def test_canonical_phones(symbol: str, phones: tuple[str, ...]) -> None:
    assert canonical_phones(symbol) == phones
    assert phone_class(symbol) == (PHONE_CLASSES.index(phones[0]) if phones else 0)


def test_phone_classes() -> None:
    assert PHONE_CLASSES[0] == "_"
    assert len(set(PHONE_CLASSES)) == len(PHONE_CLASSES)
    assert all(phone_class(symbol) == index for index, symbol in enumerate(PHONE_CLASSES))
    with pytest.raises(UserError, match="phone class"):
        canonical_phones("Ω")


def test_voices() -> None:
    assert len(TRAIN_VOICES) >= 8
    assert len(UNSEEN_VOICES) >= 4
    assert len(PRETRAIN_VOICES) >= 60
    names, unseen = {v.name for v in PRETRAIN_VOICES}, {v.name for v in UNSEEN_VOICES}
    assert len(names) == len(PRETRAIN_VOICES)
    assert not names & unseen
    assert not {v.variant for v in PRETRAIN_VOICES} & {v.variant for v in UNSEEN_VOICES}
    assert {v.name for v in TRAIN_VOICES} <= {v.name for v in BACKBONE_VOICES} <= names
    for group, role in ((TRAIN_VOICES, "study_train"), (UNSEEN_VOICES, "study_unseen")):
        assert {v.role for v in group} == {role}
        assert sum(v.sex == "female" for v in group) * 2 == len(group)
    assert set(STUDY_WER) == {v.name for v in TRAIN_VOICES + UNSEEN_VOICES}
    assert max(STUDY_WER.values()) <= 0.15


def test_pool(tmp_path: Path) -> None:
    path = tmp_path / "pool.h5"
    build(path, 24, 3, BACKBONE_VOICES)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    build(path, 24, 3, BACKBONE_VOICES)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    pool = pickle.loads(pickle.dumps(SpeechPool(path)))
    assert len(pool) == 24
    assert {pool[i].source for i in range(24)} == {"grid", "phrases"}
    planned = plan(24, 3, BACKBONE_VOICES, {"grid": 0.4, "phrases": 0.2, "zh": 0.4})
    for index, (sentence, voice) in enumerate(planned):
        assert split_of(sentence) == "train"
        one = pool[index]
        assert (one.text, one.language, one.source, one.voice) == (
            sentence.text,
            sentence.language,
            sentence.source,
            voice.name,
        )
        assert len(one.audio) == samples(one.n_frames) == pool.n_samples[index]
        assert one.phones[-1].end_s == pytest.approx(one.n_frames / FPS, abs=1e-5)
        assert one.tokens.tolist() == EmiliaTokenizer().encode(one.text, one.language)
    speech = synthesise(*planned[5], random_delivery(rng(3, "delivery", 5), planned[5][0]))
    assert np.abs(pool[5].audio - speech.audio).max() < 1e-4
    with pytest.raises(IndexError):
        pool[24]


def test_pools_refuse_what_must_stay_unseen(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unseen"):
        build(tmp_path / "x.h5", 4, 0, UNSEEN_VOICES)
    with pytest.raises(UserError, match="test sentence"):
        check_seen(sample_sentences("en", "grid", "test", 1, 0), ())
    with pytest.raises(UserError, match="stranger"):
        check_seen((), [Voice("stranger", "f3", "female", "pretrain")])
    with pytest.raises(UserError, match="kinds"):
        build(tmp_path / "x.h5", 4, 0, TRAIN_VOICES, {"opera": 1.0})
    with pytest.raises(UserError, match="does not exist"):
        SpeechPool(tmp_path / "none.h5")
    assert not list(tmp_path.iterdir())
