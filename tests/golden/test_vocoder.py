"""The vocoder against the public Vocos code (facts in vocos.json)."""

import json
from pathlib import Path

import torch

from syncvoice.model.vocoder import Vocoder
from tests.golden.det import check_summary, det, fill

GOLDEN = json.loads((Path(__file__).parent / "vocos.json").read_text())["vocos"]


def _filled_vocoder() -> Vocoder:
    """Full-size vocoder with deterministic weights; the window of the inverse STFT stays a Hann window."""
    vocoder = Vocoder().eval()
    window = vocoder.head.istft.window.clone()
    vocoder.load_state_dict(fill(vocoder.state_dict(), 0.5))
    vocoder.head.istft.window.copy_(window)
    return vocoder


def test_keys_and_size_are_those_of_the_public_weights() -> None:
    vocoder = Vocoder()
    later_blocks = tuple(f"backbone.convnext.{i}." for i in range(1, 8))  # the golden file lists block 0 only
    shapes = {k: list(v.shape) for k, v in vocoder.state_dict().items() if not k.startswith(later_blocks)}
    assert shapes == dict(GOLDEN["keys"])
    assert sum(p.numel() for p in vocoder.parameters()) == GOLDEN["n_params"]


def test_backbone_and_sound_match() -> None:
    vocoder = _filled_vocoder()
    log_mel = det((1, 100, 20), "mel", 2.0)
    with torch.inference_mode():
        check_summary(vocoder.backbone(log_mel), GOLDEN["backbone"])
        check_summary(vocoder(0.1 * log_mel.transpose(1, 2)), GOLDEN["audio"], tolerance=2e-5)
