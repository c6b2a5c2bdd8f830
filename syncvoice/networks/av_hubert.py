"""AV-HuBERT's video branch: lip front-end and transformer, 1024 values per video frame (large model).

Written from facts, not from the published code, whose licence is non-commercial. The front-end is that of the LRW
weights (`lip_frontend`). The transformer is that of HuBERT large: layer normalisation first, positional convolution,
fairseq's key names as the converters of torchaudio and transformers list them. The joint follows the paper (arXiv
2201.02184): audio and video features side by side, normalised and projected, a missing stream is zero. The names
`feature_extractor_video` and `feature_extractor_audio` and the order audio, video are general knowledge that no file
here could confirm; the strict loader refuses a checkpoint with other names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from syncvoice.errors import UserError
from syncvoice.networks.lip_frontend import CHUNK_FRAMES, DIM, LipFrontEnd
from syncvoice.records.weights import open_weights

HEAD_DIM = 64  # of both published sizes: 768 / 12 and 1024 / 16
FIRST_KEY = "feature_extractor_video.resnet.frontend3D.0.weight"  # what stands before it wraps the whole model
FIRST_LAYER = "encoder.layers.0."


class VideoBranch(nn.Module):
    """Lip front-end and a projection to the transformer's width."""

    def __init__(self, dim: int, activation: str) -> None:
        super().__init__()
        self.resnet = LipFrontEnd(activation)
        self.proj = nn.Linear(DIM, dim)


class PositionalConvolution(nn.Module):
    """Grouped convolution over time with weight normalisation per kernel tap (keys `weight_g`, `weight_v`)."""

    def __init__(self, dim: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.bias = nn.Parameter(torch.zeros(dim))
        self.weight_g = nn.Parameter(torch.ones(1, 1, kernel))
        self.weight_v = nn.Parameter(torch.randn(dim, dim // groups, kernel) * (dim * kernel) ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        kernel = self.weight_v.shape[-1]
        weight = self.weight_g * self.weight_v / self.weight_v.norm(dim=(0, 1), keepdim=True)
        y = nn.functional.conv1d(x.transpose(1, 2), weight, self.bias, padding=kernel // 2, groups=self.groups)
        return nn.functional.gelu(y[..., : x.shape[1]].transpose(1, 2))  # an even kernel gives one frame too many


class SelfAttention(nn.Module):
    """Multi-head attention over all frames."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.v_proj, self.out_proj = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        q, k, v = (
            project(x).unflatten(-1, (self.heads, -1)).transpose(1, 2)  # (B, N, D) -> (B, H, N, D / H)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        y = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class TransformerLayer(nn.Module):
    """Attention and feed-forward, each after its layer normalisation and around a residual."""

    def __init__(self, dim: int, feedforward_dim: int, heads: int) -> None:
        super().__init__()
        self.self_attn_layer_norm, self.final_layer_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.self_attn = SelfAttention(dim, heads)
        self.fc1, self.fc2 = nn.Linear(dim, feedforward_dim), nn.Linear(feedforward_dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x = x + self.self_attn(self.self_attn_layer_norm(x))
        return x + self.fc2(nn.functional.gelu(self.fc1(self.final_layer_norm(x))))


class Transformer(nn.Module):
    """Positional convolution, layers, layer normalisation."""

    def __init__(self, dim: int, layers: int, feedforward_dim: int, kernel: int, groups: int) -> None:
        super().__init__()
        self.pos_conv = nn.ModuleList([PositionalConvolution(dim, kernel, groups)])
        self.layers = nn.ModuleList(TransformerLayer(dim, feedforward_dim, dim // HEAD_DIM) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, D) -> (B, N, D)."""
        x = x + self.pos_conv[0](x)
        for layer in self.layers:
            x = layer(x)
        return self.layer_norm(x)


class AVHubert(nn.Module):
    """AV-HuBERT without sound; the defaults are the large model.

    Args:
        dim: width, a multiple of 64.
        layers: transformer layers.
        feedforward_dim: width inside a layer.
        kernel, groups: of the positional convolution.
        activation: of the front-end.
    """

    def __init__(self, dim: int = 1024, layers: int = 24, feedforward_dim: int = 4096, kernel: int = 128,
                 groups: int = 16, activation: str = "prelu") -> None:  # fmt: skip
        super().__init__()
        self.dim = dim
        self.feature_extractor_video = VideoBranch(dim, activation)
        self.layer_norm = nn.LayerNorm(2 * dim)
        self.post_extract_proj = nn.Linear(2 * dim, dim)
        self.encoder = Transformer(dim, layers, feedforward_dim, kernel, groups)

    def forward(self, video: Tensor) -> Tensor:
        """Normalised mouth pictures (B, 1, N, 88, 88) -> features of the last layer (B, N, dim)."""
        return self.contextual(self.feature_extractor_video.resnet(video))

    def contextual(self, rows: Tensor) -> Tensor:
        """Front-end features (B, N, 512) -> features of the last layer (B, N, dim)."""
        video = self.feature_extractor_video.proj(rows)
        both = torch.cat([torch.zeros_like(video), video], dim=-1)  # the absent sound is zero
        return self.encoder(self.post_extract_proj(self.layer_norm(both)))

    @torch.no_grad()
    def features(self, pictures: np.ndarray, chunk: int = CHUNK_FRAMES) -> Tensor:
        """Features of one clip (N, dim) float32; the front-end runs in chunks, the transformer sees the whole clip.

        Args:
            pictures: grey mouth crops (N, H, W) uint8.
            chunk: frames that the front-end computes at once.
        """
        return self.contextual(self.feature_extractor_video.resnet.features(pictures, chunk)[None])[0]

    @classmethod
    def load(cls, path: Path | str, ignored: Iterable[str] = ()) -> "AVHubert":
        """Read a public checkpoint, pre-trained or fine-tuned, in eval mode; sizes follow from its shapes.

        Args:
            path: fairseq training checkpoint or bare state dict.
            ignored: shell-style patterns of keys that the file may hold besides (asset entry `ignored_keys`).

        Raises:
            UserError: the file is missing, unreadable, no AV-HuBERT, or does not fit.
        """
        weights = open_weights(path)
        weights = replace(weights, state=_unwrapped(weights.state))
        try:
            sizes = sizes_of(weights.state)
        except KeyError as error:
            raise UserError(
                f"{path} is no AV-HuBERT checkpoint: no entry {error}; expected the published pre-trained or "
                "fine-tuned file"
            ) from error
        return weights.into(cls(**sizes), ignored)


def sizes_of(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the arguments of `AVHubert` that fit a state dict.

    Raises:
        KeyError: an entry is missing.
    """
    if FIRST_KEY not in state:
        raise KeyError(FIRST_KEY)
    dim, in_group, kernel = state["encoder.pos_conv.0.weight_v"].shape
    layers = {key.split(".")[2] for key in state if key.startswith("encoder.layers.")}
    return {
        "dim": dim,
        "layers": len(layers),
        "feedforward_dim": state[f"{FIRST_LAYER}fc1.weight"].shape[0],
        "kernel": kernel,
        "groups": dim // in_group,
        "activation": "prelu" if FIRST_KEY.replace("0.weight", "2.weight") in state else "relu",
    }


def _unwrapped(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Remove the prefix that fine-tuned checkpoints put before the model; other keys keep their names."""
    prefix = next((key.removesuffix(FIRST_KEY) for key in state if key.endswith(FIRST_KEY)), "")
    return {key.removeprefix(prefix): value for key, value in state.items()}
