"""Mel filter banks of torchaudio against their formulas, and the shim that imports it."""

import subprocess
import sys

import numpy as np
import pytest

from syncvoice.mel_filters import kaldi_mel_filters, mel_filters


def htk(hz: np.ndarray) -> np.ndarray:
    return 2595 * np.log10(1 + hz / 700)


def slaney(hz: np.ndarray) -> np.ndarray:
    return np.where(hz < 1000, 3 * hz / 200, 15 + 27 * np.log(np.maximum(hz, 1) / 1000) / np.log(6.4))


def triangles(points: np.ndarray, edges: np.ndarray) -> np.ndarray:
    rising = (points[:, None] - edges[:-2]) / np.diff(edges)[:-1]
    falling = (edges[2:] - points[:, None]) / np.diff(edges)[1:]
    return np.maximum(0, np.minimum(rising, falling))


def linear_bank(n_fft: int, bands: int, rate: int, low: float, scale: str, by_area: bool) -> np.ndarray:
    """Filters over hertz in double precision, (bins, bands)."""
    mel = {"htk": htk, "slaney": slaney}[scale]
    axis = np.linspace(0, rate / 2, 200_001)
    edges = np.interp(np.linspace(mel(np.array(low)), mel(np.array(rate / 2)), bands + 2), mel(axis), axis)
    filters = triangles(np.linspace(0, rate / 2, n_fft // 2 + 1), edges)
    return filters * 2 / (edges[2:] - edges[:-2]) if by_area else filters


@pytest.mark.parametrize(
    "bank",
    [
        (1024, 100, 24_000, 0.0, "htk", False),  # ZipVoice and Vocos
        (400, 40, 16_000, 50.0, "htk", False),  # d-vector
        (400, 40, 16_000, 0.0, "slaney", True),  # GE2E
    ],
)
def test_filters_are_those_of_the_formula(bank: tuple) -> None:
    assert np.abs(mel_filters(*bank).numpy() - linear_bank(*bank)).max() < 2e-5


def test_kaldi_filters_are_triangles_over_mel() -> None:
    edges = np.linspace(htk(np.array(20.0)), htk(np.array(8000.0)), 82)
    expected = triangles(htk(np.arange(256) * 16_000 / 512), edges)
    found = kaldi_mel_filters(512, 80, 16_000, 20.0).numpy()
    assert found.shape == (257, 80) and not found[256].any()
    assert np.abs(found[:256] - expected).max() < 5e-5


def test_importing_torchaudio_changes_no_other_module() -> None:
    program = """
import pathlib, pickle, torch
before = {(m, k): id(v) for m in (pathlib, pathlib.Path, pickle, torch) for k, v in vars(m).items()}
from syncvoice.torchaudio_shim import torchaudio
torchaudio.functional.melscale_fbanks(201, 0.0, 8000.0, 40, 16000)
after = {(m, k): id(v) for m in (pathlib, pathlib.Path, pickle, torch) for k, v in vars(m).items()}
changed = [k for m, k in before if before[m, k] != after.get((m, k))]
assert not changed, changed
"""
    subprocess.run([sys.executable, "-c", program], check=True)
