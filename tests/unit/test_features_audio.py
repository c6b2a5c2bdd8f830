"""Mel, speaker and text features; golden values of the reference front-end."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from syncvoice import clocks
from syncvoice.audio import read_wav, write_wav
from syncvoice.errors import UserError
from syncvoice.features.base import make_extractor
from syncvoice.features.mel import FEATURE_SCALE, log_mel
from syncvoice.files import sha256_of
from syncvoice.networks.camplus import CAMPPlus, fbank
from syncvoice.records.clips import Clip
from tests.golden.det import values

REPOSITORY = Path(__file__).parents[2]
GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "vocos.json").read_text())["vocos_fbank"]


def signal() -> np.ndarray:
    """The golden input: two tones and deterministic noise, one second at 24 kHz."""
    n = np.arange(24_000)
    tones = 0.3 * np.sin(2 * np.pi * 220 * n / 24_000) + 0.2 * np.sin(2 * np.pi * 3000 * n / 24_000)
    return (tones + 0.02 * values("n24", 24_000)).astype(np.float32)


def test_mel_equals_the_reference_implementation() -> None:
    mel = log_mel(signal())
    assert list(mel.T.shape) == GOLDEN["shape"][1:] and mel.dtype == np.float32
    logarithms = mel / FEATURE_SCALE  # the golden file holds natural logarithms
    assert np.allclose(logarithms[0, :6], GOLDEN["frame0_first6"], atol=1e-3)
    assert np.allclose(logarithms[40, :6], GOLDEN["frame40_first6"], atol=1e-3)
    assert np.allclose(logarithms[40, -4:], GOLDEN["frame40_last4"], atol=1e-3)
    assert logarithms.mean() == pytest.approx(GOLDEN["mean"], abs=1e-4)


@given(n=st.integers(3, 60))
@settings(max_examples=25, deadline=None)
def test_mel_length_for_every_number_of_frames(n: int) -> None:
    audio = np.random.default_rng(n).normal(0, 0.1, clocks.samples(n)).astype(np.float32)
    mel = log_mel(audio, n)
    assert mel.shape == (clocks.mel_frames(n), 100)
    assert np.array_equal(mel, log_mel(audio))


def test_mel_batches_and_lengths() -> None:
    batch = torch.from_numpy(np.stack([signal(), signal()[::-1].copy()]))
    mel = log_mel(batch)
    assert isinstance(mel, torch.Tensor) and mel.shape == (2, 94, 100)
    assert torch.allclose(mel[0], torch.from_numpy(log_mel(signal())), atol=1e-5)
    longer = log_mel(signal(), 30)
    assert len(longer) == clocks.mel_frames(30) and np.array_equal(longer[-1], longer[94])


@pytest.fixture()
def clip(tmp_path: Path) -> Clip:
    write_wav(tmp_path / "a.wav", signal(), 24_000)
    return Clip(
        "a",
        "s",
        "d",
        "p",
        "",
        "",
        "en",
        "",
        "bin blue at f two now",
        None,
        tmp_path / "a.wav",
        25,
        audio_sha256=sha256_of(tmp_path / "a.wav"),
    )


def test_mel_extractor(clip: Clip, tmp_path: Path) -> None:
    mel = make_extractor("zipvoice_mel")
    assert mel.extract(clip).shape == (94, 100)
    write_wav(clip.audio, signal(), 16_000)
    with pytest.raises(UserError, match="24000"):
        mel.extract(replace(clip, audio_sha256=""))


def test_speaker_extractor(clip: Clip) -> None:
    weights = REPOSITORY / "weights" / "speaker_encoder.safetensors"
    extractor = make_extractor("campplus", {"weights": str(weights)})
    embedding = extractor.extract(clip)
    assert embedding.shape == (1, 192) == (1, extractor.dim) and embedding.dtype == np.float32
    assert extractor.weights_sha256 == sha256_of(weights) and extractor.settings == {}
    expected = CAMPPlus.load(weights).eval()(fbank(read_wav(clip.audio, 16_000)[0])[None]).detach().numpy()
    np.testing.assert_allclose(embedding, expected, rtol=1e-5, atol=1e-6)


def test_text_extractor(clip: Clip) -> None:
    tokens = make_extractor("emilia_tokens").extract(clip)
    assert tokens.dtype == np.int32 and tokens.ndim == 1 and len(tokens) > 10
    assert tokens.min() >= 0 and tokens.max() < 360


def test_unknown_extractors_and_settings() -> None:
    with pytest.raises(UserError, match="zipvoice_mel"):
        make_extractor("mfcc")
    with pytest.raises(UserError, match="settings"):
        make_extractor("zipvoice_mel", {"bands": 80})
