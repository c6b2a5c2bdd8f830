"""Every benchmark of the full-size model runs from its command line and writes what it promises; here at toy size."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import estimates, memory, sampling, scoring_memory, study_estimates, training
from syncvoice.files import read_json
from syncvoice.model.syncvoice import SyncVoiceConfig
from tests.unit.test_model import TINY


@pytest.fixture(autouse=True)
def toy_model(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (training, estimates):
        monkeypatch.setattr(module, "SyncVoiceConfig", lambda: SyncVoiceConfig(TINY))
    monkeypatch.setattr(sampling, "ZipVoiceConfig", lambda: TINY)


def result_of(module: Any, monkeypatch: pytest.MonkeyPatch, out: Path, *arguments: str) -> dict[str, Any]:
    """Run a benchmark's command line with one thread and read its JSON file."""
    monkeypatch.setattr(sys, "argv", ["benchmark", "--threads", "1", "--runs", "1", "--out", str(out), *arguments])
    module.main()
    return read_json(out)


def test_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = result_of(training, monkeypatch, tmp_path / "t.json", "--clips", "2", "--seconds", "0.4")
    assert set(found["ratios"]) == {"public/ours_scaled_adam_bf16", "textbook/ours_adamw_bf16"}
    for name, total in found["median_s"].items():
        assert 0 < sum(found["parts_s"][name].values()) <= total, name
    least = found["arithmetic"]
    assert least["least_seconds"] == pytest.approx(least["flop"] / least["matrix_rate_flops"]) and least["flop"] > 1e6


def test_sampling(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = result_of(sampling, monkeypatch, tmp_path / "s.json", "--steps", "2", "--targets", "0.5")
    (row,) = found["sampling"]
    (ours,) = (name for name in row["seconds"] if name != "eager float32")
    assert row["real_time_factor"][ours] == pytest.approx(row["seconds"][ours] / 0.5)
    assert row[ours]["mel_difference_mean"] <= row[ours]["mel_difference_max"] < row["mel_spread"]
    assert found["four_branches"]["ratio"] > 0.5


def test_memory_of_sampling(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmark", "--child", "--seconds", "1", "--threads", "1"])
    memory.main()
    found = json.loads(capsys.readouterr().out)
    assert found["frames"] == 94 + 281 and 0 < found["model_ready_bytes"] <= found["peak_bytes"]


def test_estimates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A line through measured points, and arithmetic over it and the recipes; the points are set here."""

    def point(clips: int, seconds: float, threads: int) -> dict[str, float]:
        audio = clips * seconds
        return {"clips": clips, "audio_s": audio, "ready_bytes": 2e9, "peak_bytes": max(2e9, 1e9 + 1e8 * audio)}

    monkeypatch.setattr(estimates, "in_fresh_process", point)
    monkeypatch.setattr(estimates, "CLIP_SECONDS", {"grid": 6.0, "lrs3": 8.0})
    found = result_of(estimates, monkeypatch, tmp_path / "e.json", "--assumed-tflops", "100")
    grid = found["recipes"][0]
    assert grid["device_bytes"] == pytest.approx(1e9 + 1e8 * 250)
    flop = found["memory"][0]["training_flop_per_audio_s"]
    assert grid["flop"] == pytest.approx(flop * 10_000 * 500) and grid["parts_on_one_device"] == 2
    assert grid["assumed_hours"]["100 TFLOP/s"] == pytest.approx(grid["flop"] / 1e14 / 3600)
    shown = (tmp_path / "e.md").read_text()
    assert "not measured" in shown and "| grid | 10000 | 500 | 250 | 26 |" in shown
    assert found["sampling_flop_per_s"]["four branches"] == pytest.approx(
        2 * found["sampling_flop_per_s"]["plain"], rel=0.1
    )


def test_memory_of_a_training_step_is_measured() -> None:
    found = estimates.step_memory(2, 0.5)
    assert found["audio_s"] == 1.0 and found["peak_bytes"] >= found["ready_bytes"] > 1e8 and found["cpu_s"] > 0


def test_memory_of_scoring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scoring_memory, "DIFFERENT", 1)
    found = result_of(
        scoring_memory, monkeypatch, tmp_path / "m.json", "--counts", "1", "2", "--metrics", "wer.ctc_mini"
    )
    few, many = found["memory"]
    assert (few["clips"], many["clips"]) == (1, 2) and few["peak_bytes"] > 1e8
    assert found["growth"] == many["peak_bytes"] / few["peak_bytes"]


def test_study_estimates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def flop(file: str, seconds: float) -> tuple[float, float]:
        return (seconds, 1e3) if file.startswith("lse") else (0.0, 0.0)

    monkeypatch.setattr(study_estimates, "scorer_flop", flop)
    monkeypatch.setattr(sys, "argv", ["benchmark", "--out", str(tmp_path / "e.json"), "--score-tflops", "1e-6"])
    study_estimates.main()
    grid = next(row for row in read_json(tmp_path / "e.json")["studies"] if row["study"] == "grid")
    assert grid["rows"] == 17 and grid["flop"]["score"] == 3300 * (17 * 3.0 + 1e3)
    assert grid["hours"]["score"] == pytest.approx(grid["flop"]["score"] / 1e6 / 3600)
    assert "| grid | 17 |" in (tmp_path / "e.md").read_text()


def test_operations_of_scorers_are_counted_without_values() -> None:
    assert study_estimates.whisper_flop("base") == pytest.approx(1e11, rel=0.1)
    once, twice = study_estimates.syncnet_flop(1.0), study_estimates.syncnet_flop(2.0)
    assert once[0] > once[1] > 0 and 1.9 < twice[1] / once[1] < 2.4


def test_the_page_of_benchmarks_names_every_one() -> None:
    folder = Path(__file__).resolve().parents[2] / "benchmarks"
    page = (folder / "README.md").read_text(encoding="utf-8")
    missing = [path.stem for path in folder.glob("*.py") if f"`{path.stem}`" not in page and path.stem != "__init__"]
    assert not missing
