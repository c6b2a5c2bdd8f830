"""Prepared clips as sounds to learn on, their phone times, and the report on forced alignment."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from syncvoice.audio import write_wav
from syncvoice.errors import UserError
from syncvoice.pretraining.clip_pool import ClipPool, with_silences
from syncvoice.records.clips import Clip, write_manifest
from syncvoice.reporting.alignment import alignment_report, figures, markdown, word_errors
from syncvoice.text.alignment import align, align_clip, outside, phones_of_text, word_times
from syncvoice.text.phones import SILENCE
from tests.unit.spoken import at_16k, script, speech

RECOGNISER = Path(__file__).parents[2] / "weights" / "recogniser.safetensors"


@pytest.fixture(scope="module")
def recogniser() -> object:
    from syncvoice.networks.recogniser import CtcRecogniser

    return CtcRecogniser.load(RECOGNISER)


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """A spoken GRID sentence with known words and phones."""
    spoken = speech("f3")
    write_wav(tmp_path / "a.wav", spoken.audio, 24_000)
    words = tuple((word.text, word.start_s, word.end_s) for word in spoken.words)
    phones = tuple((phone.symbol, phone.start_s, phone.end_s) for phone in spoken.phones)
    return Clip(
        id="a", split="train", dataset="d", speaker="f3", sex="", voice_seen="", language="en", source="grid",
        text=script(), video=None, audio=tmp_path / "a.wav", n_frames=len(spoken.audio) // 960, phones=phones,
        words=words,
    )  # fmt: skip


def pool_of(tmp_path: Path, clip: Clip, aligner: object = None) -> ClipPool:
    write_manifest(tmp_path / "train.cuts.jsonl.gz", [clip])
    return ClipPool([tmp_path / "train.cuts.jsonl.gz"], aligner)


def test_gaps_between_phones_are_silence() -> None:
    series = with_silences([("a", 0.1, 0.2), ("b", 0.2, 0.3), ("c", 0.5, 0.6)], 0.8)
    assert [phone.symbol for phone in series] == ["_", "a", "b", "_", "c", "_"]
    assert series[0].start_s == 0 and series[-1].end_s == 0.8
    assert all(first.end_s == second.start_s for first, second in zip(series, series[1:], strict=False))
    assert with_silences([], 0.5)[0].symbol == "_"


def test_windows_keep_phones_inside() -> None:
    log_probs = np.log(np.full((10, 3), 1 / 3))
    log_probs[2, 1] = 0.0  # "a" sounds most like itself in frame 2, which its window forbids
    free = align(log_probs, 10.0, ["a", "b"], ["_", "a", "b"])
    kept = align(log_probs, 10.0, ["a", "b"], ["_", "a", "b"], windows=[(0.5, 0.7), (0.7, 1.0)])
    assert free[0].start_s <= 0.2 < free[0].end_s
    assert 0.5 <= kept[0].start_s and kept[0].end_s <= 0.7 <= kept[1].start_s
    mask = outside(4, 10.0, np.array([-1, 0, -1]), np.array([[0.1, 0.2]]))
    assert mask.tolist() == [[False, True, False], [False, False, False], [False, True, False], [False, True, False]]


def test_known_phone_times_are_taken(tmp_path: Path, clip: Clip) -> None:
    pool = pool_of(tmp_path, clip)
    found = {(phone.symbol, phone.start_s) for phone in pool.phones(0) if phone.symbol != SILENCE}
    assert found == {(symbol, start) for symbol, start, _ in clip.phones if symbol != SILENCE}
    assert pool.text == [script()] and len(pool.audio(0)) == clip.n_frames * 960
    assert pool.provenance()["train_clip_ids"] == ["a"] and pool.provenance()["train_speakers"] == ["f3"]


def test_unknown_phone_times_come_from_alignment_within_words(tmp_path: Path, clip: Clip, recogniser: object) -> None:
    unknown = replace(clip, phones=())
    with pytest.raises(UserError, match="no start weights to align"):
        pool_of(tmp_path, unknown).phones(0)
    spoken = [phone for phone in pool_of(tmp_path, unknown, recogniser).phones(0) if phone.symbol != SILENCE]
    _, starts = phones_of_text(script().replace(" a ", " eh "), "en")
    assert len(starts) == len(clip.words)
    for first, (_, start, end) in zip(starts, clip.words, strict=True):
        assert start - 0.06 <= spoken[first].start_s <= end + 0.06
    shifted = replace(unknown, words=tuple((word, start + 0.3, end + 0.3) for word, start, end in clip.words))
    moved = align_clip(recogniser, at_16k(speech("f3").audio), shifted)
    assert moved[0].start_s >= clip.words[0][1] + 0.25, "word times bind, even wrong ones"
    with pytest.raises(UserError, match="cannot be aligned"):
        pool_of(tmp_path, replace(unknown, text="", words=()), recogniser).phones(0)


def test_report_counts_words_and_failures(clip: Clip, recogniser: object) -> None:
    errors = word_errors(recogniser, clip)
    assert errors.shape == (len(clip.words), 2) and np.median(np.abs(errors)) < 0.05
    wrong = replace(clip, id="b", words=clip.words[:2])
    nobody = replace(clip, id="c", words=())
    rows = alignment_report({"shipped": (recogniser, "0" * 64)}, [clip, wrong, nobody])
    assert [(row["edge"], row["clips"], row["clips_failed"], row["words"]) for row in rows] == [
        ("start", 2, 1, len(clip.words)), ("end", 2, 1, len(clip.words)),
    ]  # fmt: skip
    assert "| shipped | start | 2 (1) |" in markdown(rows)
    with pytest.raises(UserError, match="none of 1 clips has word times"):
        alignment_report({"shipped": (recogniser, "")}, [nobody])


def test_figures_of_known_errors() -> None:
    found = figures(np.array([-10.0, 30.0, 100.0]))
    assert found["mean_abs_ms"] == pytest.approx(140 / 3) and found["median_abs_ms"] == 30
    assert found["within_50_ms"] == pytest.approx(2 / 3) and found["bias_ms"] == pytest.approx(40)


def test_times_of_words() -> None:
    aligned = align(np.log(np.full((6, 2), 0.5)), 10.0, ["a", "a", "a"], ["_", "a"])
    assert word_times(aligned, [0, 2]) == [
        (aligned[0].start_s, aligned[1].end_s), (aligned[2].start_s, aligned[2].end_s),
    ]  # fmt: skip
