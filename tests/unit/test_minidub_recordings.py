"""A recorded split gives the clips that the engine would speak, and is refused for other settings."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from syncvoice.commands import corpus as command
from syncvoice.errors import UserError
from syncvoice.files import write_json
from syncvoice.minidub import espeak_engine, natural_speech, spoken
from syncvoice.minidub.corpus import make_shard
from syncvoice.minidub.settings import CorpusJob
from syncvoice.minidub.speech import Speech
from syncvoice.pretraining.recorded_pool import RecordedPool

SPLIT = {"media": "audio", "clips_per_voice": {"en": 1}, "voices": "unseen", "sentences": "test"}
JOB = CorpusJob.model_validate({"seed": 3, "splits": {"reference": SPLIT}, "shards": {"reference": 2}})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    assert spoken.record(JOB, "reference", folder / "reference.zip") == 4
    assert [path.name for path in folder.iterdir()] == ["reference.zip"]
    return folder


def recorded(folder: Path, **changes: object) -> CorpusJob:
    return CorpusJob.model_validate(JOB.model_dump() | {"recordings": str(folder)} | changes)


def test_recorded_clips_are_those_of_the_engine(folder: Path) -> None:
    live, kept = spoken.open_split(JOB, "reference"), spoken.open_split(recorded(folder), "reference")
    assert list(live.speakers.items()) == list(kept.speakers.items())
    for clip in live.speakers:
        said, heard = live.speak(clip), kept.speak(clip)
        assert heard.columns == said.columns and heard.translation is None
        assert [phone.symbol for phone in heard.speech.phones] == [phone.symbol for phone in said.speech.phones]
        ends = [(a.end_s, b.end_s) for a, b in zip(heard.speech.phones, said.speech.phones, strict=True)]
        assert np.ptp(ends, axis=1).max() < 1e-6
        assert len(heard.speech.audio) == len(said.speech.audio) == 960 * said.speech.n_frames
        lags = range(-48, 49, 4)
        fit = [np.corrcoef(np.roll(heard.speech.audio, lag), said.speech.audio)[0, 1] for lag in lags]
        assert lags[int(np.argmax(fit))] == 0 and max(fit) > 0.85  # Opus keeps what is heard, not the waveform


def test_shards_of_a_recording(folder: Path, tmp_path: Path) -> None:
    for shard in (0, 1):
        assert make_shard(recorded(folder), "reference", shard, tmp_path / f"{shard}") == 2
    rows = [next(csv.DictReader(open(tmp_path / f"{shard}" / "clips.csv", encoding="utf-8"))) for shard in (0, 1)]
    assert [row["clip"] for row in rows] == list(spoken.open_split(JOB, "reference").speakers)[:2]
    assert (tmp_path / "0" / rows[0]["media"]).is_file()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 4}, r"other settings \(seed differ\)"),
        ({"splits": {"reference": {**SPLIT, "voices": "train"}}}, r"\(voices differ\)"),
        ({"recordings": "nowhere"}, "does not exist"),
    ],
)
def test_a_recording_of_other_settings_is_refused(folder: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        spoken.open_split(recorded(folder, **changes), "reference")


def test_the_arithmetic_decides_who_speaks_and_is_part_of_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    class Silent:
        @classmethod
        def from_assets(cls) -> "Silent":
            opened.append(cls.__name__)
            return cls()

    class SilentBf16(Silent):
        pass

    monkeypatch.setattr(natural_speech, "FORMS", {"int8": Silent, "bf16": SilentBf16})
    monkeypatch.setattr(natural_speech, "_arithmetic", ["int8"])
    natural_speech.engine.cache_clear()
    job = CorpusJob.model_validate(JOB.model_dump() | {"engine": "kokoro"})
    faster = job.model_copy(update={"arithmetic": "bf16"})
    for one in (job, faster, faster, job):
        spoken.open_split(one, "reference")
        natural_speech.engine()
    natural_speech.engine.cache_clear()
    assert opened == ["Silent", "SilentBf16", "Silent"]
    assert spoken.made_from(faster, "reference") == spoken.made_from(job, "reference") | {"arithmetic": "bf16"}


def test_espeak_has_no_arithmetic_to_choose() -> None:
    with pytest.raises(ValueError, match="arithmetic bf16 is of engine kokoro; espeak has none"):
        CorpusJob.model_validate(JOB.model_dump() | {"arithmetic": "bf16"})


def test_recordings_go_on_where_they_were_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say, calls = espeak_engine.speak, []

    def dies(planned: object, seed: int, max_frames: int | None) -> object:
        calls.append(planned)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return say(planned, seed, max_frames)

    monkeypatch.setattr(espeak_engine, "speak", dies)
    with pytest.raises(KeyboardInterrupt):
        spoken.record(JOB, "reference", tmp_path / "reference.zip")
    assert not (tmp_path / "reference.zip").exists()
    assert spoken.record(JOB, "reference", tmp_path / "reference.zip") == 4
    assert len(calls) == 3 + 2


def test_a_translation_is_recorded_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def translated(planned: object, speech: Speech, seed: int) -> Speech:
        return Speech(speech.audio[::-1].copy(), speech.phones, speech.words, speech.n_frames)

    monkeypatch.setattr(espeak_engine, "speak_translation", translated)
    split = {"clips": {"en": 1}, "voices": "unseen", "sentences": "test", "translate_to": "zh"}
    job = CorpusJob.model_validate({"seed": 3, "splits": {"translation": split}, "recordings": str(tmp_path)})
    spoken.record(job, "translation", tmp_path / "translation.zip")
    clips = spoken.open_split(job, "translation")
    (clip,) = clips.speakers
    said = clips.speak(clip).translation
    live = spoken.LiveSplit(job, "translation").speak(clip).translation
    assert said is not None and live is not None and said.n_frames == live.n_frames
    assert np.corrcoef(said.audio, live.audio)[0, 1] > 0.85


def test_command_records(tmp_path: Path) -> None:
    import argparse

    write_json(tmp_path / "settings.json", JOB.model_dump(mode="json"))
    parser = argparse.ArgumentParser()
    command.configure(parser)
    out = tmp_path / "kept" / "reference.zip"
    options = ["--settings", str(tmp_path / "settings.json"), "--split", "reference", "--record", str(out)]
    command.run(parser.parse_args(options))
    assert list(spoken.RecordedSplit(out, JOB, "reference").speakers) == list(
        json.loads(json.dumps(spoken.LiveSplit(JOB, "reference").speakers))
    )


def test_a_recording_is_a_pool_to_learn_on(tmp_path: Path) -> None:
    split = {"clips": {"en": 1, "zh": 1}, "voices": "train", "sentences": "train"}
    job = CorpusJob.model_validate({"seed": 3, "splits": {"train": split}})
    spoken.record(job, "train", tmp_path / "train.zip")
    pool, clips = RecordedPool(tmp_path / "train.zip"), spoken.LiveSplit(job, "train")
    assert len(pool) == 2 and pool.language == ["en", "zh"] and pool.voice == list(clips.speakers.values())
    for index, clip in enumerate(clips.speakers):
        said, utterance = clips.speak(clip).speech, pool[index]
        assert utterance.n_frames == said.n_frames and utterance.text == clips.speak(clip).columns["text"]
        assert len(pool.audio(index)) == pool.n_samples[index] == 960 * said.n_frames
        assert [phone.symbol for phone in pool.phones(index)] == [phone.symbol for phone in said.phones]
        assert len(utterance.tokens) > 3
    assert pool.provenance()["pool"]["utterances"] == 2 and pool[-1].voice == pool.voice[1]
    with pytest.raises(IndexError):
        pool[2]


@pytest.mark.parametrize(("voices", "sentences"), [("unseen", "train"), ("train", "test")])
def test_recordings_that_must_stay_unseen_are_no_pool(tmp_path: Path, voices: str, sentences: str) -> None:
    split = {"media": "audio", "clips": {"en": 1}, "voices": voices, "sentences": sentences}
    spoken.record(CorpusJob.model_validate({"splits": {"a": split}}), "a", tmp_path / "a.zip")
    with pytest.raises(UserError, match="must stay unseen"):
        RecordedPool(tmp_path / "a.zip")
