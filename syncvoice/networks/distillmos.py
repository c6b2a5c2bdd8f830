"""DistillMOS (Stahl and Gamper 2025): a small network that predicts the naturalness of speech.

Compressed complex spectrum (20 ms windows every 10 ms) → convolutions over frequency and time → transformer → attention
pooling → sigmoid. Class and keys fit the published file `distill_mos_v7.pt`; numbers equal its package (tested).
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from syncvoice.records.weights import open_weights

WINDOW = 122_880  # samples at 16 kHz, 7.68 s: what the network hears at once
LONGEST_STEP = 16_000  # samples from one window to the next in a longer sound, at most
HOP, FRAME = 160, 320
CHANNELS = (64, 64, 128, 256, 256, 256)
WIDTH, HEADS, LAYERS, POSITIONS = 200, 8, 7, 384
COMPRESSION, FLOOR = 0.3, 1e-12


def spectrum(audio: Tensor) -> Tensor:
    """Return the spectrum (B, 2, 161, frames), real and imaginary part, with magnitudes to the power of 0.3."""
    side = (FRAME - HOP) // 2
    padded = functional.pad(audio, (side, side), mode="reflect")
    window = torch.hann_window(FRAME, device=audio.device)
    bins = torch.stft(padded, FRAME, HOP, FRAME, window, center=False, return_complex=True)
    magnitude = bins.abs().clamp(min=FLOOR)
    return torch.view_as_real(bins * magnitude ** (COMPRESSION - 1)).permute(0, 3, 1, 2)


class _Convolutions(nn.Module):
    """Six 3 x 3 convolutions: all but the first halve the frequencies, the last halves time as well."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before, self.height = 2, FRAME // 2 + 1
        for index, channels in enumerate(CHANNELS):
            stride = (2 if index else 1, 2 if index == len(CHANNELS) - 1 else 1)
            layers += [nn.Conv2d(before, channels, 3, stride, padding=(0, 1)), nn.LeakyReLU(0.1)]
            before, self.height = channels, (self.height - 3) // stride[0] + 1
        self.cnn = nn.Sequential(*layers)

    def forward(self, audio: Tensor) -> Tensor:
        """Map sound (B, samples) to features (B, frames, 1024)."""
        features: Tensor = self.cnn(spectrum(audio))
        return features.flatten(1, 2).transpose(1, 2)


class _Positions(nn.Module):
    """Added positions; the table comes with the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("pe", torch.zeros(1, POSITIONS, WIDTH))
        self.pe: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Add the table to (B, POSITIONS, WIDTH)."""
        return x + self.pe


class _Transformer(nn.Module):
    """Batch norm, projection, positions, post-norm transformer."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(inputs)
        self.linear_proj = nn.Linear(inputs, WIDTH)
        self.position_encoding = _Positions()
        layer = nn.TransformerEncoderLayer(WIDTH, HEADS, 2 * WIDTH, 0.0, batch_first=True)
        self.transformer_encoder = nn.TransformerEncoder(layer, LAYERS)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, frames, inputs) to (B, frames, WIDTH)."""
        x = self.linear_proj(_over_time(self.norm, x))
        return self.transformer_encoder(self.position_encoding(x))  # type: ignore[no-any-return]


class _Pooling(nn.Module):
    """Attention over frames, then one number."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(WIDTH, 2 * WIDTH)
        self.linear2 = nn.Linear(2 * WIDTH, 1)
        self.linear3 = nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, frames, WIDTH) to (B,)."""
        weights = self.linear2(self.linear1(x).relu()).softmax(dim=1)
        return self.linear3((weights * x).sum(dim=1)).squeeze(1)  # type: ignore[no-any-return]


class _Head(nn.Module):
    """Everything after the convolutions."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm_input = nn.BatchNorm1d(inputs)
        self.transformer = _Transformer(inputs)
        self.norm_trans = nn.BatchNorm1d(WIDTH)
        self.pool = _Pooling()

    def forward(self, x: Tensor) -> Tensor:
        """Map features (B, frames, inputs) to (B,) in [0, 1]."""
        x = self.transformer(_over_time(self.norm_input, x))
        return self.pool(_over_time(self.norm_trans, x)).sigmoid()  # type: ignore[no-any-return]


def _over_time(norm: nn.Module, x: Tensor) -> Tensor:
    """Apply a batch norm to (B, frames, channels)."""
    normed: Tensor = norm(x.transpose(1, 2))
    return normed.transpose(1, 2)


class DistillMos(nn.Module):
    """Sound to predicted mean opinion score."""

    def __init__(self) -> None:
        """Make a network with random weights."""
        super().__init__()
        self.cnn = _Convolutions()
        self.transformer_pool_attn = _Head(CHANNELS[-1] * self.cnn.height)

    def forward(self, windows: Tensor) -> Tensor:
        """Predict scores of windows (B, WINDOW) at 16 kHz, each brought to a peak of 1: (B,) from 1 to 5."""
        peaks = windows.abs().amax(dim=1, keepdim=True)
        return 1 + 4 * self.transformer_pool_attn(self.cnn(windows / (peaks + 1e-8)))  # type: ignore[no-any-return]

    @classmethod
    def load(cls, path: Path | str) -> "DistillMos":
        """Read the published file, in eval mode.

        Raises:
            UserError: the file is missing, unreadable or does not fit.
        """
        network = cls()
        open_weights(path, "model").into(network)
        return network


def windows_of(audio: Tensor) -> Tensor:
    """Cut a sound (samples,) into windows (n, WINDOW): a short one is padded with zeros, a longer one overlaps."""
    extra = audio.shape[0] - WINDOW
    if extra <= 0:
        return functional.pad(audio, (0, -extra))[None]
    steps = -(-extra // LONGEST_STEP)
    starts = [int(place / steps * extra) for place in range(steps + 1)]
    return torch.stack([audio[start : start + WINDOW] for start in starts])
