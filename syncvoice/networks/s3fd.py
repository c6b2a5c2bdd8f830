"""S3FD face detector: frames in, boxes out; state-dict compatible with the public file `sfd_face.pth`.

Facts: Zhang et al. 2017 (arXiv 1708.05237) and the detector published with SyncNet. Our own form of the rest: frames go
through in batches, anchors are computed at once, and only candidates above the wanted confidence take part in the
suppression of overlapping boxes; a less confident box never removes a more confident one, so the result is the same.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d, relu

MEAN_RGB = (123.0, 117.0, 104.0)
STEPS = (4, 8, 16, 32, 64, 128)  # pixels between the anchors of a map
ANCHORS = (16, 32, 64, 128, 256, 512)  # side of the square anchors of a map, pixels
VARIANCES = (0.1, 0.2)
OVERLAP_IN_SCALE = 0.3
OVERLAP_ACROSS_SCALES = 0.1
MAX_CANDIDATES = 5000
MAX_BOXES = 750
# Output channels of the trunk's convolutions; "M" pools. A rectifier follows every convolution.
TRUNK = (64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M")
MAP_CHANNELS = (256, 512, 512, 1024, 512, 256)
TAPS = (16, 23, 30)  # trunk layers before which a map is taken


class ScaledNorm(nn.Module):
    """Unit length over channels, times one factor per channel."""

    def __init__(self, channels: int, scale: float) -> None:
        """Start with the published factor."""
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), float(scale)))

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> same."""
        length = x.norm(dim=1, keepdim=True, dtype=torch.float32)
        return (x / (length + 1e-10) * self.weight[:, None, None]).to(x.dtype)


def _trunk() -> nn.ModuleList:
    """VGG-16 with a dilated seventh block; the third pooling rounds its size up."""
    layers: list[nn.Module] = []
    channels, pools = 3, 0
    for item in TRUNK:
        if isinstance(item, int):
            layers += [nn.Conv2d(channels, item, 3, padding=1), nn.ReLU()]
            channels = item
        else:
            pools += 1
            layers.append(nn.MaxPool2d(2, 2, ceil_mode=pools == 3))
    dilated = nn.Conv2d(512, 1024, 3, padding=6, dilation=6)
    return nn.ModuleList([*layers, dilated, nn.ReLU(), nn.Conv2d(1024, 1024, 1), nn.ReLU()])


class S3FD(nn.Module):
    """Single-shot face detector with anchors of six sizes."""

    def __init__(self) -> None:
        """Build the network (keys vgg, L2Norm{3_3,4_3,5_3}, extras, loc, conf)."""
        super().__init__()
        self.vgg = _trunk()
        self.L2Norm3_3, self.L2Norm4_3, self.L2Norm5_3 = ScaledNorm(256, 10), ScaledNorm(512, 8), ScaledNorm(512, 5)
        self.extras = nn.ModuleList(
            [
                nn.Conv2d(1024, 256, 1),
                nn.Conv2d(256, 512, 3, 2, padding=1),
                nn.Conv2d(512, 128, 1),
                nn.Conv2d(128, 256, 3, 2, padding=1),
            ]
        )
        self.loc = nn.ModuleList(nn.Conv2d(channels, 4, 3, padding=1) for channels in MAP_CHANNELS)
        self.conf = nn.ModuleList(
            nn.Conv2d(channels, 4 if level == 0 else 2, 3, padding=1) for level, channels in enumerate(MAP_CHANNELS)
        )

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Find candidates.

        Args:
            images: (N, 3, height, width) RGB, 0..255, minus `MEAN_RGB`, in the type of the weights.

        Returns:
            confidence (N, anchors) in [0, 1] and boxes (N, anchors, 4) as shares of width and height, float32.
        """
        locations, logits, priors = [], [], []
        for level, features in enumerate(self._maps(images)):
            location, scores = self.loc[level](features).float(), self.conf[level](features).float()
            if level == 0:  # three guesses of "no face" for the smallest anchors: the largest counts
                scores = torch.cat([scores[:, :3].amax(1, keepdim=True), scores[:, 3:]], 1)
            locations.append(location.permute(0, 2, 3, 1).flatten(1, 2))
            logits.append(scores.permute(0, 2, 3, 1).flatten(1, 2))
            height, width = features.shape[2:]
            priors.append(anchors(level, int(height), int(width), images.shape[2], images.shape[3]))
        boxes = decoded(torch.cat(locations, 1), torch.cat(priors).to(images.device))
        return torch.cat(logits, 1).softmax(-1)[..., 1], boxes

    def _maps(self, x: Tensor) -> list[Tensor]:
        """Six feature maps, from fine to coarse."""
        norms = dict(zip(TAPS, (self.L2Norm3_3, self.L2Norm4_3, self.L2Norm5_3), strict=True))
        maps = []
        for index, layer in enumerate(self.vgg):
            if index in norms:
                maps.append(norms[index](x))
            x = max_pool2d(x, 2, 2, ceil_mode=layer.ceil_mode) if isinstance(layer, nn.MaxPool2d) else layer(x)
        maps.append(x)
        for index, layer in enumerate(self.extras):
            x = relu(layer(x))
            if index % 2:
                maps.append(x)
        return maps


def anchors(level: int, rows: int, columns: int, height: int, width: int) -> Tensor:
    """Anchors of a map, (rows * columns, 4): centre x, y, width, height as shares of an image (height, width)."""
    y, x = torch.meshgrid(torch.arange(rows) + 0.5, torch.arange(columns) + 0.5, indexing="ij")
    step, side = STEPS[level], float(ANCHORS[level])
    centre = torch.stack([x * step / width, y * step / height], -1).flatten(0, 1)
    return torch.cat([centre, torch.tensor([side / width, side / height]).expand(rows * columns, 2)], 1)


def decoded(locations: Tensor, priors: Tensor) -> Tensor:
    """Offsets (N, anchors, 4) from anchors (anchors, 4) -> corners (N, anchors, 4) as shares of the image."""
    centre = priors[:, :2] + locations[..., :2] * VARIANCES[0] * priors[:, 2:]
    size = priors[:, 2:] * torch.exp(locations[..., 2:] * VARIANCES[1])
    corner = centre - size / 2
    return torch.cat([corner, corner + size], -1)


def kept_boxes(scores: np.ndarray, boxes: np.ndarray, confidence: float = 0.9) -> np.ndarray:
    """Keep confident boxes that do not overlap: (anchors,), (anchors, 4) -> (faces, 5), most confident first."""
    wanted = np.flatnonzero(scores > confidence)
    order = wanted[np.argsort(-scores[wanted], kind="stable")][:MAX_CANDIDATES]
    ranked = np.column_stack([boxes[order], scores[order]])
    ranked = ranked[suppressed(ranked, OVERLAP_IN_SCALE)[:MAX_BOXES]]
    return ranked[suppressed(ranked, OVERLAP_ACROSS_SCALES)]


def suppressed(ranked: np.ndarray, limit: float) -> np.ndarray:
    """Indices of the boxes (n, 5), sorted by confidence, that overlap no better kept box by more than `limit`."""
    areas = (ranked[:, 2] - ranked[:, 0]) * (ranked[:, 3] - ranked[:, 1])
    left, kept = np.arange(len(ranked)), []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(int(best))
        width = np.minimum(ranked[best, 2], ranked[left, 2]) - np.maximum(ranked[best, 0], ranked[left, 0])
        height = np.minimum(ranked[best, 3], ranked[left, 3]) - np.maximum(ranked[best, 1], ranked[left, 1])
        shared = np.maximum(0, width) * np.maximum(0, height)
        left = left[shared / (areas[best] + areas[left] - shared) <= limit]
    return np.array(kept, int)
