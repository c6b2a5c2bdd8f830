"""What a recording is worth: real ones are fine; noise, clipping, length, no speech, a second voice are told."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile

from syncvoice.dubbing.voice import trimmed
from syncvoice.dubbing.voice_check import LEAST_ALIKE, Heard, check_voice, clipped_share, heard_of
from syncvoice.errors import UserError
from tests.unit.real_sounds import grid_clips, grid_sound, recording

RATE = 24_000
FINE = {"seconds": 5.0, "voiced": 0.5, "snr_db": 25.0, "clipped": 0.0, "alike": 0.85}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, None),
        ({"alike": None}, None),
        ({"seconds": 2.9}, "holds 2.9 s of sound; a voice is known better from 3 to 10 s"),
        ({"seconds": 12.0}, "only the first 10 s are used"),
        ({"voiced": 0.05}, "is it speech"),
        ({"snr_db": 12.0}, "is noisy (speech is 12 dB above the noise, 17 are enough)"),
        ({"clipped": 0.02}, "is clipped (2.0% of its samples)"),
        ({"alike": 0.6}, "may hold several speakers"),
    ],
)
def test_each_fault_is_a_sentence_with_advice(changed: dict, told: str | None) -> None:
    says = Heard(**{**FINE, **changed}).advice(Path("a.wav"))
    assert says == [] if told is None else (len(says) == 1 and told in says[0] and says[0].startswith("voice a.wav "))


def written(folder: Path, audio: np.ndarray, name: str = "a.wav") -> Path:
    soundfile.write(folder / name, audio, RATE, subtype="PCM_16")
    return folder / name


def speech(name: str) -> np.ndarray:
    """The best five seconds of a real recording."""
    return trimmed(recording(name, RATE), Path(name))[: 5 * RATE]


SPEECH = ["jfk.flac", "aishell-BAC009S0724W0121.wav"]


@pytest.mark.parametrize("name", SPEECH)
def test_real_recordings_are_fine(tmp_path: Path, name: str) -> None:
    assert check_voice(written(tmp_path, speech(name))) == []


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", SPEECH)
def test_noise_clipping_and_length_are_heard(tmp_path: Path, name: str, seed: int) -> None:
    audio = speech(name)
    level = np.sqrt(np.mean(audio**2))
    noise = np.random.default_rng(seed).normal(0, level, len(audio))
    (told,) = check_voice(written(tmp_path, 0.5 * (audio + 0.5 * noise)))  # 6 dB
    assert "is noisy" in told
    top = (0.3 + 0.1 * seed) * np.abs(audio).max()
    (told,) = check_voice(written(tmp_path, np.clip(audio, -top, top)))
    assert "is clipped" in told
    (told,) = check_voice(written(tmp_path, audio[: 2 * RATE]))
    assert "holds 2.0 s" in told or "holds 1." in told
    told = check_voice(written(tmp_path, np.tile(audio, 3)))
    assert any("only the first 10 s" in one for one in told)


def test_what_is_no_speech_is_told(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 5 * RATE)
    told = check_voice(written(tmp_path, noise))
    assert len(told) == 1 and "is it speech" in told[0]
    with pytest.raises(UserError, match="is silent"):
        check_voice(written(tmp_path, 0 * noise))


PEOPLE = [*SPEECH, "librivox/sense_and_sensibility_01_austen_64kb-0870.wav", "ljspeech/wavs/LJ001-0001.wav"]


@pytest.mark.parametrize(("one", "other"), list(combinations(PEOPLE, 2)))
def test_two_speakers_are_told(tmp_path: Path, one: str, other: str) -> None:
    both = np.concatenate([speech(one), speech(other)])
    (told,) = check_voice(written(tmp_path, both))
    assert "may hold several speakers" in told


@pytest.mark.parametrize("name", [*PEOPLE, "s1", "s2"])
def test_one_speaker_is_one(tmp_path: Path, name: str) -> None:
    if name in PEOPLE:
        audio = trimmed(recording(name, RATE), Path(name))[: 10 * RATE]
    else:
        audio = np.concatenate([grid_sound(name, clip, RATE) for clip in grid_clips(name)[:4]])[: 10 * RATE]
    alike = heard_of(written(tmp_path, audio)).alike
    assert alike is not None and alike > LEAST_ALIKE


def test_only_runs_at_the_top_count_as_clipped() -> None:
    sine = np.sin(np.arange(48_000) / 3)
    assert clipped_share(0.5 * sine) == 0 and clipped_share(np.zeros(10)) >= 0
    assert clipped_share(np.clip(2 * sine, -1, 1)) > 0.3
    assert clipped_share(np.zeros(0)) == 0
