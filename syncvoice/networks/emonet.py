"""EmoNet: a face picture in, 256 values of its expression out; reads the public `emonet_8.pth` and `emonet_5.pth`.

Facts: Toisoul et al. 2021 and the code published with it (face-analysis/emonet 49eef30), checked by golden values. Two
stacked hourglasses find 68 heat maps of the face; what they saw where the maps are high goes through four blocks to the
feature. All normalisation is batch normalisation, whatever the public code calls it.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d, relu

from syncvoice.records.weights import open_weights

DIM = 256
SIZE = 256  # pixels, edge of the picture
MAPS = 68
WIDTH = 256  # channels of the hourglasses
HOURGLASSES = 2
DEPTH = 4
HEAD = "emo_fc_2.3.weight"  # its rows say how many expressions the file knows
CHUNK_FRAMES = 16  # pictures computed at once: bounds memory (our choice)


class ConvBlock(nn.Module):
    """Three convolutions of falling width whose results stand side by side, with a shortcut."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Build the branches; the shortcut has weights only where the widths differ."""
        super().__init__()
        widths = (inputs, outputs // 2, outputs // 4, outputs // 4)
        for number, (before, after) in enumerate(zip(widths, widths[1:], strict=False), start=1):
            self.add_module(f"bn{number}", nn.BatchNorm2d(before))
            self.add_module(f"conv{number}", nn.Conv2d(before, after, 3, padding=1, bias=False))
        self.downsample: nn.Module | None = None
        if inputs != outputs:
            self.downsample = nn.Sequential(
                nn.BatchNorm2d(inputs), nn.ReLU(), nn.Conv2d(inputs, outputs, 1, bias=False)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) -> (B, outputs, H, W)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        first = self.conv1(relu(self.bn1(x)))
        second = self.conv2(relu(self.bn2(first)))
        third = self.conv3(relu(self.bn3(second)))
        return torch.cat([first, second, third], dim=1) + shortcut


class HourGlass(nn.Module):
    """Blocks at falling resolution, and back up again."""

    def __init__(self) -> None:
        """Build b1, b2, b3 of every level, the innermost b2_plus first."""
        super().__init__()
        for level in range(DEPTH, 0, -1):
            for name in (f"b1_{level}", f"b2_{level}", *(["b2_plus_1"] if level == 1 else []), f"b3_{level}"):
                self.add_module(name, ConvBlock(WIDTH, WIDTH))

    def forward(self, x: Tensor, level: int = DEPTH) -> Tensor:
        """(B, 256, H, W) -> same; H and W are multiples of 2^level."""
        upper = self.get_submodule(f"b1_{level}")(x)
        lower = self.get_submodule(f"b2_{level}")(max_pool2d(x, 2))
        lower = self(lower, level - 1) if level > 1 else self.get_submodule("b2_plus_1")(lower)
        return upper + interpolate(self.get_submodule(f"b3_{level}")(lower), scale_factor=2, mode="nearest")


class EmoNet(nn.Module):
    """The whole public network; a feature needs all but its last layers.

    Args:
        expressions: 8 or 5 classes, as the file's name says.
    """

    def __init__(self, expressions: int = 8) -> None:
        """Build the network."""
        super().__init__()
        self.expressions = expressions
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(64)
        self.conv2, self.conv3, self.conv4 = ConvBlock(64, 128), ConvBlock(128, 128), ConvBlock(128, WIDTH)
        for number in range(HOURGLASSES):
            self.add_module(f"m{number}", HourGlass())
            self.add_module(f"top_m_{number}", ConvBlock(WIDTH, WIDTH))
            self.add_module(f"conv_last{number}", nn.Conv2d(WIDTH, WIDTH, 1))
            self.add_module(f"bn_end{number}", nn.BatchNorm2d(WIDTH))
            self.add_module(f"l{number}", nn.Conv2d(WIDTH, MAPS, 1))
        self.bl0 = nn.Conv2d(WIDTH, WIDTH, 1)
        self.al0 = nn.Conv2d(MAPS, WIDTH, 1)
        self.conv1x1_input_emo_2 = nn.Conv2d((1 + HOURGLASSES) * WIDTH, WIDTH, 1)
        blocks = [part for _ in range(4) for part in (ConvBlock(WIDTH, WIDTH), nn.MaxPool2d(2))]
        self.emo_net_2 = nn.Sequential(*blocks)
        self.emo_fc_2 = nn.Sequential(
            nn.Linear(DIM, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, expressions + 2)
        )

    def stem(self, pictures: Tensor) -> Tensor:
        """RGB pictures in [0, 1] (B, 3, 256, 256) -> (B, 256, 64, 64)."""
        x = relu(self.bn1(self.conv1(pictures)))
        return self.conv4(self.conv3(max_pool2d(self.conv2(x), 2)))

    def maps(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """From the stem's output: what the hourglasses see (B, 512, 64, 64), the last heat maps (B, 68, 64, 64)."""
        found = []
        for number in range(HOURGLASSES):
            seen = self.get_submodule(f"top_m_{number}")(self.get_submodule(f"m{number}")(x))
            seen = self.get_submodule(f"bn_end{number}")(self.get_submodule(f"conv_last{number}")(seen))
            heat = self.get_submodule(f"l{number}")(relu(seen))
            seen = relu(seen)
            if number < HOURGLASSES - 1:
                seen = self.bl0(seen)
                x = x + seen + self.al0(heat)
            found.append(seen)
        return torch.cat(found, dim=1), heat

    def forward(self, pictures: Tensor) -> Tensor:
        """RGB pictures in [0, 1] (B, 3, 256, 256) -> features (B, 256)."""
        x = self.stem(pictures)
        seen, heat = self.maps(x)
        x = self.conv1x1_input_emo_2(torch.cat([x, seen * heat.sum(dim=1, keepdim=True)], dim=1))
        return self.emo_net_2(x).mean(dim=(2, 3))

    def judged(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features (B, 256) -> expression (B, 8 or 5), valence (B,), arousal (B,)."""
        found = self.emo_fc_2(features)
        return found[:, :-2], found[:, -2], found[:, -1]

    @torch.no_grad()
    def features(self, pictures: np.ndarray, chunk: int = CHUNK_FRAMES) -> Tensor:
        """Features of RGB pictures (N, H, W, 3) uint8, brought to 256 pixels; every picture is seen alone.

        Args:
            pictures: face crops.
            chunk: pictures computed at once.

        Returns:
            (N, 256) float32, on the network's device.
        """
        parts = []
        for start in range(0, len(pictures), chunk):
            part = torch.from_numpy(np.ascontiguousarray(pictures[start : start + chunk])).to(self.conv1.weight.device)
            images = part.permute(0, 3, 1, 2).float() / 255
            if images.shape[2:] != (SIZE, SIZE):
                images = interpolate(images, size=(SIZE, SIZE), mode="bilinear", antialias=True)
            parts.append(self(images))
        return torch.cat(parts).float()

    @classmethod
    def load(cls, path: Path | str, ignored: Iterable[str] = ()) -> "EmoNet":
        """Read public weights, of 8 or 5 expressions, in eval mode.

        Args:
            path: state dict in the public layout.
            ignored: shell-style patterns of keys that the file may hold besides (asset entry `ignored_keys`).

        Raises:
            UserError: the file is missing, unreadable or does not fit.
        """
        weights = open_weights(path)
        head = weights.state.get(HEAD)
        return weights.into(cls(8 if head is None else len(head) - 2), ignored)
