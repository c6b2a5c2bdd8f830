"""`syncvoice score`: every utterance of the task becomes rows, whatever happened to its sound."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from syncvoice.audio import write_wav
from syncvoice.cli import main
from syncvoice.errors import UserError
from syncvoice.metrics.registry import METRIC_FILES, METRICS, metrics_of_file
from syncvoice.metrics.scorer import (
    NotApplicable,
    Score,
    ScoreError,
    Scorer,
    Sources,
    cached_by_id,
    check_audio,
    is_silent,
)
from syncvoice.metrics.speech_folder import NEEDED, score_rows
from syncvoice.records.clips import Clip, write_manifest
from syncvoice.records.speech import read_speech
from syncvoice.records.tasks import read_rows
from tests.unit.spoken import noise, script, speech


class CountingScorer(Scorer):
    """Scores a sound by its length in seconds and refuses loud ones."""

    NAME, weights_sha256 = "counting", "0" * 64

    @classmethod
    def from_sources(cls, sources: Sources) -> "CountingScorer":
        return cls()

    def metrics_for(self, row: dict[str, str]) -> list[str]:
        return ["seconds", "half"]

    def counts_if_failed(self, row: dict[str, str]) -> dict[str, int]:
        return {"errors": 6, "words": 6, "substitutions": 0, "deletions": 6, "insertions": 0}

    def score(self, utterance: object) -> list[Score]:
        if utterance.row["language"] == "zh":
            raise NotApplicable("English only")
        if np.abs(utterance.audio).max() > 0.9:
            raise ScoreError("too loud")
        seconds = len(utterance.audio) / 24_000
        return [Score("seconds", seconds), Score("half", np.nan if utterance.id == "nan" else seconds / 2)]


def write_csv(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def task_row(name: str, **fields: str) -> dict[str, str]:
    row = {"utterance": name, "clip": name, "text": script(), "language": "en", "speaker": "f2", "sex": "female"}
    return {**row, "source": "grid", "reference": "ref", "reference_split": "reference", **fields}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Speech of several fates: good, missing file, failed, NaN, too short, loud, unlisted."""
    sounds = {"good": noise(1.0), "nan": noise(1.0), "short": noise(0.1), "loud": np.full(24_000, 0.99, np.float32)}
    for name, sound in sounds.items():
        write_wav(tmp_path / f"{name}.wav", sound, 24_000)
    broken = noise(1.0)
    broken[5] = np.nan
    soundfile.write(tmp_path / "holes.wav", broken, 24_000, subtype="FLOAT")
    (tmp_path / "garbage.wav").write_bytes(b"no sound")
    names = ("good", "nan", "short", "loud", "gone", "holes", "garbage")
    rows = [{"utterance": name, "point": "", "wav": f"{name}.wav", "status": "ok"} for name in names]
    rows.append({"utterance": "refused", "point": "", "wav": "", "status": "failed", "message": "no reference"})
    rows.append({"utterance": "stranger", "point": "", "wav": "good.wav", "status": "ok"})
    write_csv(tmp_path / "utterances.csv", ("utterance", "point", "wav", "status", "message"), rows)
    return tmp_path


def rows_of(folder: Path, names: list[str], **fields: str) -> dict[tuple[str, str], dict[str, str]]:
    tasks = [task_row(name, **fields) for name in names]
    found = score_rows(CountingScorer(), tasks, read_speech(folder), folder, {})
    return {(row["utterance"], row["metric"]): row for row in found}


def test_good_utterance_gets_values(folder: Path) -> None:
    rows = rows_of(folder, ["good"])
    assert rows["good", "seconds"]["value"] == "1.000000"
    assert rows["good", "half"]["status"] == "ok"
    assert rows["good", "half"]["scorer"] == "counting"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone", "does not exist"),
        ("short", "0.100 s"),
        ("loud", "too loud"),
        ("holes", "1 samples that are not finite"),
        ("garbage", "cannot be read as sound"),
        ("refused", "not generated: no reference"),
        ("unlisted", "has no row"),
    ],
)
def test_trouble_is_a_failed_row_for_every_metric(folder: Path, name: str, message: str) -> None:
    rows = rows_of(folder, [name])
    assert len(rows) == 2
    for row in rows.values():
        assert row["status"] == "failed" and message in row["message"]
        assert "value" not in row and row["errors"] == "6"


def test_value_that_is_not_finite_is_a_failure(folder: Path) -> None:
    rows = rows_of(folder, ["nan"])
    assert rows["nan", "seconds"]["status"] == "ok"
    assert rows["nan", "half"]["status"] == "failed"


def test_not_applicable_is_a_row_with_its_reason(folder: Path) -> None:
    row = rows_of(folder, ["good"], language="zh")["good", "seconds"]
    assert (row["status"], row["message"]) == ("not_applicable", "English only")


def test_every_point_of_a_sweep_is_scored(folder: Path) -> None:
    speech_rows = [{"utterance": "good", "point": point, "wav": "good.wav", "status": "ok"} for point in ("b", "a")]
    rows = list(score_rows(CountingScorer(), [task_row("good"), task_row("other")], speech_rows, folder, {}))
    assert [(row["point"], row["utterance"]) for row in rows[::2]] == [
        ("a", "good"), ("a", "other"), ("b", "good"), ("b", "other"),
    ]  # fmt: skip


def test_utterance_that_failed_before_the_sweep_fails_at_every_point(folder: Path) -> None:
    speech_rows = [{"utterance": "good", "point": "a", "wav": "good.wav", "status": "ok"}]
    speech_rows.append({"utterance": "other", "point": "", "wav": "", "status": "failed", "message": "no text"})
    rows = list(score_rows(CountingScorer(), [task_row("good"), task_row("other")], speech_rows, folder, {}))
    assert [(row["point"], row["utterance"], row["status"]) for row in rows[::2]] == [
        ("a", "good", "ok"), ("a", "other", "failed"),
    ]  # fmt: skip
    assert "no text" in rows[-1]["message"]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """One clip whose ground truth is its own generated speech, and a second utterance without speech."""
    spoken = speech("f2")
    write_wav(tmp_path / "audio" / "u1.wav", spoken.audio, 24_000)
    write_wav(tmp_path / "speech" / "u1.wav", spoken.audio, 24_000)
    clip = Clip(
        id="u1", split="test", dataset="d", speaker="f2", sex="female", voice_seen="yes", language="en", source="grid",
        text=script(), video=None, audio=tmp_path / "audio" / "u1.wav", n_frames=spoken.n_frames,
    )  # fmt: skip
    write_manifest(tmp_path / "test.cuts.jsonl.gz", [clip])
    write_csv(tmp_path / "task.csv", NEEDED, [task_row("u1"), task_row("u2")])
    rows = [{"utterance": "u1", "point": "", "wav": "u1.wav", "status": "ok"}]
    write_csv(tmp_path / "speech" / "utterances.csv", ("utterance", "point", "wav", "status", "message"), rows)
    return tmp_path


def score(study: Path, metric: str, out: str) -> list[dict[str, str]]:
    arguments = ["score", "--metric", metric, "--task", study / "task.csv", "--speech", study / "speech"]
    arguments += ["--manifest", study / "test.cuts.jsonl.gz", "--out", study / out]
    assert main([str(argument) for argument in arguments]) == 0
    with open(study / out, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_command_writes_the_same_bytes_twice(study: Path) -> None:
    rows = score(study, "mcd_dtw.melcep13", "a.csv")
    score(study, "mcd_dtw.melcep13", "b.csv")
    assert (study / "a.csv").read_bytes() == (study / "b.csv").read_bytes()
    assert [(row["utterance"], row["status"]) for row in rows] == [("u1", "ok"), ("u2", "failed")]
    assert float(rows[0]["value"]) < 0.1


def test_word_metric_keeps_counts_and_fails_with_all_words(study: Path) -> None:
    rows = score(study, "wer.pocketsphinx_grid", "wer.csv")
    assert [row["words"] for row in rows] == ["6", "6"]
    assert rows[1]["errors"] == rows[1]["deletions"] == "6"
    assert rows[1]["value"] == ""


def test_folder_of_another_model_needs_no_list(study: Path) -> None:
    listed = score(study, "mcd_dtw.melcep13", "listed.csv")
    (study / "speech" / "utterances.csv").unlink()
    assert score(study, "mcd_dtw.melcep13", "plain.csv")[0] == listed[0]
    (study / "speech" / "u1.wav").unlink()
    with pytest.raises(UserError, match="does not exist"):
        read_speech(study / "speech")


def test_missing_arguments_and_files_are_told(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--metric", "dnsmos.p835", "--out", str(study / "x.csv")]) == 2
    assert "--task, --speech" in capsys.readouterr().err
    assert main(["score", "--metric", "x", "--task", "t", "--speech", "s", "--out", str(study / "x.csv")]) == 2
    assert "metric x is unknown; choose one of" in capsys.readouterr().err
    with pytest.raises(UserError, match="does not exist"):
        read_rows(study / "nothing.csv", NEEDED)
    write_csv(study / "odd.csv", ("utterance",), [])
    with pytest.raises(UserError, match="lacks the columns clip"):
        read_rows(study / "odd.csv", NEEDED)


def test_check_without_video_is_a_user_error(study: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not Path("weights/syncnet.safetensors").exists():
        pytest.skip("weights/syncnet.safetensors is not there")
    arguments = ["check-syncnet", "--manifest", str(study / "test.cuts.jsonl.gz"), "--out", str(study / "c.json")]
    assert main(arguments) == 2
    assert "at least two clips" in capsys.readouterr().err


def test_registry_is_consistent() -> None:
    for metric in METRICS.values():
        assert metric.file in METRIC_FILES
        assert metric.id.split(".")[1] in metric.file or metric.id.startswith("cer")
        assert metric.direction in ("higher", "lower", "zero", "")  # neither: what is known of a clip
    assert all(metrics_of_file(file) for file in METRIC_FILES)


def test_small_scorers_never_carry_the_plain_names() -> None:
    for metric in METRICS.values():
        assert "(" in metric.title, metric.title
    json.dumps([metric.caption for metric in METRICS.values()])


def test_silence_and_bad_shapes() -> None:
    assert is_silent(np.zeros(24_000)) and is_silent(np.zeros(10)) and not is_silent(noise(0.5))
    with pytest.raises(ScoreError, match="one channel"):
        check_audio(np.zeros((2, 24_000)))


def test_results_and_errors_are_remembered() -> None:
    calls: list[str] = []

    def compute(name: str) -> int:
        calls.append(name)
        if name == "bad":
            raise ScoreError("broken")
        return len(calls)

    lookup = cached_by_id(compute)
    assert lookup("a") == lookup("a") == 1
    for _ in range(2):
        with pytest.raises(ScoreError, match="broken"):
            lookup("bad")
    assert calls == ["a", "bad"]
