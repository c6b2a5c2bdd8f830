"""SyncNet v2 for scoring: the same numbers as `SyncNet(V2)` in evaluation mode, in less time.

Batch norms are folded into the convolutions, the frames of a window become channels of a 2-D convolution (only the
first layer sees more than one frame), tensors lie channels-last, and clips go through in runs of windows, so that
memory does not grow with their length. In bfloat16 the convolutions run in that type, the fully connected layers and
everything after them in float32.
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d

from syncvoice.model.syncnet import LIP_WINDOW, SyncNet

Dtype = Literal["float32", "bfloat16"]
RUN = 10  # windows that go through the lip branch together: their maps stay near the processor's cache
# Stride, padding of a convolution and (kernel, stride, padding) of the pooling after it.
LIP_LAYERS = (
    (2, 0, (3, 2, 0)),
    (2, 1, (3, 2, 1)),
    (1, 1, None),
    (1, 1, None),
    (1, 1, (3, 2, 0)),
    (1, 0, None),
)
AUDIO_LAYERS = (
    (1, 1, None),
    (1, 1, (3, (1, 2), 0)),
    (1, 1, None),
    (1, 1, None),
    (1, 1, (3, 2, 0)),
    (1, 0, None),
)


class FusedSyncNet:
    """Both branches of a SyncNet v2, ready for inference."""

    def __init__(self, network: SyncNet, dtype: Dtype = "float32") -> None:
        """Fold a network in evaluation mode.

        Args:
            network: layout v2; it is not changed.
            dtype: of the convolutions.

        Raises:
            ValueError: another layout, or the network is in training mode.
        """
        if network.config.layout != "v2" or network.training:
            raise ValueError("only a SyncNet of layout v2 in evaluation mode can be fused")
        if dtype not in ("float32", "bfloat16"):
            raise ValueError(f"unknown dtype {dtype!r}; expected float32 or bfloat16")
        self.config = network.config
        self.dtype = getattr(torch, dtype)
        self._lips = [self._ready(*folded) for folded in _folded(network.netcnnlip)]
        self._sounds = [self._ready(*folded) for folded in _folded(network.netcnnaud)]
        self._lip_head, self._sound_head = network.netfclip, network.netfcaud

    def _ready(self, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        """Weights of a 2-D convolution in the wanted type and layout; frames of a 3-D kernel become channels."""
        if weight.ndim == 5:
            weight = weight.transpose(1, 2).flatten(1, 2)  # (out, in, T, H, W) -> (out, T in, H, W)
        return weight.to(self.dtype).contiguous(memory_format=torch.channels_last), bias.to(self.dtype)

    @torch.inference_mode()
    def embed_lips(self, frames: Tensor) -> Tensor:
        """Embed all windows of clips, (clips, 3, T, 224, 224) -> (clips * (T - 4), 1024); see `SyncNet.embed_lips`."""
        return self._lip_head(torch.cat([self._lip_features(clip) for clip in frames]).float())

    def _lip_features(self, clip: Tensor) -> Tensor:
        """(3, T, 224, 224) -> (T - 4, 512)."""
        pictures = clip.permute(1, 2, 3, 0).to(self.dtype)  # (T, H, W, 3)
        runs = []
        for start in range(0, len(pictures) - LIP_WINDOW + 1, RUN):
            part = pictures[start : start + RUN + LIP_WINDOW - 1]
            windows = [part[offset : len(part) - LIP_WINDOW + 1 + offset] for offset in range(LIP_WINDOW)]
            stacked = torch.cat(windows, dim=3).permute(0, 3, 1, 2)  # (N, 15, H, W), channels last
            runs.append(_convolved(stacked, self._lips, LIP_LAYERS))
        return torch.cat(runs)

    @torch.inference_mode()
    def embed_audio(self, mfcc: Tensor) -> Tensor:
        """Embed windows of sound, (windows, 1, 13, 20) -> (windows, 1024)."""
        maps = mfcc.to(self.dtype).contiguous(memory_format=torch.channels_last)
        runs = [_convolved(part, self._sounds, AUDIO_LAYERS) for part in maps.split(4 * RUN)]
        return self._sound_head(torch.cat(runs).float())


def _folded(branch: nn.Sequential) -> list[tuple[Tensor, Tensor]]:
    """Weight and bias of every convolution of a branch, its batch norm folded in."""
    layers = list(branch)
    pairs = []
    for convolution, norm in zip(layers, layers[1:], strict=False):
        if isinstance(convolution, nn.Conv2d | nn.Conv3d):
            gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            weight = convolution.weight * gain.reshape(-1, *[1] * (convolution.weight.ndim - 1))
            pairs.append((weight.detach(), ((convolution.bias - norm.running_mean) * gain + norm.bias).detach()))
    return pairs


def _convolved(maps: Tensor, weights: list[tuple[Tensor, Tensor]], layers: tuple) -> Tensor:
    """Run convolutions, rectifiers and poolings: (N, channels, H, W) -> (N, 512)."""
    for (weight, bias), (stride, padding, pooling) in zip(weights, layers, strict=True):
        maps = conv2d(maps, weight, bias, stride, padding).relu_()
        if pooling is not None:
            maps = max_pool2d(maps, *pooling)
    return maps.flatten(1)
