"""Changes of visual features before they guide: what of them is kept, how fast it may move, when it comes.

Our choice throughout, for the study `questions`. Features are at 25 frames per second; a clip keeps its length.
"""

import torch
from torch import Tensor

from syncvoice.clocks import FPS
from syncvoice.generation.settings import Treatment
from syncvoice.seeding import rng

SHUT = 0.025  # gap between the lips, in outer eye distances, below which a mouth counts as shut
AROUND = 2  # frames before and after a shut mouth that belong to it: closing and onset


def treated(features: Tensor, treatment: Treatment, seed: int = 0, clip: str = "") -> Tensor:
    """Treat the features (n_frames, dim) of a clip, see `Treatment`; seed and clip decide the jitter."""
    if treatment.columns is not None:
        kept = torch.zeros(features.shape[1], dtype=features.dtype)
        kept[list(treatment.columns)] = 1
        features = features * kept
    if treatment.smooth_hz is not None:
        features = smoothed(features, treatment.smooth_hz)
    index = torch.arange(len(features))
    if treatment.rate is not None:
        index = ((index * treatment.rate / FPS).floor() * FPS / treatment.rate).ceil().long()
    if treatment.jitter:
        drawn = rng(seed, "jitter", clip).integers(-treatment.jitter, treatment.jitter + 1, len(features))
        index = index + torch.from_numpy(drawn)
    return features[(index - treatment.shift).clamp(0, len(features) - 1)]


def smoothed(features: Tensor, highest_hz: float) -> Tensor:
    """Smooth (n_frames, dim) in time by a Gaussian with gain one half at `highest_hz`; ends are held."""
    sigma = FPS * (2 * torch.log(torch.tensor(2.0))).sqrt() / (2 * torch.pi * highest_hz)
    reach = int(torch.ceil(4 * sigma))
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).to(features.dtype)
    held = torch.cat([features[:1].expand(reach, -1), features, features[-1:].expand(reach, -1)])
    return held.unfold(0, len(kernel), 1) @ kernel


def around_shut(opening: Tensor) -> Tensor:
    """Return 1 in frames whose mouth is shut or was or will be so within `AROUND` frames, else 0.

    Args:
        opening: gap between the lips in outer eye distances (n_frames,).

    Returns:
        float (n_frames,).
    """
    shut = (opening < SHUT).to(torch.float32)
    window = 2 * AROUND + 1
    return torch.nn.functional.max_pool1d(shut[None, None], window, stride=1, padding=AROUND)[0, 0]
