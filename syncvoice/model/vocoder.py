"""Mel spectrogram to waveform: a ConvNeXt network predicts an STFT, one inverse STFT makes the sound.

The architecture and the state-dict keys are those of the public Vocos mel vocoder (24 kHz), so its file loads here. The
shipped vocoder is the same class with smaller widths; a few CPU-minutes teach it magnitudes but not phases, so its
configuration asks for phase refinement: fast Griffin-Lim iterations that keep the predicted magnitudes (our choice).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from syncvoice.records.weights import open_weights

N_FFT = 1024  # samples at 24 kHz
HOP = 256  # samples at 24 kHz between frames
MEL_BINS = 100
UNUSED_KEYS = ("feature_extractor.*",)  # of the public file (its `ignored_keys` in config/assets.yaml)
FEATURE_SCALE = 0.1  # the backbone's features are 0.1 times the natural log of the mel magnitudes (ZipVoice)
MAX_MAGNITUDE = 100.0  # clipping of the predicted magnitude (reference implementation)
PUBLIC_CONFIG = {"dim": 512, "intermediate": 1536, "layers": 8, "refine": 0}
MOMENTUM = 0.99  # of fast Griffin-Lim (Perraudin et al. 2013)


class ConvNeXtBlock(nn.Module):
    """Depthwise convolution over time, then a pointwise two-layer network, scaled and added to the input."""

    def __init__(self, dim: int, intermediate: int, scale: float) -> None:
        """Make a block of `dim` channels; `scale` is the initial value of the residual scale gamma."""
        super().__init__()
        self.dwconv = nn.Conv1d(dim, dim, kernel_size=7, padding=3, groups=dim)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.pwconv1 = nn.Linear(dim, intermediate)
        self.pwconv2 = nn.Linear(intermediate, dim)
        self.gamma = nn.Parameter(torch.full((dim,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""
        y = self.norm(self.dwconv(x).transpose(1, 2))  # (B, C, T) -> (B, T, C)
        y = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(y)))
        return x + y.transpose(1, 2)


class Backbone(nn.Module):
    """Embedding convolution, ConvNeXt blocks and a final normalisation."""

    def __init__(self, dim: int, intermediate: int, layers: int) -> None:
        """Make `layers` blocks of `dim` channels with hidden width `intermediate`."""
        super().__init__()
        self.embed = nn.Conv1d(MEL_BINS, dim, kernel_size=7, padding=3)
        self.norm = nn.LayerNorm(dim, eps=1e-6)
        self.convnext = nn.ModuleList(ConvNeXtBlock(dim, intermediate, 1 / layers) for _ in range(layers))
        self.final_layer_norm = nn.LayerNorm(dim, eps=1e-6)
        for module in self.modules():
            if isinstance(module, nn.Conv1d | nn.Linear):
                nn.init.trunc_normal_(module.weight, std=0.02)
                nn.init.zeros_(module.bias)

    def forward(self, log_mel: Tensor) -> Tensor:
        """Map the natural log mel (B, 100, T) to hidden features (B, T, dim)."""
        x = self.norm(self.embed(log_mel).transpose(1, 2)).transpose(1, 2)
        for block in self.convnext:
            x = block(x)
        return self.final_layer_norm(x.transpose(1, 2))


class InverseStft(nn.Module):
    """Inverse STFT with a Hann window; the window is part of the public state dict."""

    def __init__(self) -> None:
        """Make the window of N_FFT samples."""
        super().__init__()
        self.register_buffer("window", torch.hann_window(N_FFT))

    def forward(self, spectrum: Tensor) -> Tensor:
        """Map a complex spectrum (B, 513, T) to sound (B, (T - 1) * 256)."""
        return torch.istft(spectrum, N_FFT, HOP, N_FFT, self.window, center=True)

    def forward_stft(self, sound: Tensor) -> Tensor:
        """Map sound (B, (T - 1) * 256) back to the complex spectrum (B, 513, T)."""
        return torch.stft(sound, N_FFT, HOP, N_FFT, self.window, center=True, return_complex=True)


class Head(nn.Module):
    """Log magnitude and phase from the hidden features, then the inverse STFT."""

    def __init__(self, dim: int) -> None:
        """Make the projection of `dim` features to 513 log magnitudes and 513 phases."""
        super().__init__()
        self.out = nn.Linear(dim, N_FFT + 2)
        self.istft = InverseStft()

    def polar(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (B, T, dim) to the log magnitude and the phase in radians, both (B, 513, T)."""
        log_magnitude, phase = self.out(x).float().transpose(1, 2).chunk(2, dim=1)
        return log_magnitude, phase

    def sound(self, log_magnitude: Tensor, phase: Tensor) -> Tensor:
        """Map log magnitude and phase (B, 513, T) to sound (B, (T - 1) * 256)."""
        magnitude = log_magnitude.exp().clamp(max=MAX_MAGNITUDE)
        return self.istft(torch.complex(magnitude * phase.cos(), magnitude * phase.sin()))

    def refined_phase(self, log_magnitude: Tensor, phase: Tensor, iterations: int) -> Tensor:
        """Make the phase (B, 513, T) fit the magnitudes by fast Griffin-Lim iterations; no randomness."""
        magnitude = log_magnitude.exp().clamp(max=MAX_MAGNITUDE)
        spectrum = torch.polar(magnitude, phase)
        previous = torch.zeros_like(spectrum)
        for _ in range(iterations):
            rebuilt = self.istft.forward_stft(self.istft(spectrum))
            spectrum = torch.add(rebuilt, previous, alpha=-MOMENTUM / (1 + MOMENTUM))
            parts = torch.view_as_real(spectrum)  # scaled in place: arithmetic of complex numbers is slow on a CPU
            length = parts[..., 0].square().addcmul_(parts[..., 1], parts[..., 1]).sqrt_().clamp_(min=1e-9)
            parts.mul_((magnitude / length)[..., None])
            previous = rebuilt
        return spectrum.angle()

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, T, dim) to sound (B, (T - 1) * 256)."""
        return self.sound(*self.polar(x))


class Vocoder(nn.Module):
    """Vocos-kind vocoder for 24 kHz sound: 100 mel bins, hop 256, centred frames."""

    def __init__(self, config: Mapping[str, Any] | None = None) -> None:
        """Make a vocoder.

        Args:
            config: {"dim", "intermediate", "layers", "refine"}; None means the public weights. `refine` is the number
                of phase iterations of `decode`.
        """
        super().__init__()
        self.config = {**PUBLIC_CONFIG, **(config or {})}
        self.backbone = Backbone(self.config["dim"], self.config["intermediate"], self.config["layers"])
        self.head = Head(self.config["dim"])

    @property
    def device(self) -> torch.device:
        """Where the vocoder lies and wants its features."""
        return self.head.out.weight.device

    def forward(self, mel: Tensor) -> Tensor:
        """Map mel features (B, T, 100), 0.1 times the natural log, to sound (B, (T - 1) * 256) at 24 kHz."""
        return self.head(self.backbone(mel.transpose(1, 2) / FEATURE_SCALE))

    @torch.inference_mode()
    def decode(self, mel: Tensor, n_samples: int) -> Tensor:
        """Return exactly `n_samples` samples of sound in [-1, 1] for mel features, phases refined as configured.

        Args:
            mel: features (T, 100) or (B, T, 100), 0.1 times the natural log of the mel magnitudes.
            n_samples: wanted length at 24 kHz; the (T - 1) * 256 samples are cut or padded with zeros.

        Returns:
            (n_samples,) or (B, n_samples), float32.
        """
        single = mel.dim() == 2
        batch = (mel[None] if single else mel).float()
        log_magnitude, phase = self.head.polar(self.backbone(batch.transpose(1, 2) / FEATURE_SCALE))
        if self.config["refine"] and mel.shape[-2] > N_FFT // HOP:  # shorter sound cannot be reflected at its ends
            phase = self.head.refined_phase(log_magnitude, phase, self.config["refine"])
        sound = self.head.sound(log_magnitude, phase).clamp(-1.0, 1.0)
        sound = functional.pad(sound, (0, max(0, n_samples - sound.shape[1])))[:, :n_samples]
        return sound[0] if single else sound

    @classmethod
    def load(cls, path: Path | str) -> "Vocoder":
        """Read a vocoder in eval mode; its widths come from the JSON file beside it, else those of the public weights.

        Raises:
            UserError: the file is missing, unreadable or does not fit.
        """
        weights = open_weights(path)
        return weights.into(cls(weights.metadata.get("config")), UNUSED_KEYS)
