"""Controls of the kept study `questions`: what must move a measure moved it."""

import csv
from pathlib import Path

import pytest

TABLES = Path(__file__).resolve().parents[2] / "results" / "reference" / "questions" / "tables"


def means(table: str) -> dict[tuple[str, str], float]:
    """Means over all clips by (row, metric)."""
    with open(TABLES / f"{table}.csv", encoding="utf-8", newline="") as file:
        return {(r["experiment"], r["metric"]): float(r["mean"]) for r in csv.DictReader(file) if r["group"] == "all"}


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
