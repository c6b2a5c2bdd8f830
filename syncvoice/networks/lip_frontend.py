"""Lip-reading front-end: a 3-D convolution over time and a ResNet-18 per frame, 512 values per video frame.

Architecture and state-dict keys are those of the public LRW weights (golden values for all three activations); the
video branch of AV-HuBERT is the same network. Only the front-end is here: the temporal network that follows it in the
public word classifier is no part of a lip feature.
"""

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from syncvoice.records.weights import open_weights

ACTIVATIONS = ("swish", "relu", "prelu")
DIM = 512
CROP = 88  # pixels, cut from the middle of the 96-pixel mouth picture (reference implementation)
MEAN, STD = 0.421, 0.165  # of grey values in [0, 1] (reference implementation)
REACH = 2  # frames that the first convolution sees on either side
CHUNK_FRAMES = 64  # frames computed at once: bounds memory, whatever the clip's length (our choice)
STAGES = ((64, 1), (128, 2), (256, 2), (512, 2))  # channels and stride of the four stages


def activation_of(kind: str, channels: int) -> nn.Module:
    """Return an activation; only prelu has weights.

    Raises:
        ValueError: unknown kind.
    """
    match kind:
        case "swish":
            return nn.SiLU()
        case "relu":
            return nn.ReLU()
        case "prelu":
            return nn.PReLU(channels)
    raise ValueError(f"activation {kind!r} is unknown; choose one of {', '.join(ACTIVATIONS)}")


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int, activation: str) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.relu1 = activation_of(activation, outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu2 = activation_of(activation, outputs)
        self.downsample: nn.Module | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return self.relu2(x + shortcut)


class ResNet18(nn.Module):
    """The four stages of a ResNet-18 and an average over the picture; no first convolution, no classifier."""

    def __init__(self, activation: str) -> None:
        super().__init__()
        channels = STAGES[0][0]
        for number, (outputs, stride) in enumerate(STAGES, start=1):
            blocks = [BasicBlock(channels, outputs, stride, activation), BasicBlock(outputs, outputs, 1, activation)]
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
            channels = outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, 64, H, W) -> (B, 512)."""
        for stage in self.children():
            x = stage(x)
        return x.mean(dim=(2, 3))


class LipFrontEnd(nn.Module):
    """3-D convolution and ResNet-18.

    Args:
        activation: swish (current public configurations), relu or prelu (older weights, AV-HuBERT).
    """

    def __init__(self, activation: str = "swish") -> None:
        super().__init__()
        self.frontend3D = nn.Sequential(
            OrderedDict(
                {
                    "0": nn.Conv3d(1, 64, (5, 7, 7), stride=(1, 2, 2), padding=(REACH, 3, 3), bias=False),
                    "1": nn.BatchNorm3d(64),
                    "2": activation_of(activation, 64),
                    "3": nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
                }
            )
        )
        self.trunk = ResNet18(activation)

    def forward(self, video: Tensor) -> Tensor:
        """Normalised mouth pictures (B, 1, N, 88, 88) -> features (B, N, 512)."""
        x = self.frontend3D(video).transpose(1, 2)  # (B, N, 64, 22, 22)
        return self.trunk(x.flatten(0, 1)).unflatten(0, x.shape[:2])

    @torch.no_grad()
    def features(self, pictures: np.ndarray, chunk: int = CHUNK_FRAMES) -> Tensor:
        """Features of one clip in bounded memory; equals `forward` on the whole clip.

        Args:
            pictures: grey mouth crops (N, H, W) uint8, at least 88 pixels high and wide.
            chunk: frames computed at once.

        Returns:
            (N, 512) float32, on the network's device.
        """
        parts, device = [], self.frontend3D[0].weight.device
        for start in range(0, len(pictures), chunk):
            first = max(start - REACH, 0)  # neighbours that the convolution over time sees; their rows are dropped
            rows = self(normalised(pictures[first : start + chunk + REACH]).to(device)[None, None])[0]
            parts.append(rows[start - first :][: min(chunk, len(pictures) - start)])
        return torch.cat(parts).float()

    @classmethod
    def load(cls, path: Path | str, activation: str = "swish", ignored: Iterable[str] = ()) -> "LipFrontEnd":
        """Read public weights in eval mode.

        Args:
            path: state dict in the public layout.
            activation: swish and relu have no weights, so the file cannot tell them apart; a file with prelu weights
                is recognised by them.
            ignored: shell-style patterns of keys that the file may hold besides (asset entry `ignored_keys`).

        Raises:
            UserError: the file is missing, unreadable or does not fit.
        """
        weights = open_weights(path)
        return weights.into(cls("prelu" if "frontend3D.2.weight" in weights.state else activation), ignored)


def normalised(pictures: np.ndarray) -> Tensor:
    """Cut the middle 88x88 pixels and normalise: (N, H, W) uint8 -> (N, 88, 88) float32."""
    top, left = ((side - CROP) // 2 for side in pictures.shape[1:])
    middle = np.ascontiguousarray(pictures[:, top : top + CROP, left : left + CROP])
    return (torch.from_numpy(middle).float() / 255 - MEAN) / STD
