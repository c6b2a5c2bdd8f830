"""Text-Visual Fusion: lip, face and any further visual features enter the text condition.

Paper: per-modality bottleneck adapters (LayerNorm, GELU, residual) map the visual features into the text latent space;
a residual linear layer fuses them with the text condition: z_tv = z_t + Linear([z_t; a_lip; a_face]).
Our choices: the residual of an adapter is a linear map, because widths differ; features are interpolated linearly from
25 fps to the mel rate after the adapters; the fusion layer starts at zero, so that at step 0 the backbone's output is
unchanged; frames without video (the reference voice, a dropped condition) hold a learned null vector.

First weights: the paper's two draw from the model's own stream of random numbers, lip before face; every further
condition draws from a stream of its own that its name seeds, so that adding one changes no other number.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from syncvoice.clocks import FPS, HOP, SAMPLE_RATE
from syncvoice.seeding import seed_of

PAPER = ("lip", "face")  # what the paper's model sees


def in_fusion_order(conditions: Iterable[str]) -> list[str]:
    """Return conditions in the order of the fusion layer's input: lip, face, then the others by name."""
    return sorted(conditions, key=lambda name: (PAPER.index(name) if name in PAPER else len(PAPER), name))


@contextmanager
def own_stream(*names: str) -> Iterator[None]:
    """Draw from a stream that the stream's seed and `names` decide; the stream outside does not move."""
    seed = seed_of(torch.initial_seed(), *names)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        yield


class BottleneckAdapter(nn.Module):
    """LayerNorm, Linear, GELU, Linear, plus a linear residual."""

    def __init__(self, in_dim: int, bottleneck_dim: int, out_dim: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(in_dim)
        self.down, self.up = nn.Linear(in_dim, bottleneck_dim), nn.Linear(bottleneck_dim, out_dim)
        self.residual = nn.Linear(in_dim, out_dim)

    def forward(self, features: Tensor) -> Tensor:
        """(..., in_dim) -> (..., out_dim)."""
        return self.residual(features) + self.up(nn.functional.gelu(self.down(self.norm(features))))


class TextVisualFusion(nn.Module):
    """Fuse adapted visual features into the text condition.

    Args:
        visual_dims: features per condition, e.g. {"lip": 24, "face": 16}; an absent condition has no parameters.
        bottleneck_dim: width inside the adapters.
        text_dim: channels of z_t.
    """

    def __init__(self, visual_dims: Mapping[str, int], bottleneck_dim: int = 64, text_dim: int = 100) -> None:
        super().__init__()
        self.modalities = tuple(in_fusion_order(visual_dims))
        paper = [name for name in self.modalities if name in PAPER]
        self.adapters = nn.ModuleDict()
        for name in paper:
            self.adapters[name] = BottleneckAdapter(visual_dims[name], bottleneck_dim, text_dim)
        self.null = nn.ParameterDict({name: nn.Parameter(torch.zeros(text_dim)) for name in self.modalities})
        # Drawn in the paper's width whatever else is seen: what is made after the fusion finds the same stream.
        self.linear = nn.Linear(text_dim * (1 + len(paper)), text_dim)
        for name in self.modalities[len(paper) :]:
            with own_stream("adapter", name):
                self.adapters[name] = BottleneckAdapter(visual_dims[name], bottleneck_dim, text_dim)
        if len(paper) < len(self.modalities):
            with own_stream("fusion"):
                self.linear = nn.Linear(text_dim * (1 + len(self.modalities)), text_dim)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def adapt(self, features: Mapping[str, Tensor], n_frames: int, per_frame: int = 1) -> dict[str, Tensor]:
        """Adapted features at mel rate.

        Args:
            features: per condition (B, N, dim) at 25 fps times `per_frame`.
            n_frames: mel frames T of the result.
            per_frame: features per video frame.

        Returns:
            per condition a: (B, T, text_dim).
        """
        seen = [m for m in self.modalities if m in features]
        return {m: to_mel_rate(self.adapters[m](features[m]), n_frames, FPS * per_frame) for m in seen}

    def forward(self, z_t: Tensor, adapted: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        """Fuse.

        Args:
            z_t: text condition (B, T, text_dim).
            adapted: per condition a (B, T, text_dim); a missing condition is null everywhere.
            present: per condition a bool mask (B, T) of frames that have video and are not dropped.

        Returns:
            z_tv: (B, T, text_dim).
        """
        parts = [z_t]
        for m in self.modalities:
            null = self.null[m].to(z_t.dtype).expand_as(z_t)
            parts.append(torch.where(present[m][..., None], adapted[m], null) if m in adapted else null)
        return z_t + self.linear(torch.cat(parts, dim=-1))


def to_mel_rate(x: Tensor, n_frames: int, fps: int = FPS) -> Tensor:
    """Interpolate (B, N, C) from video frames, centred at (k + 1/2) / fps s, to mel frames at f * 256 / 24000 s.

    Frames before the first and after the last centre hold the nearest value.

    Returns:
        (B, n_frames, C).
    """
    times = torch.arange(n_frames, device=x.device, dtype=torch.float32) * (HOP / SAMPLE_RATE)
    position = (times * fps - 0.5).clamp(0, x.shape[1] - 1)
    left = position.floor().long()
    right = (left + 1).clamp(max=x.shape[1] - 1)
    weight = (position - left)[None, :, None].to(x.dtype)
    return torch.lerp(x[:, left], x[:, right], weight)
