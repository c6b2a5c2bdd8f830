"""What a dub is worth: one line by named scorers, what is missing is said, and what to try where it is poor."""

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from syncvoice.dubbing import judging
from syncvoice.dubbing.dubbed import Dubbed
from syncvoice.dubbing.judging import Judgement, judge, worth
from syncvoice.dubbing.script import Cue
from syncvoice.errors import UserError
from syncvoice.metrics.scorer import Score
from tests.unit.clip_files import ROOT, blank_frames, write_video
from tests.unit.real_sounds import recording

GOOD: dict[str, Any] = {"words": 20, "missed": 1, "listener": "Whisper base", "likeness": 0.8,
                        "sync": (6.0, 7.0, "public SyncNet")}  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "is_random", "told", "tip"),
    [
        ({}, True, "19 of 20 words heard as written (Whisper base)", None),
        ({}, False, "lip sync LSE-C 6.0, LSE-D 7.0 (public SyncNet); voice 0.80 alike (GE2E", None),
        ({"missed": 30}, True, "0 of 20 words", "--engine timed, or more --takes"),
        ({"missed": 5}, False, "15 of 20 words", "shorter texts"),
        ({"likeness": 0.5}, True, "voice 0.50", "--voice-text"),
        ({"likeness": 0.5}, False, "voice 0.50", "--engine zipvoice"),
        ({"sync": (1.0, 9.0, "public SyncNet")}, True, "LSE-C 1.0", "another --lip-scale"),
        ({"sync": (1.0, 9.0, "small SyncNet, which says little")}, True, "small SyncNet, which says little", None),
        ({"words": None, "missing": ("words not checked: no",)}, True, "words not checked: no", None),
    ],
)
def test_one_line_tells_scores_scorers_and_what_to_try(
    changed: dict, is_random: bool, told: str, tip: str | None
) -> None:
    line = Judgement(**{**GOOD, **changed}).told(is_random)
    assert told in line and "\n" not in line and line.startswith("How good is it?")
    assert ("Try:" in line) == (tip is not None) and (tip is None or tip in line)


class Listener:
    """Hears every word but the last one of a text."""

    def score(self, utterance: Any) -> list[Score]:
        words = len(utterance.row["text"].split())
        wrong = Score("wer.x.styledubber", 9.0, {"errors": 9, "words": 1})
        return [wrong, Score("wer.x.corpus", 1 / words, {"errors": 1, "words": words})]


def made(folder: Path, texts: list[str]) -> Dubbed:
    """A dub of a video without a face, in a real voice."""
    write_video(folder / "v.mp4", blank_frames(50), None)
    sound = recording("jfk.flac", 24_000)[24_000:72_000]
    cues = [Cue(f"cue {k}", text, 0, 50, (k,)) for k, text in enumerate(texts, 1)]
    lines: Any = [SimpleNamespace(cue=cue, says=bool(cue.text)) for cue in cues]
    sounds = {cue.name: sound for cue in cues if cue.text}
    return Dubbed(folder / "o.mp4", "m", 2.0, lines, speech=sound, sounds=sounds, is_random=True)


def test_a_dub_is_judged_and_what_cannot_be_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = made(tmp_path, ["one two three", "", "four five"])
    monkeypatch.setattr(judging, "listener_of", lambda: ("Whisper test", Listener()))
    found = judge(result, tmp_path / "v.mp4", {}, "en")
    assert (found.words, found.missed, found.listener) == (5, 2, "Whisper test")
    assert found.sync is None and found.likeness is None
    assert any("lip sync not checked" in why and "no face" in why for why in found.missing)
    assert "voice not compared: there is no recording" in found.told(True)

    ear = judging.ear_of("en")
    assert ear is not None and ear(result.speech, "one two three four") == 0.25

    def nobody() -> None:
        raise UserError("Whisper's weights are not there; do this")

    monkeypatch.setattr(judging, "listener_of", nobody)
    import soundfile

    soundfile.write(tmp_path / "ref.wav", recording("jfk.flac", 24_000)[: 5 * 24_000], 24_000)
    found = judge(result, tmp_path / "v.mp4", {"": tmp_path / "ref.wav"}, "en")
    assert found.words is None and "words not checked: Whisper's weights are not there" in found.told(True)
    assert found.likeness is not None and found.likeness > 0.7, "the same person"
    result.seconds = 500.0
    assert "longer than 120 s" in judge(result, tmp_path / "v.mp4", {}, "en").told(True)


def test_what_an_engine_is_worth_is_read_from_the_committed_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = ROOT / "results/reference/mini/tables/en_en.csv"
    with table.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["experiment"] == "tts_lip_timed" and row["group"] == "all"]
    metric = next(metric for metric in judging.MEASURED if any(row["metric"] == metric for row in rows))
    (row,) = [row for row in rows if row["metric"] == metric]
    said = worth("timed (Kokoro-82M v1.0, lip timing 0123)")
    assert f"misses {float(row['mean']):.0%}" in said and judging.MEASURED[metric] in said
    assert "no committed table" in worth("full (model.safetensors, sha256 000000000000)")

    monkeypatch.setattr(judging, "RUN", str(tmp_path))
    assert "no committed table" in worth("timed (x)")
    for name in ("models", "tables"):
        (tmp_path / name).mkdir()
    (tmp_path / "models/full.json").write_text('{"weights_sha256": "abcdef0123456789"}')
    lines = ["experiment,group,metric,mean,ci_low,ci_high,n_scored", "M3,all,wer.ctc_mini,0.9,0.8,1.0,7",
             "M3,all,wer.whisper_base.by_ear,0.5,0.4,0.6,7",
             "M1,all,wer.whisper_base.by_ear,0.1,0.1,0.1,7"]  # fmt: skip
    (tmp_path / "tables/en_en.csv").write_text("\n".join(lines))
    said = worth("full (model.safetensors, sha256 abcdef012345)")
    assert "Whisper base misses 50% (40% to 60%)" in said and "7 English clips" in said
    assert "no committed table" in worth("full (model.safetensors, sha256 999999999999)"), "other weights"


def test_a_dubber_says_so_before_it_starts(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    from syncvoice.dubbing import Dubber
    from syncvoice.networks.kokoro import Kokoro
    from tests.unit.fake_tts import FakeTts

    monkeypatch.setattr(Kokoro, "from_assets", classmethod(lambda cls, path=None: FakeTts()))
    with caplog.at_level("INFO"):
        dubber = Dubber("timed", voice_blend={"af_heart": 1.0})
    assert dubber.worth in caplog.text and dubber.worth.startswith("What to expect: ")
