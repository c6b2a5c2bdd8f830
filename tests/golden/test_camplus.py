"""CAM++ and its front-end against the public code (facts in camplus.json)."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.assets import local_asset
from syncvoice.errors import UserError
from syncvoice.networks.camplus import CAMPPlus, fbank, log_fbank
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


@pytest.mark.parametrize(("asset", "size"), [("campplus_zh_en", 192), ("campplus_voxceleb", 512)])
def test_public_file_loads_from_where_the_registry_puts_it(
    asset: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SYNCVOICE_ASSETS", raising=False)
    with pytest.raises(UserError, match=f"weights {asset} .*put the published file at resources/assets/{asset}"):
        local_asset(asset)
    state = fill(CAMPPlus(embedding_size=size).state_dict(), 1.0)
    (tmp_path / "resources/assets").mkdir(parents=True)
    torch.save({**state, "projection.weight": torch.zeros(4, size)}, tmp_path / "resources/assets" / asset)
    encoder = CAMPPlus.load(local_asset(asset).path)
    assert encoder.embedding_size == size and not encoder.training
    with torch.inference_mode():
        check_summary(encoder(det((1, 230, 80), "fb", 3.0)), GOLDEN[f"campplus_{size}"]["emb"])
    del state["xvector.tdnn.linear.weight"]
    torch.save(state, tmp_path / "broken.bin")
    with pytest.raises(UserError, match="1 missing: xvector.tdnn.linear.weight"):
        CAMPPlus.load(tmp_path / "broken.bin")
