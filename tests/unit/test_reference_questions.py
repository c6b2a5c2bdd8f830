"""Controls of the kept study `questions`: what must move a measure moved it."""

import csv
from pathlib import Path

import pytest

TABLES = Path(__file__).resolve().parents[2] / "results" / "reference" / "questions" / "tables"


def means(table: str) -> dict[tuple[str, str], float]:
    """Means over all clips by (row, metric), of those that have one."""
    with open(TABLES / f"{table}.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["group"] == "all" and row["mean"]]
    return {(row["experiment"], row["metric"]): float(row["mean"]) for row in rows}


@pytest.mark.parametrize(
    ("row", "frames"), [("M3_early_3", 3), ("M3_early_1", 1), ("M3_late_1", -1), ("M3_late_3", -3)]
)
def test_shifted_features_shift_the_speech_and_cost_time(row: str, frames: int) -> None:
    found = means("alignment")
    assert found[row, "offset.syncnet_mini"] == pytest.approx(frames, abs=0.2)
    error = "phone_time_error.ctc_aligned"
    assert found[row, error] > found["M3", error] * (1 + 0.2 * abs(frames))


def test_full_lips_move_sync_and_a_recording_is_understood() -> None:
    found = means("lips")
    assert found["M4", "lse_c.syncnet_mini"] > found["M5", "lse_c.syncnet_mini"] > found["M2", "lse_c.syncnet_mini"]
    heard = "cer.whisper_base.by_ear"
    assert found["ground_truth", heard] < 0.25 < found["M2", heard]


def test_video_moves_the_models_of_every_amount_of_data_and_nothing_else_does() -> None:
    found = means("data")
    for row in ("M3_eighth", "M3_quarter", "M3_half", "M3"):
        assert found[row, "lse_c.syncnet_mini"] > found["zero_shot_tts", "lse_c.syncnet_mini"] + 1
    blind = means("data_retention")
    for row in ("text_only_eighth", "text_only"):
        assert blind[row, "lse_c.syncnet_mini"] < found["M3_eighth", "lse_c.syncnet_mini"] - 1


def test_the_sound_of_the_video_shows_both_signatures_and_a_recorded_translation_neither() -> None:
    found = means("signatures")
    for row in ("source_recording", "vocoder_copy"):
        assert found[row, "bleed.whisper_base"] > 0.9 and found[row, "bleed_share.whisper_base"] > 0.9
        assert found[row, "hallucination.ctc_phones"] < -0.4
    assert found["ground_truth", "bleed.whisper_base"] < 0.05
    assert abs(found["ground_truth", "hallucination.ctc_phones"]) < 0.05


def test_late_video_raises_the_error_of_every_class_of_phone() -> None:
    found = means("phone_classes")
    classes = [metric for row, metric in found if row == "M3"]
    assert len(classes) == 9
    for metric in classes:
        assert found["M3_late_3", metric] > found["M3", metric] + 40
        assert found["ground_truth", metric] < found["M3", metric] < found["M1", metric]


def test_jitter_of_the_video_takes_the_sync() -> None:
    found = means("alignment")
    assert found["M3_jitter_3", "lse_c.syncnet_mini"] < found["M3_late_3", "lse_c.syncnet_mini"] - 1


def test_best_of_has_the_control_that_guidance_moves_sync() -> None:
    found = means("best_of")
    assert found["M4", "lse_c.syncnet_mini"] > found["M5", "lse_c.syncnet_mini"] + 0.5
    points = [row for row, metric in found if row.startswith("best_by_") and metric == "lse_c.syncnet_mini"]
    assert len(points) == 12


@pytest.mark.parametrize(("table", "row"), [("reference_context", "M3_other"), ("reference_embedding", "M4_other")])
def test_the_voice_of_somebody_else_is_heard_as_that(table: str, row: str) -> None:
    found, sim = means(table), "sim_o.ge2e_resemblyzer"
    assert found[f"{row}/reference_other_sex", sim] < found[f"{row}/reference_other_clip", sim] - 0.03


def test_another_video_takes_the_sync_and_a_late_sound_nothing() -> None:
    found, sync = means("perturbed_video"), "lse_c.syncnet_mini"
    assert found["M3_other_video", sync] < found["M3", sync] - 1
    for row in ("M3_late_sound", "M3_encoded"):
        assert found[row, sync] == pytest.approx(found["M3", sync], abs=0.2)


def test_cost_is_kept_with_every_part() -> None:
    with open(TABLES.parent / "benchmarks" / "cost.csv", encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) > 5


@pytest.mark.parametrize(("table", "rate"), [("zh_en", "wer"), ("es_ja", "cer")])
def test_other_languages_are_heard_when_recorded_and_lips_move_their_sync(table: str, rate: str) -> None:
    found, sync = means(table), "lse_c.syncnet_mini"
    assert found["ground_truth", f"{rate}.whisper_base.by_ear"] < 0.12
    assert found["M4", sync] > found["M5", sync] > found["M2", sync]
