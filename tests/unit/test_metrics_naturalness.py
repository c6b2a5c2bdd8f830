"""DNSMOS: windows, equality with the whole network, and the direction of its scores."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from syncvoice.metrics.naturalness.dnsmos import BACKGROUND, MODEL, OVERALL, SIGNAL, DnsmosScorer, windows
from syncvoice.networks.onnx_parts import cut
from tests.unit.real_sounds import grid_sound
from tests.unit.spoken import at_16k, noise, speech, utterance

SIZE = 144_160


@pytest.fixture(scope="module")
def scorer() -> DnsmosScorer:
    return DnsmosScorer.from_sources(None)


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return at_16k(speech("f2").audio)


def test_short_sound_is_repeated_by_doubling() -> None:
    audio = np.arange(48_000, dtype=np.float32)
    (first,) = windows(audio)
    np.testing.assert_array_equal(first, np.tile(audio, 4)[:SIZE])
    assert windows(audio, all_windows=True).shape == (3, SIZE)  # 12 s


def test_long_sound_gets_a_window_every_second() -> None:
    audio = np.arange(16_000 * 12, dtype=np.float32)
    cut = windows(audio)
    np.testing.assert_array_equal(cut[:, 0], [0, 16_000, 32_000])
    assert cut.shape == (3, SIZE)
    assert windows(audio[:SIZE]).shape == (1, SIZE)


def test_empty_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sample"):
        windows(np.zeros(0, np.float32))


def test_noise_lowers_every_score(scorer: DnsmosScorer, clean: np.ndarray) -> None:
    good = scorer.predict(clean)
    bad = scorer.predict(clean + noise(len(clean) / 16_000, 0.1, 16_000)[: len(clean)])
    assert good.background > bad.background + 0.5
    assert good.overall > bad.overall + 0.3
    assert 1 <= bad.overall < good.overall <= 5


@pytest.fixture(scope="module")
def model() -> Path:
    return Path(importlib.util.find_spec("speechmos").submodule_search_locations[0]) / MODEL


@pytest.mark.parametrize(("seconds", "all_windows"), [(2.4, False), (2.4, True), (1.00003, False), (10.2, False)])
def test_parts_equal_the_whole_network(
    scorer: DnsmosScorer, model: Path, clean: np.ndarray, seconds: float, all_windows: bool
) -> None:
    """A repeated sound, one whose period is no whole number of frames, and a long one with two windows."""
    import onnxruntime

    audio = np.resize(clean, int(seconds * 16_000)) * np.linspace(0.2, 1, int(seconds * 16_000), dtype=np.float32)
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    raw = np.concatenate([session.run(None, {"input_1": part[None]})[0] for part in windows(audio, all_windows)])
    found = scorer.predict(audio, all_windows)
    for column, (poly, value) in enumerate(
        [(SIGNAL, found.signal), (BACKGROUND, found.background), (OVERALL, found.overall)]
    ):
        assert value == pytest.approx(np.polyval(poly, raw[:, column]).mean(), abs=1e-4)


def test_a_part_needs_no_other_input(model: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="also needed: "):
        cut(model, "transpose_output7", "Identity:0", ("n", 900, 161))
    with pytest.raises(ValueError, match="no such tensor"):
        cut(model, "input_1", "no such tensor", (1,))
    (tmp_path / "text.onnx").write_text("no network at all")
    with pytest.raises(ValueError, match="no ONNX network"):
        cut(tmp_path / "text.onnx", "input_1", "Identity:0", (1,))


def test_noise_lowers_scores_of_a_real_clip(scorer: DnsmosScorer) -> None:
    audio = grid_sound("s1", "bbaf3s")
    rms = float(np.sqrt(np.mean(audio**2)))
    clean, noisy = scorer.predict(audio), scorer.predict(audio + rms * noise(4, 1.0, 16_000)[: len(audio)])
    assert clean.overall > noisy.overall + 0.3 and clean.background > noisy.background + 0.5


def test_first_window_stands_for_all_and_repeats(scorer: DnsmosScorer, clean: np.ndarray) -> None:
    one, every = scorer.predict(clean), scorer.predict(clean, all_windows=True)
    assert abs(one.overall - every.overall) < 0.15
    assert scorer.predict(clean) == one


def test_scores_are_named(scorer: DnsmosScorer) -> None:
    scores = scorer.score(utterance(np.zeros(24_000)))
    assert [score.metric for score in scores] == ["dnsmos_ovrl.p835", "dnsmos_sig.p835", "dnsmos_bak.p835"]
    assert np.isfinite([score.value for score in scores]).all()
    assert len(scorer.weights_sha256) == 64 and "speechmos" in scorer.VERSION
