"""Mel filter banks: torchaudio's, the ones that the reference implementations use.

SyncNet's MFCC alone have filters of their own (`networks.syncnet`): their corners lie on whole bins of the spectrum.
"""

from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor


@cache
def mel_filters(
    n_fft: int, bands: int, rate: int, low: float = 0.0, scale: Literal["htk", "slaney"] = "htk", by_area: bool = False
) -> "Tensor":
    """Triangles over linear frequency up to half the sampling rate.

    Args:
        n_fft: samples of a spectrum's window.
        bands: how many filters.
        rate: of sampling, Hz.
        low: lower end of the first band, Hz.
        scale: mel formula.
        by_area: divide every triangle by its width (Slaney), instead of peaks of 1.

    Returns:
        (n_fft // 2 + 1, bands) float32, shared: do not change it.
    """
    import torch

    from syncvoice.torchaudio_shim import torchaudio

    norm = "slaney" if by_area else None
    with torch.inference_mode(False):  # cached, and perhaps used in training later
        return torchaudio.functional.melscale_fbanks(n_fft // 2 + 1, low, rate / 2, bands, rate, norm, scale)


@cache
def kaldi_mel_filters(n_fft: int, bands: int, rate: int, low: float) -> "Tensor":
    """Kaldi's triangles over the mel axis; arguments as in `mel_filters`. The last bin of the spectrum has no weight.

    Returns:
        (n_fft // 2 + 1, bands) float32, shared: do not change it.
    """
    import torch
    from torch.nn.functional import pad

    from syncvoice.torchaudio_shim import torchaudio

    # high 0 is half the rate; the VTLN arguments have no effect at factor 1
    arguments = (bands, n_fft, float(rate), low, 0.0, 100.0, -500.0, 1.0)
    with torch.inference_mode(False):
        return pad(torchaudio.compliance.kaldi.get_mel_banks(*arguments)[0], (0, 1)).T
