"""MiniDub's plan keeps apart what must be apart, and a shard has the promised files."""

import csv
import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from syncvoice.assets import read_asset
from syncvoice.audio import read_wav
from syncvoice.commands import corpus as command
from syncvoice.errors import UserError
from syncvoice.files import sha256_of, write_json
from syncvoice.minidub import espeak_engine, phrases
from syncvoice.minidub.corpus import COLUMNS, data_card, make_shard, taken_later
from syncvoice.minidub.engine import ASSETS, ENGINES, MIN_FRAMES, PlannedClip, engine_of
from syncvoice.minidub.planning import plan
from syncvoice.minidub.settings import CorpusJob, CorpusSettings
from syncvoice.minidub.voices import TRAIN_VOICES, UNSEEN_VOICES
from syncvoice.section import validated

SETTINGS = {
    "dataset": "minidub",
    "image_size": 96,
    "seed": 3,
    "splits": {
        "train": {"clips": {"en": 20, "zh": 20}, "grid_share": 0.7},
        "test": {"clips": {"en": 24}, "voices": "both", "sentences": "test"},
        "little": {
            "clips": {"en": 2},
            "voices": "both",
            "sentences": "test",
            "prosody_coupling": [0.0, 1.0],
        },
        "translation": {"clips": {"en": 8}, "voices": "both", "sentences": "test", "translate_to": "zh"},
        "reference": {"media": "audio", "clips_per_voice": {"en": 1}, "voices": "both", "sentences": "test"},
    },
    "shards": {"train": 2, "little": 2},
}
JOB = CorpusJob.model_validate(SETTINGS)


def planned(split: str) -> list[PlannedClip]:
    return plan(JOB.seed, split, JOB.split(split), espeak_engine)


def test_every_engine_can_be_set_and_its_networks_are_registered() -> None:
    assert set(get_args(CorpusSettings.model_fields["engine"].annotation)) == set(ENGINES) == set(ASSETS)
    for name, assets in ASSETS.items():
        assert engine_of(name).CARD.startswith("- **Speech**")
        assert all(read_asset(asset).sources for asset in assets)
    with pytest.raises(UserError, match="expected one of espeak, kokoro"):
        engine_of("flite")


def test_train_plan() -> None:
    clips = planned("train")
    assert len({clip.clip for clip in clips}) == 40
    assert {clip.voice for clip in clips} == set(TRAIN_VOICES)
    assert {phrases.split_of(clip.sentence) for clip in clips} == {"train"}
    assert sum(clip.sentence.source == "grid" for clip in clips) == 14
    assert planned("train") == clips


def test_test_plan_mixes_seen_and_unseen_voices() -> None:
    clips = planned("test")
    assert sum(clip.voice in UNSEEN_VOICES for clip in clips) == 12
    assert {clip.voice for clip in clips} == set(TRAIN_VOICES + UNSEEN_VOICES)
    assert {phrases.split_of(clip.sentence) for clip in clips} == {"test"}


def test_references_speak_other_sentences() -> None:
    clips = planned("reference")
    assert [clip.voice for clip in clips] == list(TRAIN_VOICES + UNSEEN_VOICES)
    spoken = {clip.sentence.text for split in ("test", "little", "translation") for clip in planned(split)}
    assert spoken.isdisjoint(clip.sentence.text for clip in clips)


def test_translations() -> None:
    for clip in planned("translation"):
        assert clip.sentence.language == "en" and clip.translation_text
        assert all("\u4e00" <= character <= "\u9fff" for character in clip.translation_text)


@pytest.fixture(scope="module")
def shard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("corpus") / "shard-0"
    assert make_shard(JOB, "little", 0, out) == 1
    return out


def test_shard_files(shard: Path) -> None:
    rows = list(csv.DictReader(open(shard / "clips.csv", encoding="utf-8")))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 1
    times = [json.loads(line) for line in open(shard / "phones.jsonl", encoding="utf-8")]
    assert [entry["clip"] for entry in times] == [row["clip"] for row in rows]
    phones, end = times[0]["phones"], int(rows[0]["n_frames"]) / 25
    assert phones[0][1] == 0 and phones[-1][2] == pytest.approx(end)
    assert all(a[2] == pytest.approx(b[1]) for a, b in zip(phones, phones[1:], strict=False))
    assert [word for word, *_ in times[0]["words"]] == rows[0]["text"].split()
    assert MIN_FRAMES <= int(rows[0]["n_frames"]) <= 80


def test_film_holds_the_frames_and_the_sound(shard: Path) -> None:
    import av

    row = next(csv.DictReader(open(shard / "clips.csv", encoding="utf-8")))
    n_frames = int(row["n_frames"])
    with av.open(str(shard / row["media"])) as film:
        pictures = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
        assert film.streams.video[0].average_rate == 25 and pictures[0].shape == (96, 96, 3)
    assert len(pictures) == n_frames
    with av.open(str(shard / row["media"])) as film:
        blocks = [frame.to_ndarray()[0] for frame in film.decode(audio=0) if frame.pts >= 0]
    sound = np.concatenate(blocks)[: 960 * n_frames]
    clip = next(clip for clip in planned("little") if clip.clip == row["clip"])
    truth = espeak_engine.speak(clip, SETTINGS["seed"], None)[0].audio
    lags = range(-480, 481, 40)
    fit = [np.corrcoef(np.roll(sound, lag), truth)[0, 1] for lag in lags]
    assert lags[int(np.argmax(fit))] == 0 and max(fit) > 0.95


def test_same_settings_same_bytes(shard: Path, tmp_path: Path) -> None:
    make_shard(JOB, "little", 0, tmp_path)
    for path in sorted(p for p in shard.rglob("*") if p.is_file()):
        assert sha256_of(path) == sha256_of(tmp_path / path.relative_to(shard)), path.name


def test_a_split_filmed_once_more_differs_in_the_moment_of_its_pictures_alone(shard: Path, tmp_path: Path) -> None:
    splits = SETTINGS["splits"] | {name: {"of": "little", "moment": at} for name, at in {"late": 0.25, "on": 0}.items()}
    job = CorpusJob.model_validate(SETTINGS | {"splits": splits, "shards": {"little": 2, "late": 2, "on": 2}})
    job = CorpusJob.model_validate_json(job.model_dump_json())  # as a job reads it: with every default
    for name in ("late", "on"):
        assert make_shard(job, name, 0, tmp_path / name) == 1
        rows = [
            list(csv.DictReader(open(folder / "clips.csv", encoding="utf-8"))) for folder in (shard, tmp_path / name)
        ]
        assert rows[1] == [row | {"split": name} for row in rows[0]]
        assert sha256_of(shard / "phones.jsonl") == sha256_of(tmp_path / name / "phones.jsonl")
    film = rows[0][0]["media"]
    assert sha256_of(shard / film) == sha256_of(tmp_path / "on" / film) != sha256_of(tmp_path / "late" / film)
    assert "| late | those of little | both | test | video | as there, +0.25 frames late |" in data_card(job)


def test_what_moves_is_looked_at_later() -> None:
    ramp = np.arange(5, dtype=np.float32)[:, None]
    assert taken_later(ramp, 0.25)[:, 0].tolist() == [0.25, 1.25, 2.25, 3.25, 4.0]
    assert taken_later(ramp, -0.25)[:, 0].tolist() == [0.0, 0.75, 1.75, 2.75, 3.75]


def test_reference_sound_is_short(tmp_path: Path) -> None:
    make_shard(JOB, "reference", 0, tmp_path)
    rows = list(csv.DictReader(open(tmp_path / "clips.csv", encoding="utf-8")))
    assert len(rows) == len(TRAIN_VOICES + UNSEEN_VOICES)
    for row in rows:
        audio, rate = read_wav(tmp_path / row["media"])
        assert rate == 24000 and len(audio) == 960 * int(row["n_frames"]) <= 48000


@pytest.mark.parametrize(
    ("split", "change", "message"),
    [
        ("nowhere", {}, "no split 'nowhere'"),
        ("train", {"voices": "all"}, r"splits\.train\.voices: .*'train'"),
        ("train", {"colour": 1}, r"unknown key splits\.train\.colour"),
        ("train", {"clips": {"zh": 10**6}}, "only"),
        ("train", {"of": "test"}, "of takes clips, grid_share from split test; name only moment beside it"),
    ],
)
def test_wrong_settings(split: str, change: dict, message: str, tmp_path: Path) -> None:
    settings = SETTINGS | {"splits": {"train": SETTINGS["splits"]["train"] | change}}
    with pytest.raises(UserError, match=message):
        make_shard(validated(CorpusJob, settings, "corpus"), split, 0, tmp_path)


def test_command_writes_the_card(tmp_path: Path) -> None:
    import argparse

    write_json(tmp_path / "settings.json", SETTINGS)
    parser = argparse.ArgumentParser()
    command.configure(parser)
    command.run(parser.parse_args(["--settings", str(tmp_path / "settings.json"), "--card", str(tmp_path / "CARD.md")]))
    card = (tmp_path / "CARD.md").read_text(encoding="utf-8")
    assert card == data_card(JOB) and "Eileen Collins" in card and "| train |" in card
    with pytest.raises(UserError, match="nothing to do"):
        command.run(parser.parse_args(["--settings", str(tmp_path / "settings.json")]))
