"""Dual Speaker Encoder: e_g = e_p + e_l, added to the timestep embedding.

Paper: e_p comes from a frozen pretrained CAM++, e_l from a learnable encoder (1-D convolution, 6 attention blocks, mean
and standard-deviation pooling, linear). Our choices: a linear layer projects the CAM++ embedding to the width of the
timestep embedding; e_l reads the mel features of the same reference; both output layers start at zero, so that a
backbone without speaker encoder is unchanged at step 0; a dropped speaker embedding is the zero vector.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from syncvoice.model.fusion import own_stream

BRANCHES = ("pretrained", "learnable")


class AttentionBlock(nn.Module):
    """Pre-norm self-attention and feed-forward."""

    def __init__(self, dim: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
        self.feed_forward = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, T, D), additive mask (B, 1, 1, T) -> (B, T, D)."""
        # Explicit products: the backward pass of the fused attention is slow on CPU.
        q, k, v = self.qkv(self.norm1(x)).unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        scores = torch.matmul(q * q.shape[-1] ** -0.5, k.transpose(-1, -2)) + mask
        x = x + self.out(torch.matmul(scores.softmax(dim=-1), v).transpose(1, 2).flatten(2))
        return x + self.feed_forward(self.norm2(x))


class LearnableSpeakerEncoder(nn.Module):
    """1-D convolution (stride 2), attention blocks, mean and standard-deviation pooling, linear."""

    def __init__(self, feat_dim: int, dim: int, out_dim: int, num_blocks: int = 6, num_heads: int = 4) -> None:
        super().__init__()
        self.conv = nn.Conv1d(feat_dim, dim, kernel_size=5, stride=2, padding=2)
        self.blocks = nn.ModuleList(AttentionBlock(dim, num_heads) for _ in range(num_blocks))
        self.linear = nn.Linear(2 * dim, out_dim)
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        """Reference features (B, T, feat_dim) with lengths (B,) -> e_l (B, out_dim)."""
        valid = torch.arange(features.shape[1], device=features.device)[None] < lengths[:, None]
        x = self.conv((features * valid[..., None]).transpose(1, 2)).transpose(1, 2)  # (B, T, C) -> (B, T / 2, D)
        keep = valid[:, ::2]
        mask = torch.zeros(keep.shape, device=x.device, dtype=x.dtype).masked_fill(~keep, -1e4)[:, None, None]
        for block in self.blocks:
            x = block(x, mask)
        x, weight = x.float(), keep[..., None] / keep.sum(dim=1)[:, None, None]
        mean = (x * weight).sum(dim=1)
        variance = ((x - mean[:, None]).square() * weight).sum(dim=1)
        return self.linear(torch.cat([mean, (variance + 1e-5).sqrt()], dim=-1))


class DualSpeakerEncoder(nn.Module):
    """Global speaker embedding e_g = e_p + e_l from a reference clip.

    Args:
        branches: subset of ("pretrained", "learnable"); an absent branch has no parameters.
        pretrained_dim: width of the CAM++ embedding.
        feat_dim: mel bins.
        out_dim: width of the timestep embedding.
        dim: width of the learnable encoder.
    """

    def __init__(self, branches: Sequence[str], pretrained_dim: int, feat_dim: int, out_dim: int, dim: int) -> None:
        super().__init__()
        self.projection = nn.Linear(pretrained_dim, out_dim) if "pretrained" in branches else None
        self.learnable: LearnableSpeakerEncoder | None = None
        if "learnable" in branches:
            with own_stream("speaker"):  # models with and without video, or the other branch, begin with the same
                self.learnable = LearnableSpeakerEncoder(feat_dim, dim, out_dim)
        if self.projection is not None:
            nn.init.zeros_(self.projection.weight)
            nn.init.zeros_(self.projection.bias)

    def forward(self, pretrained: Tensor, features: Tensor, lengths: Tensor,
                keep: Mapping[str, Tensor] | None = None) -> Tensor:  # fmt: skip
        """Embed references.

        Args:
            pretrained: CAM++ embeddings (B, pretrained_dim), scaled to unit length here.
            features: mel features of the reference (B, T, feat_dim).
            lengths: valid frames (B,).
            keep: per branch 1 or 0 for every clip (B,), for dropping branches in pretraining; None keeps both.

        Returns:
            e_g: (B, out_dim).
        """
        e_g = torch.zeros(len(pretrained), 1, device=features.device)
        if self.projection is not None:
            e_p = self.projection(nn.functional.normalize(pretrained, dim=-1) * pretrained.shape[-1] ** 0.5)
            e_g = e_g + (e_p if keep is None else e_p * keep["pretrained"][:, None])
        if self.learnable is not None:
            e_l = self.learnable(features, lengths)
            e_g = e_g + (e_l if keep is None else e_l * keep["learnable"][:, None])
        return e_g
