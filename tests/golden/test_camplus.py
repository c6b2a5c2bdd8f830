"""CAM++ and its front-end against the public code (facts in camplus.json)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.model.camplus import CAMPPlus, fbank, log_fbank
from tests.golden.det import check_summary, det, fill, values

GOLDEN = json.loads((Path(__file__).parent / "camplus.json").read_text())


def _signal() -> np.ndarray:
    """One second at 16 kHz: two tones and deterministic noise, rounded to 16 bit."""
    n = np.arange(16_000)
    tones = 8000 * np.sin(2 * np.pi * 440 * n / 16_000) + 4000 * np.sin(2 * np.pi * 1234.5 * n / 16_000)
    return np.round(tones + 500 * values("noise", 16_000)).astype(np.int16).astype(np.float32) / 32768


def test_filter_bank_matches() -> None:
    features, golden = log_fbank(_signal()).numpy(), GOLDEN["fbank"]
    assert list(features.shape) == golden["shape"]
    np.testing.assert_allclose(features[0, :8], golden["frame0_first8"], atol=2e-3)
    np.testing.assert_allclose(features[50, :8], golden["frame50_first8"], atol=2e-3)
    np.testing.assert_allclose(features[50, -4:], golden["frame50_last4"], atol=2e-3)
    assert features.mean() == pytest.approx(golden["mean"], abs=1e-3)


def test_filter_bank_has_zero_mean_and_short_sound_gives_no_frame() -> None:
    assert fbank(_signal()).mean(dim=0).abs().max() < 1e-4
    assert fbank(np.zeros(399, dtype=np.float32)).shape == (0, 80)


@pytest.mark.parametrize("size", [192, 512])
def test_every_stage_matches(size: int) -> None:
    golden = GOLDEN[f"campplus_{size}"]
    encoder = CAMPPlus(embedding_size=size).eval()
    assert len(encoder.state_dict()) == 937
    assert sum(p.numel() for p in encoder.parameters()) == {192: 6_848_544, 512: 7_176_224}[size]
    encoder.load_state_dict(fill(encoder.state_dict(), 1.0))
    with torch.inference_mode():
        x = encoder.head(det((1, 230, 80), "fb", 3.0).transpose(1, 2))
        check_summary(x, golden["head"])
        for name, stage in encoder.xvector.named_children():
            x = stage(x)
            check_summary(x, golden[f"after_{name}"])
        check_summary(x, golden["emb"])
        check_summary(encoder(det((1, 230, 80), "fb", 3.0)), golden["emb"])
