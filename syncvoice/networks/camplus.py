"""CAM++ speaker encoder and its filter-bank front-end.

Architecture and state-dict keys are those of the public CAMPPlus weights (937 entries at full size); the shipped
encoder is the same class with fewer channels and layers (our choice).
"""

import math
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from syncvoice.mel_filters import kaldi_mel_filters
from syncvoice.records.weights import open_weights

SAMPLE_RATE = 16_000  # Hz
MEL_BINS = 80
WINDOW = 400  # samples, 25 ms
SHIFT = 160  # samples, 10 ms
N_FFT = 512
PRE_EMPHASIS = 0.97
LOW_HZ = 20.0
SEGMENT = 100  # frames of one context segment of the masking layers (reference implementation)
DILATIONS = (1, 2, 2)  # of the three dense blocks
EMBEDDING_KEY = "xvector.dense.linear.weight"
UNUSED_KEYS = ("projection.*",)  # of training, in the public files (their `ignored_keys` in config/assets.yaml)
PUBLIC_CONFIG = {
    "feat_dim": 80,
    "embedding_size": 192,
    "growth": 32,
    "bn_size": 4,
    "init_channels": 128,
    "head_channels": 32,
    "layers": [12, 24, 16],
}


def log_fbank(audio: Tensor | np.ndarray) -> Tensor:
    """Return the Kaldi log filter bank without normalisation, float32 (frames, 80) at 100 frames per second.

    25 ms frames every 10 ms, only whole frames (snip edges), mean removed, pre-emphasis 0.97, Povey window, power
    spectrum, 80 mel bins from 20 Hz to 8 kHz, no dither. Source: reference implementation (golden values).

    Args:
        audio: (samples,) mono at 16 kHz in [-1, 1]; less than 400 samples give no frame.
    """
    audio = torch.as_tensor(audio, dtype=torch.float32)
    if audio.shape[0] < WINDOW:
        return audio.new_zeros(0, MEL_BINS)
    frames = audio.unfold(0, WINDOW, SHIFT)
    frames = frames - frames.mean(dim=1, keepdim=True)
    previous = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    window = torch.hann_window(WINDOW, periodic=False).pow(0.85)
    spectrum = torch.fft.rfft((frames - PRE_EMPHASIS * previous) * window, n=N_FFT)
    power = spectrum.abs().pow(2.0)
    bands = power @ kaldi_mel_filters(N_FFT, MEL_BINS, SAMPLE_RATE, LOW_HZ)
    return bands.clamp(min=torch.finfo(torch.float32).eps).log()


def fbank(audio: Tensor | np.ndarray) -> Tensor:
    """Return the input of CAM++: `log_fbank` minus its mean over time, float32 (frames, 80)."""
    features = log_fbank(audio)
    return features - features.mean(dim=0, keepdim=True) if len(features) else features


def _nonlinear(channels: int, affine: bool = True, relu: bool = True) -> nn.Sequential:
    """Batch normalisation (key `batchnorm`), then ReLU."""
    steps: list[tuple[str, nn.Module]] = [("batchnorm", nn.BatchNorm1d(channels, affine=affine))]
    return nn.Sequential(OrderedDict([*steps, ("relu", nn.ReLU())] if relu else steps))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut; `stride` acts on the frequency axis."""

    def __init__(self, channels: int, stride: int) -> None:
        """Make a block; a stride above 1 gives the shortcut its own 1x1 convolution."""
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, stride=(stride, 1), padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Sequential()
        if stride != 1:
            projection = nn.Conv2d(channels, channels, 1, stride=(stride, 1), bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, F, T) to (B, C, F / stride, T)."""
        y = self.bn2(self.conv2(functional.relu(self.bn1(self.conv1(x)))))
        return functional.relu(y + self.shortcut(x))


class ConvolutionHead(nn.Module):
    """2-D convolutions over the filter bank as an image; frequency is divided by eight."""

    def __init__(self, channels: int) -> None:
        """Make the head (reference name: FCM) with `channels` feature maps."""
        super().__init__()
        self.conv1 = nn.Conv2d(1, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.layer1 = nn.Sequential(ResidualBlock(channels, 2), ResidualBlock(channels, 1))
        self.layer2 = nn.Sequential(ResidualBlock(channels, 2), ResidualBlock(channels, 1))
        self.conv2 = nn.Conv2d(channels, channels, 3, stride=(2, 1), padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, F, T) to (B, channels * F / 8, T)."""
        x = functional.relu(self.bn1(self.conv1(x[:, None])))
        x = functional.relu(self.bn2(self.conv2(self.layer2(self.layer1(x)))))
        return x.flatten(1, 2)


class ConvolutionUnit(nn.Module):
    """Convolution, then batch normalisation and ReLU (keys `linear`, `nonlinear.batchnorm`)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int) -> None:
        """Make a 1-D convolution without bias and its normalisation."""
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=False)
        self.nonlinear = _nonlinear(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, T) to (B, outputs, T / stride)."""
        return self.nonlinear(self.linear(x))


def segment_means(x: Tensor) -> Tensor:
    """Mean of each stretch of 100 frames, repeated over it, (B, C, T); the last stretch has its own real length."""
    means = functional.avg_pool1d(x, SEGMENT, stride=SEGMENT, ceil_mode=True)
    return means.repeat_interleave(SEGMENT, dim=2)[..., : x.shape[-1]]


class MaskingLayer(nn.Module):
    """Context-aware masking: a dilated convolution gated by the mean over the utterance and over segments."""

    def __init__(self, inputs: int, outputs: int, dilation: int) -> None:
        """Make the layer; the gate's bottleneck has half of the input channels."""
        super().__init__()
        self.linear_local = nn.Conv1d(inputs, outputs, 3, padding=dilation, dilation=dilation, bias=False)
        self.linear1 = nn.Conv1d(inputs, inputs // 2, 1)
        self.linear2 = nn.Conv1d(inputs // 2, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, T) to (B, outputs, T)."""
        context = x.mean(dim=-1, keepdim=True) + segment_means(x)
        mask = torch.sigmoid(self.linear2(functional.relu(self.linear1(context))))
        return self.linear_local(x) * mask


class DenseLayer(nn.Module):
    """One densely connected layer; its output is concatenated to its input."""

    def __init__(self, inputs: int, growth: int, bottleneck: int, dilation: int) -> None:
        """Make a layer that adds `growth` channels."""
        super().__init__()
        self.nonlinear1 = _nonlinear(inputs)
        self.linear1 = nn.Conv1d(inputs, bottleneck, 1, bias=False)
        self.nonlinear2 = _nonlinear(bottleneck)
        self.cam_layer = MaskingLayer(bottleneck, growth, dilation)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs, T) to (B, inputs + growth, T)."""
        return torch.cat([x, self.cam_layer(self.nonlinear2(self.linear1(self.nonlinear1(x))))], dim=1)


class DenseBlock(nn.Sequential):
    """Dense layers named tdnnd1, tdnnd2, ... as in the public weights."""

    def __init__(self, inputs: int, layers: int, growth: int, bottleneck: int, dilation: int) -> None:
        """Make `layers` layers; the block maps `inputs` to inputs + layers * growth channels."""
        named = (
            (f"tdnnd{i + 1}", DenseLayer(inputs + i * growth, growth, bottleneck, dilation)) for i in range(layers)
        )
        super().__init__(OrderedDict(named))


class Transition(nn.Module):
    """Normalisation, ReLU and a 1x1 convolution that halves the channels."""

    def __init__(self, inputs: int) -> None:
        """Make the transition that follows a dense block of `inputs` channels."""
        super().__init__()
        self.nonlinear = _nonlinear(inputs)
        self.linear = nn.Conv1d(inputs, inputs // 2, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C / 2, T)."""
        return self.linear(self.nonlinear(x))


class StatisticsPooling(nn.Module):
    """Mean and unbiased standard deviation over time."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, 2 C)."""
        return torch.cat([x.mean(dim=-1), x.std(dim=-1, unbiased=True)], dim=1)


class EmbeddingLayer(nn.Module):
    """Linear projection and batch normalisation without affine part."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Make the projection (a 1x1 convolution in the public weights)."""
        super().__init__()
        self.linear = nn.Conv1d(inputs, outputs, 1, bias=False)
        self.nonlinear = _nonlinear(outputs, affine=False, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, inputs) to (B, outputs)."""
        return self.nonlinear(self.linear(x[..., None]).squeeze(-1))


class CAMPPlus(nn.Module):
    """CAM++ speaker encoder."""

    def __init__(
        self,
        feat_dim: int = 80,
        embedding_size: int = 192,
        growth: int = 32,
        bn_size: int = 4,
        init_channels: int = 128,
        head_channels: int = 32,
        layers: tuple[int, ...] | list[int] = (12, 24, 16),
    ) -> None:
        """Make an encoder; the defaults are those of the public weights.

        Args:
            feat_dim: filter-bank bins, a multiple of 8.
            embedding_size: size E of the embedding (public weights: 192 or 512).
            growth: channels that a dense layer adds.
            bn_size: bottleneck width of a dense layer in units of `growth`.
            init_channels: channels before the first dense block.
            head_channels: feature maps of the 2-D head.
            layers: dense layers of the three blocks.
        """
        super().__init__()
        self.embedding_size = embedding_size
        self.head = ConvolutionHead(head_channels)
        units: list[tuple[str, nn.Module]] = [
            ("tdnn", ConvolutionUnit(head_channels * math.ceil(feat_dim / 8), init_channels, kernel=5, stride=2))
        ]
        channels = init_channels
        for number, (count, dilation) in enumerate(zip(layers, DILATIONS, strict=True), start=1):
            units.append((f"block{number}", DenseBlock(channels, count, growth, bn_size * growth, dilation)))
            channels += count * growth
            units.append((f"transit{number}", Transition(channels)))
            channels //= 2
        units += [("out_nonlinear", _nonlinear(channels)), ("stats", StatisticsPooling())]
        units.append(("dense", EmbeddingLayer(2 * channels, embedding_size)))
        self.xvector = nn.Sequential(OrderedDict(units))

    def forward(self, features: Tensor) -> Tensor:
        """Map mean-normalised filter banks (B, T, 80) to embeddings (B, E), not normalised in length."""
        return self.xvector(self.head(features.transpose(1, 2)))

    @classmethod
    def load(cls, path: Path | str) -> "CAMPPlus":
        """Read an encoder in eval mode; sizes come from the JSON file beside it, else those of the public weights.

        Raises:
            UserError: the file is missing, unreadable or does not fit.
        """
        weights = open_weights(path)
        config = dict(weights.metadata.get("config", {}))
        if not config and EMBEDDING_KEY in weights.state:
            config = {"embedding_size": weights.state[EMBEDDING_KEY].shape[0]}
        return weights.into(cls(**config), UNUSED_KEYS)
