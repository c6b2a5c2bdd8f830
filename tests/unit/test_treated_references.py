"""Treated references: lengths with their words, noise at its level, other recordings under the same id."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from syncvoice import cli
from syncvoice.audio import write_wav
from syncvoice.datasets.treated_references import ReferenceTreatmentJob, treat, with_noise
from syncvoice.errors import UserError
from syncvoice.files import sha256_of, write_json
from syncvoice.generation.kinds.treated_references import with_reference
from syncvoice.records.clips import Clip, clips_of, write_manifest
from syncvoice.records.tasks import Utterance
from syncvoice.study import load_study
from syncvoice.study.jobs import job_settings

CONFIG = Path(__file__).parents[2] / "config"
FRAME = 960
WORDS = (("_", 0.0, 0.16), ("set", 0.16, 0.48), ("red", 0.48, 0.8), ("now", 0.8, 1.2))


def clip(folder: Path, name: str, speaker: str, level: float, language: str = "en", text: str = "set red now") -> Clip:
    wav = folder / f"{name}.wav"
    write_wav(wav, np.full(30 * FRAME, level, np.float32), 24_000)
    sex = "male" if speaker == "m" else "female"
    words = WORDS if language == "en" else (("红", 0.2, 0.6), ("球", 0.6, 1.2))
    return Clip(name, "reference", "d", speaker, sex, "yes", language, "grid", text, None, wav, 30, (), words,
                audio_sha256=sha256_of(wav))  # fmt: skip


@pytest.fixture
def clips(tmp_path: Path) -> list[Clip]:
    return [
        clip(tmp_path, "one", "f", 0.1),
        clip(tmp_path, "two", "f", 0.2),
        clip(tmp_path, "three", "f", 0.3, "zh", "红球"),
        clip(tmp_path, "four", "m", 0.4),
    ]


def job(**changes: object) -> ReferenceTreatmentJob:
    return ReferenceTreatmentJob(dataset="d", split="reference", name="treated", seed=1, **changes)


@pytest.mark.parametrize(
    ("seconds", "frames", "text"), [(0.4, 10, "set"), (0.6, 15, "set red"), (1.04, 26, "set red now")]
)
def test_a_short_reference_begins_with_speech_and_keeps_its_words(
    clips: list[Clip], seconds: float, frames: int, text: str
) -> None:
    found = treat(clips[0], clips, job(seconds=seconds))
    assert (len(found.sound), found.text, found.language) == (frames * FRAME, text, "en")


def test_a_long_reference_joins_the_voices_other_recordings_its_language_first(clips: list[Clip]) -> None:
    found = treat(clips[0], clips, job(seconds=2.6))  # 26 frames of each English one, 13 of the Mandarin one
    assert len(found.sound) == 65 * FRAME
    levels = found.sound[[13 * FRAME, 39 * FRAME, 60 * FRAME]]
    np.testing.assert_allclose(levels, [0.1, 0.2, 0.3], atol=1e-3)
    assert found.text == "set red now set red now 红"
    all_there_is = treat(clips[0], clips, job(seconds=60))
    assert len(all_there_is.sound) == (26 + 26 + 25) * FRAME


@pytest.mark.parametrize(("recording", "level"), [("own", 0.1), ("other_clip", 0.2), ("other_language", 0.3),
                                                  ("other_sex", 0.4)])  # fmt: skip
def test_another_recording_stands_under_the_same_id(clips: list[Clip], recording: str, level: float) -> None:
    found = treat(clips[0], clips, job(recording=recording))
    assert found.clip.id == "one"
    np.testing.assert_allclose(np.median(found.sound), level, atol=1e-3)


def test_a_voice_without_such_a_recording_is_refused(clips: list[Clip]) -> None:
    with pytest.raises(UserError, match="'four' of speaker 'm' has no recording of kind other_language"):
        treat(clips[3], clips, job(recording="other_language"))


@pytest.mark.parametrize("snr_db", [30.0, 10.0, 0.0])
def test_noise_has_its_level_and_the_spectrum_of_speech(snr_db: float) -> None:
    rng = np.random.default_rng(0)
    low = np.convolve(rng.standard_normal(24_000), np.ones(16) / 16, "same").astype(np.float32) * 0.2
    mixed = with_noise(low, snr_db, np.random.default_rng(1))
    noise = mixed.astype(np.float64) - low
    assert 20 * np.log10(low.std() / noise.std()) == pytest.approx(snr_db, abs=0.2)
    assert abs(np.corrcoef(low, noise)[0, 1]) < 0.05
    power = np.abs(np.fft.rfft(noise)) ** 2
    assert power[:800].sum() > 10 * power[4000:4800].sum(), "coloured like the sound, not white"


def test_loud_noise_does_not_clip() -> None:
    sound = np.sin(np.arange(24_000) / 10).astype(np.float32)
    assert np.abs(with_noise(sound, 0.0, np.random.default_rng(1))).max() <= 1.0


def test_command_writes_a_split_of_its_own(clips: list[Clip], tmp_path: Path) -> None:
    write_manifest(tmp_path / "source.cuts.jsonl.gz", clips)
    write_json(tmp_path / "job.json", job(recording="other_language", snr_db=10.0).model_dump(mode="json"))
    paths = {"source": "source.cuts.jsonl.gz", "manifest": "out.cuts.jsonl.gz", "excluded": "x.csv", "out": "out",
             "settings": "job.json"}  # fmt: skip
    arguments = [part for name, path in paths.items() for part in (f"--{name}", str(tmp_path / path))]
    assert cli.main(["treat-references", *arguments]) == 0
    made = {one.id: one for one in clips_of(tmp_path / "out.cuts.jsonl.gz")}
    assert set(made) == {"one", "two", "three"}, "the other voice speaks one language"
    assert (made["one"].split, made["one"].language, made["one"].text) == ("treated", "zh", "红球")
    assert "four" in (tmp_path / "x.csv").read_text()
    first = made["one"].audio.read_bytes()
    assert cli.main(["treat-references", *arguments]) == 0
    assert made["one"].audio.read_bytes() == first, "the noise of a recording is always the same"


def test_a_row_takes_voice_text_and_language_from_the_treated_copy(clips: list[Clip]) -> None:
    row = Utterance("u", "u", "test", "d", "hi", "en", "f", "female", "yes", "g", "one", "reference", "long", "en", 10)
    copy = replace(clips[0], split="treated", text="红", language="zh")
    found = with_reference(row, {"one": copy})
    assert found is not None
    assert (found.reference, found.reference_split, found.reference_text) == ("one", "treated", "红")
    assert found.reference_language == "zh" and found.text == "hi"
    assert with_reference(row, {}) is None


def test_study_knows_treated_references() -> None:
    values = yaml.safe_load((CONFIG / "tiny.yaml").read_text())
    name, task = next(iter(values["tasks"].items()))
    study = load_study(values, CONFIG, "study.yaml")
    before = job_settings(study, {})
    split = study.tasks[name].reference_split
    values["treated_references"] = {"short": {"dataset": study.tasks[name].dataset, "split": split, "seconds": 1.0}}
    row = {"kind": "treated_references", "recipe": "full", "references": ["short"], "tasks": [name], "caption": "x"}
    values["experiments"]["treated"] = row
    after = job_settings(load_study(values, CONFIG, "study.yaml"), {})
    assert after["experiments/treated"]["references"] == ["short"]
    assert after["treated_references/short"]["seconds"] == 1.0
    assert all(after[key] == value for key, value in before.items()), "no other job changes"
    values["experiments"]["treated"]["references"] = ["shrt"]
    with pytest.raises(UserError, match="unknown treated reference 'shrt'; did you mean 'short'"):
        load_study(values, CONFIG, "study.yaml")
