"""WavLM (Chen et al. 2022, arXiv 2110.13900): the wav2vec 2.0 trunk with gated relative position bias.

A learned bias per head and bucket of distance is added to the attention scores of every layer, scaled by a gate that
each layer computes from its own input. State-dict keys are those of the public checkpoints (UniLM). Attention runs over
blocks of queries, so that memory grows with the length of the sound and not with its square.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from syncvoice.networks.wav2vec2 import SelfAttention, TrunkConfig, Wav2Vec2

BUCKETS = 320  # of distance, half of them ahead
FAR = 800  # frames; longer distances share the last bucket
GATE_VALUES = 8  # outputs of the gate's linear layer, four for each of two gates
QUERY_BLOCK = 256  # frames whose attention is computed at once (our choice)
LARGE = TrunkConfig(1024, 4096, 16, 24, frame_norm=True, norm_first=True)


def distance_buckets(distances: Tensor, buckets: int = BUCKETS, far: int = FAR) -> Tensor:
    """Bucket of each distance (key minus query, frames): one each for near ones, then logarithmic up to `far`.

    Distances ahead use the second half of the buckets (T5, Raffel et al. 2020).
    """
    half = buckets // 2
    near = half // 2
    size = distances.abs()
    growth = torch.log(size.clamp(min=1).float() / near) / math.log(far / near) * (half - near)
    remote = (near + growth).long().clamp(max=half - 1)
    return torch.where(size < near, size, remote) + (distances > 0).long() * half


class GatedAttention(SelfAttention):
    """Self-attention with gated relative position bias."""

    def __init__(self, dim: int, heads: int, buckets: int | None) -> None:
        """Make the attention of one layer; only the first layer has a table of biases, which all layers share."""
        super().__init__(dim, heads)
        self.grep_linear = nn.Linear(dim // heads, GATE_VALUES)
        self.grep_a = nn.Parameter(torch.ones(1, heads, 1, 1))
        if buckets is not None:
            self.relative_attention_bias = nn.Embedding(buckets, heads)

    def gate(self, x: Tensor) -> Tensor:
        """Scale of the bias of every head and query, (B, heads, T, 1), from the layer's input (B, T, C)."""
        values = self.grep_linear(self.split(x)).unflatten(-1, (2, -1)).sum(-1)
        update, reset = torch.sigmoid(values).chunk(2, dim=-1)
        return update * (reset * self.grep_a - 1.0) + 2.0

    def forward(self, x: Tensor, valid: Tensor | None, positions: Tensor | None) -> Tensor:
        """Attend over time.

        Args:
            x: (B, T, C).
            valid: (B, T) bool, False on padding; None if there is none.
            positions: bias of every distance -(T - 1) ... T - 1, (heads, 2 T - 1).

        Returns:
            (B, T, C).
        """
        assert positions is not None
        query, key, value = (self.split(layer(x)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        frames = x.shape[1]
        gate = self.gate(x)
        rows = positions.unfold(1, frames, 1)  # (heads, T, T) without copying; row r is the bias of query T - 1 - r
        blocks = []
        for begin in range(0, frames, QUERY_BLOCK):
            end = min(begin + QUERY_BLOCK, frames)
            bias = gate[:, :, begin:end] * rows[:, frames - end : frames - begin].flip(1)
            if valid is not None:
                bias = bias.masked_fill(~valid[:, None, None], float("-inf"))
            blocks.append(functional.scaled_dot_product_attention(query[:, :, begin:end], key, value, attn_mask=bias))
        return self.join(torch.cat(blocks, dim=2))


class WavLM(Wav2Vec2):
    """WavLM from waveform to hidden states."""

    def __init__(self, config: TrunkConfig = LARGE, buckets: int = BUCKETS, far: int = FAR) -> None:
        """Make a trunk with random weights; the default is WavLM large."""
        self._buckets, self._far = buckets, far
        super().__init__(config)

    def attentions(self, config: TrunkConfig) -> list[SelfAttention]:
        """Gated attention for all layers."""
        buckets = [self._buckets, *[None] * (config.layers - 1)]
        return [GatedAttention(config.dim, config.heads, count) for count in buckets[: config.layers]]

    def positions(self, frames: int) -> Tensor:
        """Bias of every distance from -(frames - 1) to frames - 1, (heads, 2 frames - 1)."""
        table = self.encoder.layers[0].self_attn.relative_attention_bias
        distances = torch.arange(1 - frames, frames, device=table.weight.device)
        return table(distance_buckets(distances, self._buckets, self._far)).T.contiguous()


def normalised(sounds: Sequence[Tensor]) -> tuple[Tensor, list[int]]:
    """Stack sounds (samples,), each with mean 0 and variance 1, as the large model wants them.

    Returns:
        (B, samples) zero-padded at the end, and the real lengths.
    """
    scaled = [functional.layer_norm(sound, sound.shape) for sound in sounds]
    return nn.utils.rnn.pad_sequence(scaled, batch_first=True), [len(sound) for sound in sounds]
