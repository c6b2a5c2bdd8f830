"""Zipformer as ZipVoice uses it: text encoder and vector-field estimator.

State-dict keys and numbers are those of the public ZipVoice implementation (reference: k2-fsa/ZipVoice 2f7326f, facts
only). Regularisers that act in training alone (Balancer, Whiten, scheduled skips) own no parameters and are left out.

Axes: B clips, T frames, D channels, H attention heads. `lengths` (B,) counts valid frames; `padding` (B, T) is True on
padded frames. Two padding modes: `reference` reproduces the public code, whose downsampling mixes padded frames into
the last frames of shorter clips; `invariant` (our default) repeats each clip's last valid frame before every
downsampling, so that a clip alone equals the same clip in a batch.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from syncvoice.model.kernels import depthwise_conv, swoosh_l, swoosh_r


def scaled_linear(in_features: int, out_features: int, scale: float, bias: bool = True) -> nn.Linear:
    """A linear layer whose initial weights are small: weight times `scale`, bias uniform in ±0.1 scale."""
    layer = nn.Linear(in_features, out_features, bias=bias)
    with torch.no_grad():
        layer.weight.mul_(scale)
        if bias:
            layer.bias.uniform_(-0.1 * scale, 0.1 * scale)
    return layer


def time_sinusoid(t: Tensor, dim: int) -> Tensor:
    """Sinusoidal embedding of flow time t in [0, 1], (B,) -> (B, dim): cosines first, then sines."""
    half = dim // 2
    frequencies = torch.exp(-math.log(10_000.0) * torch.arange(half, device=t.device, dtype=torch.float32) / half)
    angles = t.float()[:, None] * frequencies
    return torch.cat([angles.cos(), angles.sin()], dim=1)


def relative_positions(n_frames: int, dim: int, device: torch.device | None = None) -> Tensor:
    """Compact relative position table, (2 T - 1, dim); row r is the offset r - (T - 1)."""
    c = math.sqrt(dim)
    x = torch.arange(-(n_frames - 1), n_frames, device=device, dtype=torch.float32)
    compressed = c * x.sign() * (torch.log(x.abs() + c) - math.log(c))
    angle = torch.atan(compressed / (dim / (2.0 * math.pi)))[:, None]
    k = torch.arange(1, dim // 2 + 1, device=device, dtype=torch.float32)
    table = torch.stack([(angle * k).cos(), (angle * k).sin()], dim=2).flatten(1)
    table[:, -1] = 1.0
    return table


class BiasNorm(nn.Module):
    """Normalise by the root mean square about a learned bias; the bias enters the statistic only."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(1.0))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) -> (..., D)."""
        scale = (x - self.bias).float().pow(2).mean(dim=-1, keepdim=True).rsqrt() * self.log_scale.exp()
        return x * scale.to(x.dtype)


class Bypass(nn.Module):
    """Learned interpolation per channel between a module's input and its output."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.bypass_scale = nn.Parameter(torch.full((dim,), 0.5))

    def forward(self, original: Tensor, x: Tensor) -> Tensor:
        """(B, T, D) twice -> (B, T, D)."""
        return torch.lerp(original, x, self.bypass_scale.to(x.dtype).expand_as(x))


class AttentionWeights(nn.Module):
    """Multi-head attention weights with relative positions; computed once per layer, used by three modules."""

    def __init__(self, dim: int, num_heads: int, query_head_dim: int, pos_head_dim: int, pos_dim: int) -> None:
        super().__init__()
        self.num_heads, self.query_head_dim, self.pos_head_dim = num_heads, query_head_dim, pos_head_dim
        width = num_heads * (2 * query_head_dim + pos_head_dim)
        self.in_proj = scaled_linear(dim, width, query_head_dim**-0.25)
        self.linear_pos = scaled_linear(pos_dim, num_heads * pos_head_dim, 0.05, bias=False)

    def forward(self, x: Tensor, positions: Tensor, mask: Tensor | None) -> Tensor:
        """Weights over source frames.

        Args:
            x: (B, T, D).
            positions: relative position table (2 T - 1, pos_dim).
            mask: additive score (B, 1, 1, T), -1000 on padded source frames; None without padding.

        Returns:
            (B, H, T target, T source), rows sum to one.
        """
        batch, frames, _ = x.shape
        heads, dim = self.num_heads, self.query_head_dim
        q, k, p = self.in_proj(x).split([heads * dim, heads * dim, heads * self.pos_head_dim], dim=-1)
        q = q.view(batch, frames, heads, dim).transpose(1, 2)  # (B, T, H, d) -> (B, H, T, d)
        k = k.view(batch, frames, heads, dim).permute(0, 2, 3, 1)  # (B, T, H, d) -> (B, H, d, T)
        p = p.view(batch, frames, heads, self.pos_head_dim).transpose(1, 2)
        r = self.linear_pos(positions.to(x.dtype)).view(2 * frames - 1, heads, self.pos_head_dim).permute(1, 2, 0)
        scores = torch.matmul(q, k) + shift_relative(torch.matmul(p, r))
        if mask is not None:
            # The public code replaces the score of padded frames by -1000; after softmax that is the same as adding.
            scores = scores + mask
        return scores.softmax(dim=-1)


def shift_relative(scores: Tensor) -> Tensor:
    """Turn scores by offset into scores by source frame.

    Args:
        scores: (B, H, T, 2 T - 1); column T - 1 + (j - i) belongs to source j of target i.

    Returns:
        (B, H, T, T) view: row i, column j.
    """
    batch, heads, frames, width = scores.shape
    scores = scores.contiguous()
    return scores.as_strided(
        (batch, heads, frames, frames),
        (heads * frames * width, frames * width, width - 1, 1),
        scores.storage_offset() + frames - 1,
    )


class SelfAttention(nn.Module):
    """Weighted sum of value projections."""

    def __init__(self, dim: int, num_heads: int, value_head_dim: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.in_proj = nn.Linear(dim, num_heads * value_head_dim)
        self.out_proj = scaled_linear(num_heads * value_head_dim, dim, 0.05)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(B, T, D), (B, H, T, T) -> (B, T, D)."""
        batch, frames, _ = x.shape
        v = self.in_proj(x).view(batch, frames, self.num_heads, -1).transpose(1, 2)  # (B, T, H, d) -> (B, H, T, d)
        return self.out_proj(torch.matmul(weights, v).transpose(1, 2).flatten(2))


class NonlinAttention(nn.Module):
    """Gated attention over all channels with the weights of the first head."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.in_proj = nn.Linear(dim, 3 * hidden)
        self.out_proj = scaled_linear(hidden, dim, 0.05)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(B, T, D), (B, T, T) -> (B, T, D)."""
        s, v, y = self.in_proj(x).chunk(3, dim=-1)
        return self.out_proj(torch.matmul(weights, v * s.tanh()) * y)


class FeedForward(nn.Module):
    """Linear, SwooshL, linear."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.in_proj = nn.Linear(dim, hidden)
        self.out_proj = scaled_linear(hidden, dim, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        return self.out_proj(swoosh_l(self.in_proj(x)))


class ConvolutionModule(nn.Module):
    """Gated linear unit, depthwise convolution over time, SwooshR, linear."""

    def __init__(self, dim: int, kernel: int) -> None:
        super().__init__()
        self.in_proj = nn.Linear(dim, 2 * dim)
        self.depthwise_conv = nn.Conv1d(dim, dim, kernel, groups=dim, padding=kernel // 2)
        self.out_proj = scaled_linear(dim, dim, 0.05)

    def forward(self, x: Tensor, padding: Tensor | None) -> Tensor:
        """(B, T, D), (B, T) -> (B, T, D)."""
        x = F.glu(self.in_proj(x), dim=-1)
        if padding is not None:
            x = x.masked_fill(padding[..., None], 0.0)
        x = depthwise_conv(x, self.depthwise_conv.weight, self.depthwise_conv.bias)
        return self.out_proj(swoosh_r(x))


class ZipformerLayer(nn.Module):
    """One Zipformer layer: shared attention weights, three feed-forwards, two attentions, two convolutions."""

    def __init__(self, dim: int, feedforward_dim: int, kernel: int, num_heads: int, heads: dict[str, int]) -> None:
        super().__init__()
        self.bypass, self.bypass_mid = Bypass(dim), Bypass(dim)
        self.self_attn_weights = AttentionWeights(
            dim, num_heads, heads["query_head_dim"], heads["pos_head_dim"], heads["pos_dim"]
        )
        self.self_attn1 = SelfAttention(dim, num_heads, heads["value_head_dim"])
        self.self_attn2 = SelfAttention(dim, num_heads, heads["value_head_dim"])
        self.feed_forward1 = FeedForward(dim, feedforward_dim * 3 // 4)
        self.feed_forward2 = FeedForward(dim, feedforward_dim)
        self.feed_forward3 = FeedForward(dim, feedforward_dim * 5 // 4)
        self.nonlin_attention = NonlinAttention(dim, 3 * dim // 4)
        self.conv_module1 = ConvolutionModule(dim, kernel)
        self.conv_module2 = ConvolutionModule(dim, kernel)
        self.norm = BiasNorm(dim)

    def forward(
        self, x: Tensor, positions: Tensor, time_emb: Tensor | None, padding: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """(B, T, D) -> (B, T, D); `time_emb` is (B, 1, D) or (B, T, D)."""
        original = x
        weights = self.self_attn_weights(x, positions, mask)
        if time_emb is not None:
            x = x + time_emb
        x = x + self.feed_forward1(x)
        x = x + self.nonlin_attention(x, weights[:, 0])
        x = x + self.self_attn1(x, weights)
        if time_emb is not None:
            x = x + time_emb
        x = x + self.conv_module1(x, padding)
        x = x + self.feed_forward2(x)
        x = self.bypass_mid(original, x)
        x = x + self.self_attn2(x, weights)
        if time_emb is not None:
            x = x + time_emb
        x = x + self.conv_module2(x, padding)
        x = x + self.feed_forward3(x)
        return self.bypass(original, self.norm(x))


class ZipformerStack(nn.Module):
    """Layers at one frame rate, with one projection of the time embedding for all of them."""

    def __init__(self, dim: int, layers: int, time_dim: int | None, feedforward_dim: int, kernel: int, num_heads: int,
                 heads: dict[str, int]) -> None:  # fmt: skip
        super().__init__()
        # Sequential keeps the public key `time_emb.1`; index 0 is the parameter-free activation.
        self.time_emb = nn.Sequential(nn.Identity(), nn.Linear(time_dim, dim)) if time_dim else None
        self.layers = nn.ModuleList(
            ZipformerLayer(dim, feedforward_dim, kernel, num_heads, heads) for _ in range(layers)
        )
        self.pos_dim = heads["pos_dim"]

    def forward(self, x: Tensor, time_emb: Tensor | None, padding: Tensor | None) -> Tensor:
        """(B, T, D), time embedding (B, time_dim) or None -> (B, T, D)."""
        if time_emb is not None and self.time_emb is not None:
            time_emb = self.time_emb[1](swoosh_r(time_emb))[:, None].to(x.dtype)
        mask = None if padding is None else padding[:, None, None].to(x.dtype) * -1000.0
        positions = relative_positions(x.shape[1], self.pos_dim, x.device)
        for layer in self.layers:
            x = layer(x, positions, time_emb, padding, mask)
        return x


class Downsample(nn.Module):
    """Learned weighted sum over groups of `factor` frames."""

    def __init__(self, factor: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(factor))

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, ceil(T / factor), D); the last frame is repeated to fill the last group."""
        factor = self.bias.numel()
        groups = -(-x.shape[1] // factor)
        missing = groups * factor - x.shape[1]
        if missing:
            x = torch.cat([x, x[:, -1:].expand(-1, missing, -1)], dim=1)
        weights = self.bias.softmax(dim=0).to(x.dtype)
        return torch.einsum("btfd,f->btd", x.unflatten(1, (groups, factor)), weights)


class DownsampledStack(nn.Module):
    """A stack that runs at a lower frame rate, bypassed by its input."""

    def __init__(self, stack: ZipformerStack, dim: int, factor: int, padding_mode: str) -> None:
        super().__init__()
        self.downsample = Downsample(factor)
        self.encoder = stack
        self.out_combiner = Bypass(dim)
        self.factor, self.padding_mode = factor, padding_mode

    def forward(self, x: Tensor, time_emb: Tensor | None, padding: Tensor | None) -> Tensor:
        """(B, T, D) -> (B, T, D)."""
        source = x
        if padding is not None and self.padding_mode == "invariant":
            source = repeat_last_valid(x, padding)
        low = self.encoder(self.downsample(source), time_emb, None if padding is None else padding[:, :: self.factor])
        high = low.repeat_interleave(self.factor, dim=1)[:, : x.shape[1]]
        return self.out_combiner(x, high)


def repeat_last_valid(x: Tensor, padding: Tensor) -> Tensor:
    """Replace padded frames of (B, T, D) by the clip's last valid frame."""
    last = (~padding).sum(dim=1, keepdim=True).clamp(min=1) - 1  # (B, 1)
    index = torch.arange(x.shape[1], device=x.device)[None].minimum(last)
    return x.gather(1, index[..., None].expand_as(x))


class TTSZipformer(nn.Module):
    """Zipformer stacks between an input and an output projection; with flow time when `time_embed_dim` is given.

    Args:
        in_dim, out_dim: channels outside.
        downsampling_factor, num_layers, cnn_module_kernel: one entry per stack.
        dim, feedforward_dim, num_heads: width inside.
        heads: query_head_dim, value_head_dim, pos_head_dim, pos_dim.
        time_embed_dim: width of the time embedding; None for the text encoder.
        guidance_scale_embed: distilled models also take the guidance scale.
        padding_mode: `invariant` or `reference`, see the module's docstring.
    """

    def __init__(self, in_dim: int, out_dim: int, downsampling_factor: Sequence[int], num_layers: Sequence[int],
                 cnn_module_kernel: Sequence[int], dim: int, feedforward_dim: int, num_heads: int,
                 heads: dict[str, int], time_embed_dim: int | None = None, guidance_scale_embed: bool = False,
                 padding_mode: str = "invariant") -> None:  # fmt: skip
        super().__init__()
        self.in_proj, self.out_proj = nn.Linear(in_dim, dim), nn.Linear(dim, out_dim)
        self.time_embed_dim = time_embed_dim
        if time_embed_dim:
            # Index 1 is the parameter-free SwooshR.
            self.time_embed = nn.Sequential(
                nn.Linear(time_embed_dim, 2 * time_embed_dim),
                nn.Identity(),
                nn.Linear(2 * time_embed_dim, time_embed_dim),
            )
        if guidance_scale_embed:
            self.guidance_scale_embed = scaled_linear(time_embed_dim or dim, time_embed_dim or dim, 0.1, bias=False)
        encoders: list[nn.Module] = []
        for factor, layers, kernel in zip(downsampling_factor, num_layers, cnn_module_kernel, strict=True):
            stack = ZipformerStack(dim, layers, time_embed_dim, feedforward_dim, kernel, num_heads, heads)
            encoders.append(stack if factor == 1 else DownsampledStack(stack, dim, factor, padding_mode))
        self.encoders = nn.ModuleList(encoders)

    def embed_time(self, t: Tensor, guidance_scale: Tensor | None = None) -> Tensor:
        """Time embedding (B,) -> (B, time_embed_dim)."""
        dim = self.time_embed_dim or 0
        embedding = time_sinusoid(t, dim)
        if guidance_scale is not None:
            scale = time_sinusoid(guidance_scale, dim).to(self.guidance_scale_embed.weight.dtype)
            embedding = embedding + self.guidance_scale_embed(scale)
        dtype = self.time_embed[0].weight.dtype
        return self.time_embed[2](swoosh_r(self.time_embed[0](embedding.to(dtype)))).float()

    def forward(self, x: Tensor, time_emb: Tensor | None = None, padding: Tensor | None = None,
                keep: list[Tensor] | None = None) -> Tensor:  # fmt: skip
        """Run all stacks.

        Args:
            x: (B, T, in_dim).
            time_emb: (B, time_embed_dim) from `embed_time`, plus whatever global embedding is added to it.
            padding: (B, T), True on padded frames; None when nothing is padded.
            keep: when given, the output (B, T, D) of every stack is appended to it.

        Returns:
            (B, T, out_dim).
        """
        x = self.in_proj(x)
        for encoder in self.encoders:
            x = encoder(x, time_emb, padding)
            if keep is not None:
                keep.append(x)
        return self.out_proj(x)


def padding_mask(lengths: Tensor, n_frames: int) -> Tensor:
    """Lengths (B,) -> (B, n_frames), True on padded frames."""
    return torch.arange(n_frames, device=lengths.device)[None] >= lengths[:, None]
