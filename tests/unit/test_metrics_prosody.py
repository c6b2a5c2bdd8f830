"""Pitch tracking and prosody against the clip's own sound."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from syncvoice.audio import write_wav
from syncvoice.metrics.melody.prosody import ProsodyScorer, compare, correlation, prosody_of
from syncvoice.metrics.scorer import NotApplicable, ScoreError
from syncvoice.pitch import level_db, pitch_hz
from tests.unit.real_sounds import grid_clips, grid_sound
from tests.unit.spoken import noise, script, speech, utterance

RATE, HOP = 24_000, 256


def pulses(hz: np.ndarray) -> np.ndarray:
    """A buzz with the given pitch at every sample: twelve harmonics."""
    phase = 2 * np.pi * np.cumsum(hz) / RATE
    return (0.1 * sum(np.sin(k * phase) / k for k in range(1, 13))).astype(np.float32)


@pytest.mark.parametrize("hz", [65.0, 100.0, 210.0, 350.0, 480.0])
def test_steady_pitch_is_exact(hz: float) -> None:
    found = pitch_hz(pulses(np.full(RATE, hz)), RATE, HOP)
    assert len(found) == 94
    assert np.isfinite(found).mean() > 0.95
    np.testing.assert_allclose(found[5:-5], hz, rtol=0.005)


def test_gliding_pitch_is_followed() -> None:
    hz = 120 + 80 * np.sin(np.linspace(0, 3, 2 * RATE))
    found = pitch_hz(pulses(hz), RATE, HOP)
    np.testing.assert_allclose(found[4:-4], hz[np.arange(len(found)) * HOP][4:-4], rtol=0.02)


def test_noise_and_silence_are_not_voiced() -> None:
    assert np.isfinite(pitch_hz(noise(1.0), RATE, HOP)).mean() < 0.1
    assert np.isnan(pitch_hz(np.zeros(RATE, np.float32), RATE, HOP)).all()
    assert len(pitch_hz(np.zeros(1, np.float32), RATE, HOP)) == 1


def test_blocks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = speech("m1").audio
    whole = pitch_hz(sound, RATE, HOP)
    monkeypatch.setattr("syncvoice.pitch.BLOCK", 17)
    np.testing.assert_allclose(pitch_hz(sound, RATE, HOP), whole)


def test_pitch_agrees_with_torchaudio_on_real_speech() -> None:
    """Its detector takes whole samples and smooths over frames, so frames are compared to a tenth."""
    shim = pytest.importorskip("syncvoice.torchaudio_shim")
    sound = grid_sound("s1", "bbaf3s", RATE)
    ours = pitch_hz(sound, RATE, 240)
    detect = shim.torchaudio.functional.detect_pitch_frequency
    theirs = detect(torch.from_numpy(sound)[None], RATE, frame_time=0.01, win_length=5, freq_low=60, freq_high=500)[0]
    frames = np.flatnonzero(np.isfinite(ours[: len(theirs)]))
    ratio = ours[frames] / theirs.numpy()[frames]
    assert abs(np.median(ratio) - 1) < 0.05
    assert (abs(ratio - 1) < 0.1).mean() > 0.7


def test_level_of_a_tone() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)
    assert level_db(tone, RATE, HOP)[10:80] == pytest.approx(10 * np.log10(0.125), abs=0.1)


def test_same_sound_is_perfect() -> None:
    sound = prosody_of(speech("m1").audio)
    found = compare(sound, sound)
    assert found["f0_corr"] == pytest.approx(1) and found["energy_corr"] == pytest.approx(1)
    assert found["f0_rmse"] == 0


def compared_frame_by_frame(generated: np.ndarray, original: np.ndarray) -> dict[str, float]:
    """A buzz has no phones, so the warping is taken from one sound."""
    first, second = prosody_of(generated), prosody_of(original)
    return compare(replace(first, cepstra=second.cepstra), second)


def test_a_raised_voice_keeps_correlation_and_counts_semitones() -> None:
    hz = 150 + 40 * np.sin(np.linspace(0, 9, 2 * RATE))
    found = compared_frame_by_frame(pulses(2**0.25 * hz), pulses(hz))
    assert found["f0_corr"] > 0.99
    assert found["f0_rmse"] == pytest.approx(3, abs=0.1)


def test_another_melody_lowers_correlation() -> None:
    hz = 150 + 40 * np.sin(np.linspace(0, 9, 2 * RATE))
    assert compared_frame_by_frame(pulses(300 - hz), pulses(hz))["f0_corr"] < -0.9


def test_sound_without_pitch_has_no_pitch_correlation() -> None:
    found = compare(prosody_of(noise(2.0)), prosody_of(speech("m1").audio))
    assert np.isnan(found["f0_corr"]) and np.isnan(found["f0_rmse"]) and np.isfinite(found["energy_corr"])
    assert np.isnan(correlation(np.ones(5), np.arange(5.0)))


def test_real_clip_is_closest_to_itself() -> None:
    names = grid_clips("s1")[:3]
    sounds = [prosody_of(grid_sound("s1", name, RATE)) for name in names]
    clean = grid_sound("s1", names[0], RATE)
    noisy = prosody_of(clean + noise(4, 0.003)[: len(clean)])
    for other in (noisy, *sounds[1:]):
        found = compare(other, sounds[0])
        assert found["energy_corr"] < 0.9999 and not found["f0_rmse"] < 1e-3
    assert compare(noisy, sounds[0])["energy_corr"] > compare(sounds[1], sounds[0])["energy_corr"]


def test_scorer(tmp_path) -> None:
    write_wav(tmp_path / "clip.wav", speech("m1").audio, RATE)
    clip = SimpleNamespace(audio=tmp_path / "clip.wav", text=script(), language="en", audio_sha256="")
    scorer = ProsodyScorer({"u1": clip})
    scores = {score.metric: score.value for score in scorer.score(utterance(speech("m1").audio, text=script()))}
    assert set(scores) == {"f0_corr.yin_dtw", "f0_rmse.yin_dtw", "energy_corr.yin_dtw"}
    assert scores["f0_corr.yin_dtw"] > 0.99 and scores["f0_rmse.yin_dtw"] < 0.2
    with pytest.raises(NotApplicable, match="something else"):
        scorer.score(utterance(speech("m1").audio, text="你好", language="zh"))
    with pytest.raises(ScoreError, match="silent"):
        scorer.score(utterance(np.zeros(24_000), text=script()))
