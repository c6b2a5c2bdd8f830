"""SyncNet v2 for scoring: the same numbers as `SyncNet(V2)` in evaluation mode, in less time.

Batch norms are folded into the convolutions, the frames of a window become channels of a 2-D convolution (only the
first layer sees more than one frame), tensors lie channels-last, and clips go through in runs of windows, so that
memory does not grow with their length; windows never meet, so a score does not depend on what else is in a run.
(Winograd forms of the inner layers were measured on a Zen 4 core and left out: the whole network was 1.2 times as fast
in float32 and 1.05 times in bfloat16.)

Pictures are bytes, so on processors with VNNI instructions the first layer multiplies bytes (`byte_convolution`): in
float32 with weights of 15 bits, which leaves LSE-D where it was to 1e-4; in bfloat16 with 8 bits, about what rounding
to that type costs. In bfloat16 the other convolutions run in that type, the fully connected layers in float32.
"""

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear, max_pool2d

from syncvoice.fast import byte_convolution
from syncvoice.networks.syncnet import LIP_WINDOW, SyncNet

Dtype = Literal["float32", "bfloat16"]
Layer = Callable[[Tensor], Tensor]
RUN = 5  # windows that go through the first two lip layers together: their maps stay near the processor's cache
LONG_RUN = 20  # windows in the layers behind them, and of sound
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
SHARED = 2  # lip layers that run in `RUN` windows


class FusedSyncNet:
    """Both branches of a SyncNet v2, ready for inference."""

    takes_bytes = True  # see `metrics.lip_sync.distances.embed_lips`

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
        if dtype not in get_args(Dtype):
            raise ValueError(f"unknown dtype {dtype!r}; expected float32 or bfloat16")
        self.config = network.config
        self.dtype = getattr(torch, dtype)
        self.device = network.device
        self._bytes = self.device.type == "cpu" and byte_convolution.available()
        lips, sounds = _folded(network.netcnnlip), _folded(network.netcnnaud)
        self._lips = _layers(lips, LIP_LAYERS, self.dtype)
        self._sounds = _layers(sounds, AUDIO_LAYERS, self.dtype)
        if self._bytes:
            pooling = LIP_LAYERS[0][2]
            first = byte_convolution.ByteConvolution(*lips[0], stride=2, terms=1 if dtype == "bfloat16" else 2)
            self._lips[0] = lambda windows: max_pool2d(first(windows), *pooling)
        self._lip_head, self._sound_head = network.netfclip, network.netfcaud

    @torch.inference_mode()
    def embed_lips(self, frames: Tensor) -> Tensor:
        """Embed all windows of clips, (clips, 3, T, 224, 224) -> (clips * (T - 4), 1024); see `SyncNet.embed_lips`.

        Args:
            frames: whole numbers 0..255, as bytes or in any other type.
        """
        return self._lip_head(torch.cat([self._lip_features(clip) for clip in frames]).float())

    def _lip_features(self, clip: Tensor) -> Tensor:
        """(3, T, 224, 224) -> (T - 4, 512)."""
        planes = clip.transpose(0, 1).to(torch.uint8).contiguous().flatten(0, 1)  # (3 T, H, W)
        windows = planes.unfold(0, 3 * LIP_WINDOW, 3)  # (T - 4, H, W, 15), without copying
        maps = []
        for part in windows.split(RUN):
            stacked = part.contiguous().permute(0, 3, 1, 2)  # (N, 15, H, W), channels last
            maps.append(_through(self._lips[:SHARED], stacked if self._bytes else stacked.to(self.dtype)))
        runs = torch.cat(maps).split(LONG_RUN)
        return torch.cat([_through(self._lips[SHARED:], run) for run in runs])

    @torch.inference_mode()
    def embed_audio(self, mfcc: Tensor) -> Tensor:
        """Embed windows of sound, (windows, 1, 13, 20) -> (windows, 1024)."""
        maps = mfcc.to(self.dtype).contiguous(memory_format=torch.channels_last)
        runs = [_through(self._sounds, part) for part in maps.split(LONG_RUN)]
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


def _layers(folded: list[tuple[Tensor, Tensor]], shapes: tuple, dtype: torch.dtype) -> list[Layer]:
    """Layers of a branch: convolution, rectifier and pooling of maps (N, channels, H, W), channels last."""
    *convolutions, last = [(_flat(weight).to(dtype), bias.to(dtype)) for weight, bias in folded]
    return [*map(_convolution, convolutions, shapes), _whole(*last)]


def _flat(weight: Tensor) -> Tensor:
    """Make the frames of a 3-D kernel channels: (out, in, T, H, W) -> (out, T in, H, W)."""
    return weight.transpose(1, 2).flatten(1, 2) if weight.ndim == 5 else weight


def _convolution(parameters: tuple[Tensor, Tensor], shape: tuple[int, int, tuple | None]) -> Layer:
    """One layer (see `LIP_LAYERS`), (N, in, H, W) -> (N, out, H', W')."""
    weight, bias = parameters
    weight = weight.contiguous(memory_format=torch.channels_last)
    stride, padding, pooling = shape

    def run(maps: Tensor) -> Tensor:
        maps = conv2d(maps, weight, bias, stride, padding).relu_()
        return maps if pooling is None else max_pool2d(maps, *pooling)

    return run


def _whole(weight: Tensor, bias: Tensor) -> Layer:
    """The last layer, whose kernel covers the whole map: one matrix product, (N, in, H, W) -> (N, out)."""
    matrix = weight.permute(0, 2, 3, 1).flatten(1).contiguous()
    return lambda maps: linear(maps.permute(0, 2, 3, 1).flatten(1), matrix, bias).relu_()


def _through(layers: list[Layer], maps: Tensor) -> Tensor:
    """Run maps through layers."""
    for layer in layers:
        maps = layer(maps)
    return maps
