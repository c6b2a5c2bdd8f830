"""DistillMOS: windows, the published file's layout, the direction of its scores, equality with its package."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from syncvoice.errors import UserError
from syncvoice.metrics.naturalness.distillmos import ASSET, DistillMosScorer
from syncvoice.metrics.scorer import ScoreError, Sources
from syncvoice.networks.distillmos import WINDOW, DistillMos, spectrum, windows_of
from syncvoice.places import find_weights
from tests.unit.real_sounds import grid_sound
from tests.unit.spoken import at_16k, noise, speech

has_weights = pytest.mark.skipif(find_weights(ASSET) is None, reason="the weights are fetched, not shipped")
has_package = pytest.mark.skipif(importlib.util.find_spec("distillmos") is None, reason="package distillmos is absent")


def test_windows_cover_a_sound() -> None:
    short = torch.arange(1000.0)
    (window,) = windows_of(short)
    assert window.shape == (WINDOW,) and torch.equal(window[:1000], short) and not window[1000:].any()
    sound = torch.arange(WINDOW + 40_000.0)
    windows = windows_of(sound)
    assert windows.shape == (4, WINDOW) and windows[0, 0] == 0 and windows[-1, -1] == len(sound) - 1
    assert (windows[1:, 0] - windows[:-1, 0]).max() <= 16_000


def test_spectrum_is_compressed_and_keeps_phase() -> None:
    audio = torch.randn(1, 3200, generator=torch.Generator().manual_seed(1))
    loud, quiet = (torch.view_as_complex(spectrum(audio * g).permute(0, 2, 3, 1).contiguous()) for g in (1.0, 1e-2))
    assert loud.shape == (1, 161, 20)
    torch.testing.assert_close(quiet.abs() / loud.abs(), torch.full_like(loud.abs(), 1e-2**0.3), rtol=1e-3, atol=0)
    torch.testing.assert_close(torch.angle(quiet), torch.angle(loud), atol=1e-2, rtol=0)


def test_public_layout_has_the_names_and_sizes_of_the_published_file() -> None:
    with torch.device("meta"):
        state = DistillMos().state_dict()
    head = "transformer_pool_attn"
    sizes = {
        "cnn.cnn.0.weight": (64, 2, 3, 3),
        "cnn.cnn.10.weight": (256, 256, 3, 3),
        f"{head}.norm_input.running_var": (1024,),
        f"{head}.transformer.linear_proj.weight": (200, 1024),
        f"{head}.transformer.position_encoding.pe": (1, 384, 200),
        f"{head}.transformer.transformer_encoder.layers.6.self_attn.in_proj_weight": (600, 200),
        f"{head}.transformer.transformer_encoder.layers.0.linear1.weight": (400, 200),
        f"{head}.pool.linear2.weight": (1, 400),
    }
    assert {name: tuple(state[name].shape) for name in sizes} == sizes


def test_silence_and_missing_weights_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    scorer = DistillMosScorer(DistillMos().eval())
    for sound in (np.zeros(16_000, np.float32), np.zeros(0, np.float32)):
        with pytest.raises(ScoreError, match="silent"):
            scorer.predict(sound)
    assert 1 <= scorer.predict(noise(1.0, 0.1, 16_000)) <= 5
    monkeypatch.delenv("SYNCVOICE_ASSETS", raising=False)
    monkeypatch.setattr("syncvoice.places.CHECKOUT", tmp_path)
    with pytest.raises(UserError, match="needs the weights distillmos"):
        DistillMosScorer.from_sources(Sources(tmp_path, assets=tmp_path))


@has_weights
def test_noise_and_formant_synthesis_lower_the_score() -> None:
    scorer = DistillMosScorer.from_sources(Sources(Path("weights")))
    recorded = grid_sound("s1", "bbaf3s")
    rms = float(np.sqrt(np.mean(recorded**2)))
    hiss = noise(len(recorded) / 16_000 + 0.1, 1.0, 16_000)[: len(recorded)]
    values = [scorer.predict(recorded + rms * 10 ** (-snr / 20) * hiss) for snr in (60, 20, 0)]
    assert values[0] > values[1] + 0.3 > values[2] + 0.6
    assert scorer.predict(at_16k(speech("f2").audio)) < values[0]
    assert scorer.predict(recorded * 0.1) == pytest.approx(scorer.predict(recorded), abs=1e-3)


@has_weights
@has_package
@pytest.mark.parametrize("seconds", [1.5, 7.68, 9.3])
def test_equals_the_package(seconds: float) -> None:
    from distillmos import ConvTransformerSQAModel

    reference = ConvTransformerSQAModel().eval()
    audio = np.resize(grid_sound("s1", "bbaf3s"), int(16_000 * seconds)).astype(np.float32)
    with torch.inference_mode():
        expected = reference(torch.from_numpy(audio)[None]).item()
    assert DistillMosScorer.from_sources(Sources(Path("weights"))).predict(audio) == pytest.approx(expected, abs=1e-4)
