"""ECAPA-TDNN head over WavLM's hidden states: the embedding behind SIM-o (public file wavlm_large_finetune.pth).

Desplanques et al. 2020 (arXiv 2005.07143) with 512 channels, on a learned mixture of the 25 hidden states of WavLM
large. State-dict keys of head and trunk are those of the public file; the head is checked against golden values of the
reference implementation, the trunk against the package transformers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from syncvoice.networks.wavlm import WavLM, normalised
from syncvoice.records.weights import open_weights

EMBEDDING = 256
CHANNELS = 512
POOLED = 1536  # three layers of 512 channels
BOTTLENECK = 128
SCALE = 8  # groups of channels in a residual block
SAMPLE_RATE = 16_000  # Hz
SHORTEST = 400  # samples, one frame of the trunk
LONGEST_S = 120.0  # longer sounds are cut there, as in ZipVoice's evaluation
TRUNK = "feature_extract.model."  # where the public file keeps WavLM
UNUSED_KEYS = ("feature_extract.model.mask_emb", "loss_calculator.*")  # of training


class ConvolutionUnit(nn.Module):
    """Convolution, ReLU, batch normalisation, in this order."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1) -> None:
        """Make a convolution that keeps the length."""
        super().__init__()
        self.conv = nn.Conv1d(inputs, outputs, kernel, padding=kernel // 2)
        self.bn = nn.BatchNorm1d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, T) to (B, outputs, T)."""
        return self.bn(functional.relu(self.conv(x)))


class GroupedResidual(nn.Module):
    """Res2Net convolution: each group of channels hears the sum of itself and the previous group's output."""

    def __init__(self, channels: int, dilation: int) -> None:
        """Make one convolution for every group but the last, which passes unchanged."""
        super().__init__()
        width = channels // SCALE
        self.convs = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation) for _ in range(SCALE - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(SCALE - 1))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""
        *groups, last = x.chunk(SCALE, dim=1)
        outputs: list[Tensor] = []
        for group, conv, bn in zip(groups, self.convs, self.bns, strict=True):
            outputs.append(bn(functional.relu(conv(group + outputs[-1] if outputs else group))))
        return torch.cat([*outputs, last], dim=1)


class ChannelGate(nn.Module):
    """Squeeze and excitation: a weight per channel from the mean over time."""

    def __init__(self, channels: int) -> None:
        """Make the two linear layers of the gate."""
        super().__init__()
        self.linear1 = nn.Linear(channels, BOTTLENECK)
        self.linear2 = nn.Linear(BOTTLENECK, channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""
        weight = torch.sigmoid(self.linear2(functional.relu(self.linear1(x.mean(dim=2)))))
        return x * weight[..., None]


class ResidualBlock(nn.Module):
    """1x1 convolution, grouped residual convolution, 1x1 convolution, channel gate, shortcut."""

    def __init__(self, channels: int, dilation: int) -> None:
        """Make a block; attribute names are keys of the public file."""
        super().__init__()
        self.Conv1dReluBn1 = ConvolutionUnit(channels, channels)
        self.Res2Conv1dReluBn = GroupedResidual(channels, dilation)
        self.Conv1dReluBn2 = ConvolutionUnit(channels, channels)
        self.SE_Connect = ChannelGate(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""
        return x + self.SE_Connect(self.Conv1dReluBn2(self.Res2Conv1dReluBn(self.Conv1dReluBn1(x))))


class AttentivePooling(nn.Module):
    """Mean and standard deviation over time, weighted per channel by attention."""

    def __init__(self, channels: int) -> None:
        """Make the two 1x1 convolutions of the attention."""
        super().__init__()
        self.linear1 = nn.Conv1d(channels, BOTTLENECK, 1)
        self.linear2 = nn.Conv1d(BOTTLENECK, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, 2 C)."""
        weight = self.linear2(torch.tanh(self.linear1(x))).softmax(dim=2)
        mean = (weight * x).sum(dim=2)
        variance = (weight * x.square()).sum(dim=2) - mean.square()
        return torch.cat([mean, variance.clamp(min=1e-9).sqrt()], dim=1)


class EcapaHead(nn.Module):
    """Hidden states to speaker embedding."""

    def __init__(self, states: int = 25, dim: int = 1024) -> None:
        """Make the head for `states` hidden states of width `dim`."""
        super().__init__()
        self.feature_weight = nn.Parameter(torch.zeros(states))
        self.layer1 = ConvolutionUnit(dim, CHANNELS, 5)
        self.layer2, self.layer3, self.layer4 = (ResidualBlock(CHANNELS, dilation) for dilation in (2, 3, 4))
        self.conv = nn.Conv1d(POOLED, POOLED, 1)
        self.pooling = AttentivePooling(POOLED)
        self.bn = nn.BatchNorm1d(2 * POOLED)
        self.linear = nn.Linear(2 * POOLED, EMBEDDING)

    def mix(self, states: Sequence[Tensor]) -> Tensor:
        """Mixture of hidden states (B, T, C), each channel with mean 0 and variance 1 over time: (B, C, T)."""
        weights = self.feature_weight.softmax(dim=0)
        mixed = sum(weight * state for weight, state in zip(weights, states, strict=True))
        return functional.instance_norm(mixed.transpose(1, 2) + 1e-6)

    def forward(self, states: Sequence[Tensor]) -> Tensor:
        """Map hidden states, each (B, T, C) without padding, to embeddings (B, 256) of any length."""
        first = self.layer1(self.mix(states))
        second = self.layer2(first)
        third = self.layer3(second)
        joined = torch.cat([second, third, self.layer4(third)], dim=1)
        return self.linear(self.bn(self.pooling(functional.relu(self.conv(joined)))))


class WavLMSpeakerEncoder(nn.Module):
    """WavLM and head: sounds to speaker embeddings."""

    def __init__(self, trunk: WavLM | None = None) -> None:
        """Make an encoder with random weights; the default trunk is WavLM large."""
        super().__init__()
        self.trunk = trunk if trunk is not None else WavLM()
        self.head = EcapaHead(self.trunk.config.layers + 1, self.trunk.config.dim)

    @torch.inference_mode()
    def embed(self, sounds: Sequence[np.ndarray | Tensor]) -> Tensor:
        """Embed sounds.

        Args:
            sounds: (samples,) each, mono at 16 kHz; more than 120 s are cut. An embedding does not depend on the other
                sounds of the call.

        Returns:
            (B, 256) float32, each of length 1.

        Raises:
            ValueError: a sound has fewer than 400 samples.
        """
        device = next(self.parameters()).device
        cut = [torch.as_tensor(sound, dtype=torch.float32)[: int(LONGEST_S * SAMPLE_RATE)] for sound in sounds]
        if any(len(sound) < SHORTEST for sound in cut):
            raise ValueError(f"a speaker embedding needs {SHORTEST} samples, found {min(map(len, cut))}")
        audio, samples = normalised([sound.to(device) for sound in cut])
        states = self.trunk(audio, samples)
        frames = [self.trunk.frames(n) for n in samples]
        # The head averages over time, so each sound goes through it alone; it costs little beside the trunk.
        rows = [self.head([state[i : i + 1, :count] for state in states]) for i, count in enumerate(frames)]
        return functional.normalize(torch.cat(rows), dim=1)

    @classmethod
    def load(cls, path: Path | str, ignored: Iterable[str] = UNUSED_KEYS) -> "WavLMSpeakerEncoder":
        """Read the public file wavlm_large_finetune.pth, in eval mode.

        Args:
            path: the file; its entry `model` holds trunk and head.
            ignored: shell-style patterns of keys that may be left over.

        Raises:
            UserError: the file is missing, unreadable or does not fit.
        """
        weights = open_weights(path)
        renamed = {_own_name(name): tensor for name, tensor in weights.state.items()}
        return replace(weights, state=renamed).into(cls(), map(_own_name, ignored))


def _own_name(name: str) -> str:
    """Our name of an entry of the public file, or of a pattern of names."""
    return name.replace(TRUNK, "trunk.", 1) if name.startswith(TRUNK) else f"head.{name}"
