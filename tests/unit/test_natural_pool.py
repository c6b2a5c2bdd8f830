"""The pool of natural speech: what is kept out of it, how it goes on, and that all its shards read as one."""

from pathlib import Path

import numpy as np
import pytest

from syncvoice.clocks import FPS, samples
from syncvoice.errors import UserError
from syncvoice.files import sha256_of
from syncvoice.minidub import natural_speech
from syncvoice.minidub.natural_voices import TRAIN_VOICES, UNSEEN_VOICES, VALIDATION_VOICES, is_seen
from syncvoice.minidub.sentences import draw_sentence, split_of
from syncvoice.pretraining.data import open_pool, unseen_utterances
from syncvoice.pretraining.natural_pool import (
    HOME_SHARE,
    MIX,
    ShardedPool,
    build,
    build_shard,
    check_seen,
    plan,
    shard_path,
)
from syncvoice.pretraining.settings import SpeechSource
from syncvoice.pretraining.speech_data import SpeechPool
from syncvoice.seeding import rng
from syncvoice.text.tokenizer import EmiliaTokenizer
from tests.unit.fake_kokoro import FakeKokoro

SIZE = 6


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speak without the network."""
    monkeypatch.setattr(natural_speech, "engine", FakeKokoro)


def test_plan_keeps_out_what_must_stay_unseen_and_keeps_its_shares() -> None:
    planned = [plan(1, index) for index in range(600)]
    assert planned[:20] == [plan(1, index) for index in range(20)]
    assert all(is_seen(item.voice) and split_of(item.sentence) == "train" for item in planned)
    for kind, share in MIX.items():
        assert np.mean([item.kind == kind for item in planned]) == pytest.approx(share, abs=0.06)
    blends = [item.voice.role == "blend" for item in planned]
    assert np.mean(blends) == pytest.approx(0.5, abs=0.07)
    stock = [item for item in planned if item.voice.role != "blend"]
    for language, share in HOME_SHARE.items():
        at_home = [item.voice.language == language for item in stock if item.sentence.language == language]
        assert np.mean(at_home) == pytest.approx(share, abs=0.12)


def test_a_pool_of_another_mix_is_its_own(tmp_path: Path) -> None:
    build_shard(tmp_path / "ja", 0, 1, SIZE, {"ja": 1.0})
    pool = ShardedPool(tmp_path / "ja")
    assert set(pool.language) == {"ja"} and all(
        is_seen(item.voice) for item in (plan(1, i, {"ja": 1.0}) for i in range(SIZE))
    )
    assert pool.tokens(0).tolist() == EmiliaTokenizer().encode(pool.text[0], "ja")
    build(tmp_path / "ja", 1, 0.0001, SIZE, {"ja": 1.0})
    with pytest.raises(UserError, match="belongs to another pool"):
        build(tmp_path / "ja", 1, 0.0001, SIZE)
    build_shard(tmp_path / "usual", 0, 1, SIZE)
    joined = open_pool(SpeechSource(seed=1, pool=str(tmp_path / "usual"), more_pools=[str(tmp_path / "ja")]))
    assert len(joined) == 2 * SIZE and joined.language[-1] == "ja"


def test_unseen_voices_and_sentences_are_refused() -> None:
    train = draw_sentence("grid", "train", rng(0))
    for voice in UNSEEN_VOICES + VALIDATION_VOICES:
        with pytest.raises(UserError, match=voice.name):
            check_seen(train, voice)
    for split in ("validation", "test"):
        with pytest.raises(UserError, match=f"is a {split} sentence"):
            check_seen(draw_sentence("everyday", split, rng(0)), TRAIN_VOICES[0])


def test_shards_read_as_one_pool(tmp_path: Path) -> None:
    for shard in (0, 1):
        build_shard(tmp_path, shard, seed=3, size=SIZE)
    pool = ShardedPool(tmp_path)
    assert len(pool) == 2 * SIZE
    for index in range(2 * SIZE):
        planned, found = plan(3, index), pool[index]
        assert (found.text, found.language, found.voice) == (
            planned.sentence.text,
            planned.sentence.language,
            planned.voice.name,
        )
        assert len(found.audio) == samples(found.n_frames) == pool.n_samples[index]
        assert found.phones[-1].end_s == pytest.approx(found.n_frames / FPS, abs=1e-5)
        assert found.tokens.tolist() == EmiliaTokenizer().encode(found.text, found.language)
        assert np.array_equal(pool.audio(index), found.audio) and pool.phones(index) == found.phones
    assert pool[-1].text == pool.text[-1]
    with pytest.raises(IndexError):
        pool[2 * SIZE]
    provenance = pool.provenance()
    assert provenance["pool"]["utterances"] == 2 * SIZE and set(provenance["pool"]["sha256"]) == {
        "shard_0000.h5",
        "shard_0001.h5",
    }
    assert set(provenance["unseen_voices"]).isdisjoint(provenance["voices"])
    assert len(ShardedPool(tmp_path, hours=1e-4)) == SIZE


def test_runs_take_a_folder_for_a_pool_and_check_themselves_on_unseen_natural_voices(tmp_path: Path) -> None:
    build_shard(tmp_path, 0, seed=3, size=SIZE)
    settings = SpeechSource(pool=str(tmp_path), seed=3)
    assert isinstance(open_pool(settings), ShardedPool)
    found = list(unseen_utterances(settings, 1))
    assert {u.voice for u in found} == {voice.name for voice in UNSEEN_VOICES}
    assert len(found) == sum(3 if voice.language == "en" else 1 for voice in UNSEEN_VOICES)
    assert {u.language for u in found} == {"en", "zh"} and all(u.audio.any() and u.phones for u in found)


def test_espeak_voices_may_stand_beside_natural_ones(tmp_path: Path) -> None:
    build_shard(tmp_path / "natural", 0, seed=3, size=SIZE)
    file = tmp_path / "espeak.h5"
    settings = SpeechSource(pool=str(tmp_path / "natural"), espeak_pool=str(file), pool_size=5, seed=3)
    pool = open_pool(settings)
    assert len(pool) == SIZE + 5 and file.is_file()
    espeak = SpeechPool(file)
    assert [pool.text[SIZE + i] for i in range(5)] == espeak.text
    assert np.array_equal(pool.audio(SIZE + 2), espeak.audio(2)) and pool[-1].voice == espeak.voice[-1]
    told = pool.provenance()
    assert [part["pool"]["utterances"] for part in told["pools"]] == [SIZE, 5]
    assert set(told["voices"]) == set(pool.voice) and set(told["unseen_voices"]).isdisjoint(told["voices"])


def test_building_goes_on_where_it_ended(tmp_path: Path) -> None:
    build(tmp_path, seed=3, hours=1e-4, size=SIZE)
    first = sha256_of(shard_path(tmp_path, 0))
    assert not shard_path(tmp_path, 1).exists()
    seconds = ShardedPool(tmp_path).n_samples.sum() / 24_000
    build(tmp_path, seed=3, hours=(seconds + 1) / 3600, size=SIZE)
    assert shard_path(tmp_path, 1).is_file() and sha256_of(shard_path(tmp_path, 0)) == first
    with pytest.raises(UserError, match="belongs to another pool"):
        build(tmp_path, seed=4, hours=1e-4, size=SIZE)
    with pytest.raises(UserError, match="holds no shard"):
        ShardedPool(tmp_path / "empty")
