"""The vector-field estimator laid out for sampling: the same function as `TTSZipformer.forward`, without gradients.

What is done once instead of at every call: weights are converted and, on a CPU, packed in the blocked layout of oneDNN;
projected relative positions are kept per number of frames, since they depend neither on the flow time nor on the input.
What takes fewer passes over memory: residual sums, gates and their activations ride on the matrix products; scores by
offset are computed only for the offsets that a chunk of queries sees, which also bounds the memory of long clips.

Matrix products have the chosen dtype, and so has the sum of a layer's updates (`delta` below). The residual stream
between and half-way in the layers, norms, input and output projections, time embeddings and the Euler state stay in
float32: rounding them made most of the error of the mel features (measured with random weights).
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from syncvoice.model.kernels import depthwise_conv, swoosh_l, swoosh_r
from syncvoice.model.zipformer import (
    BiasNorm,
    Bypass,
    ConvolutionModule,
    DownsampledStack,
    FeedForward,
    NonlinAttention,
    SelfAttention,
    TTSZipformer,
    ZipformerLayer,
    ZipformerStack,
    relative_positions,
    repeat_last_valid,
)

SCORES_PER_CHUNK = 2**19  # attention scores computed at once: few enough to stay in a core's cache

Chunks = list[Tensor]  # attention weights (B, H, n, T source) of consecutive chunks of n target frames


class PackedLinear:
    """A linear layer with fixed weights, whose result may be multiplied with or added to another tensor in passing."""

    def __init__(self, weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> None:
        """Convert weight (out, in) and bias (out,) to `dtype`; pack them where oneDNN does the products."""
        self.bias = None if bias is None else bias.detach().to(dtype).clone()
        self.weight = weight.detach().to(dtype).contiguous()
        self.packed = self.weight.device.type == "cpu" and onednn_multiplies(dtype)
        if self.packed:
            self.weight = torch.ops.mkldnn._reorder_linear_weight(self.weight)

    def __call__(self, x: Tensor, activation: str = "none") -> Tensor:
        """(..., in) -> (..., out); `activation` is "none", "tanh" or "sigmoid"."""
        if self.packed:
            return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, activation, [], "")
        y = F.linear(x, self.weight, self.bias)
        return y if activation == "none" else getattr(y, activation + "_")()

    def times(self, x: Tensor, other: Tensor) -> Tensor:
        """(..., in), (..., out) -> layer(x) * other."""
        if self.packed:
            return torch.ops.mkldnn._linear_pointwise.binary(x, other, self.weight, self.bias, "mul")
        return F.linear(x, self.weight, self.bias).mul_(other)

    def plus(self, x: Tensor, other: Tensor | None) -> Tensor:
        """(..., in), (..., out) -> layer(x) + other."""
        if other is None:
            return self(x)
        if self.packed:
            return torch.ops.mkldnn._linear_pointwise.binary(x, other, self.weight, self.bias, "add")
        return F.linear(x, self.weight, self.bias).add_(other)


def onednn_multiplies(dtype: torch.dtype) -> bool:
    """Whether this processor's oneDNN multiplies matrices of `dtype`."""
    if not torch.backends.mkldnn.is_available():
        return False
    return dtype == torch.float32 or (dtype == torch.bfloat16 and torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pack(layer: nn.Linear, dtype: torch.dtype, parts: int = 1) -> Any:
    """Pack a layer, or its `parts` equal shares of the output channels as a list."""
    weights = layer.weight.chunk(parts)
    biases = [None] * parts if layer.bias is None else layer.bias.chunk(parts)
    packed = [PackedLinear(w, b, dtype) for w, b in zip(weights, biases, strict=True)]
    return packed[0] if parts == 1 else packed


class PackedFeedForward:
    """`FeedForward`, its result added to `delta`."""

    def __init__(self, module: FeedForward, dtype: torch.dtype) -> None:
        self.in_proj, self.out_proj = pack(module.in_proj, dtype), pack(module.out_proj, dtype)

    def __call__(self, x: Tensor, delta: Tensor | None) -> Tensor:
        """(B, T, D) twice -> (B, T, D)."""
        return self.out_proj.plus(swoosh_l(self.in_proj(x)), delta)


class PackedConvolution:
    """`ConvolutionModule`, its result added to `delta`."""

    def __init__(self, module: ConvolutionModule, dtype: torch.dtype) -> None:
        self.value, self.gate = pack(module.in_proj, dtype, parts=2)
        self.weight = module.depthwise_conv.weight.detach().to(dtype).clone()
        self.bias = module.depthwise_conv.bias.detach().to(dtype).clone()
        self.out_proj = pack(module.out_proj, dtype)

    def __call__(self, x: Tensor, delta: Tensor, valid: Tensor | None) -> Tensor:
        """(B, T, D) twice -> (B, T, D); `valid` (B, T, 1) is 1 on valid and 0 on padded frames."""
        y = self.value.times(x, self.gate(x, "sigmoid"))
        if valid is not None:
            y = y.mul_(valid)
        return self.out_proj.plus(swoosh_r(depthwise_conv(y, self.weight, self.bias)), delta)


class PackedNonlinAttention:
    """`NonlinAttention`, its result added to `delta`."""

    def __init__(self, module: NonlinAttention, dtype: torch.dtype) -> None:
        self.gate, self.value, self.factor = pack(module.in_proj, dtype, parts=3)
        self.out_proj = pack(module.out_proj, dtype)

    def __call__(self, x: Tensor, delta: Tensor, chunks: Chunks) -> Tensor:
        """(B, T, D) twice -> (B, T, D)."""
        value = self.value.times(x, self.gate(x, "tanh"))
        mixed = joined([torch.bmm(weights[:, 0], value) for weights in chunks])
        return self.out_proj.plus(self.factor.times(x, mixed), delta)


class PackedSelfAttention:
    """`SelfAttention`, its result added to `delta`."""

    def __init__(self, module: SelfAttention, dtype: torch.dtype) -> None:
        self.num_heads = module.num_heads
        self.in_proj, self.out_proj = pack(module.in_proj, dtype), pack(module.out_proj, dtype)

    def __call__(self, x: Tensor, delta: Tensor | None, chunks: Chunks) -> Tensor:
        """(B, T, D) twice -> (B, T, D)."""
        value = self.in_proj(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2).contiguous()  # (B, H, T, d)
        mixed = joined([torch.matmul(weights, value).transpose(1, 2).flatten(2) for weights in chunks])
        return self.out_proj.plus(mixed, delta)


def joined(parts: list[Tensor]) -> Tensor:
    """Join chunks of frames: (B, n, D) each -> (B, T, D)."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


class PackedLayer:
    """`ZipformerLayer`."""

    def __init__(self, layer: ZipformerLayer, dtype: torch.dtype) -> None:
        source = layer.self_attn_weights
        self.heads = (source.num_heads, source.query_head_dim, source.pos_head_dim)
        self.score_proj = pack(source.in_proj, dtype)
        self.position_proj = source.linear_pos.weight.detach().float().clone()
        self.feed_forwards = [
            PackedFeedForward(m, dtype) for m in (layer.feed_forward1, layer.feed_forward2, layer.feed_forward3)
        ]
        self.convolutions = [PackedConvolution(m, dtype) for m in (layer.conv_module1, layer.conv_module2)]
        self.attentions = [PackedSelfAttention(m, dtype) for m in (layer.self_attn1, layer.self_attn2)]
        self.nonlin_attention = PackedNonlinAttention(layer.nonlin_attention, dtype)
        self.norm, self.middle = PackedNorm(layer.norm, layer.bypass), bypass_scale(layer.bypass_mid)
        self.dtype = dtype

    def __call__(
        self, x: Tensor, positions: Tensor, time_emb: Tensor | None, valid: Tensor | None, mask: Tensor | None
    ) -> Tensor:
        """(B, T, D) -> (B, T, D), float32; positions from `project_positions`, valid (B, T, 1), mask (B, 1, 1, T)."""
        start = x.to(self.dtype)
        chunks = self.attention_weights(start, positions, mask)
        delta = add_time(self.feed_forwards[0](start if time_emb is None else start + time_emb, None), time_emb)
        delta = self.nonlin_attention(start + delta, delta, chunks)
        delta = add_time(self.attentions[0](start + delta, delta, chunks), time_emb)
        delta = self.convolutions[0](start + delta, delta, valid)
        delta = self.feed_forwards[1](start + delta, delta)
        middle = torch.addcmul(x, delta.to(x.dtype), self.middle)  # bypass between x and x + delta
        start = middle.to(self.dtype)
        delta = add_time(self.attentions[1](start, None, chunks), time_emb)
        delta = self.convolutions[1](start + delta, delta, valid)
        delta = self.feed_forwards[2](start + delta, delta)
        return self.norm(x, middle.add_(delta))

    def project_positions(self, table: Tensor) -> Tensor:
        """Relative positions (2 T - 1, pos_dim) -> (H, pos_head_dim, 2 T - 1)."""
        heads, _, width = self.heads
        return (table @ self.position_proj.T).view(len(table), heads, width).permute(1, 2, 0)

    def attention_weights(self, x: Tensor, positions: Tensor, mask: Tensor | None) -> Chunks:
        """Attention weights of `AttentionWeights`, in chunks of target frames."""
        batch, frames, _ = x.shape
        heads, query, position = self.heads
        q, k, p = self.score_proj(x).split([heads * query, heads * query, heads * position], dim=-1)
        q, k, p = (y.unflatten(-1, (heads, -1)).transpose(1, 2).flatten(0, 1) for y in (q, k, p))  # (B H, T, d)
        k, r = k.transpose(1, 2), positions.repeat(batch, 1, 1)
        step = max(8, SCORES_PER_CHUNK // (batch * heads * frames))
        chunks = []
        for start in range(0, frames, step):
            stop = min(start + step, frames)
            # Columns: the offsets from the last target's first source to the first target's last source.
            by_offset = torch.bmm(p[:, start:stop], r[:, :, frames - stop : 2 * frames - 1 - start])
            n, width = by_offset.shape[1:]
            by_source = by_offset.as_strided((len(q), n, frames), (n * width, width - 1, 1), n - 1)
            scores = torch.baddbmm(by_source, q[:, start:stop], k).view(batch, heads, n, frames)
            if mask is not None:
                scores += mask
            chunks.append(scores.softmax(dim=-1))
        return chunks


class PackedNorm:
    """`BiasNorm` and the bypass of a layer after it, in float32."""

    def __init__(self, norm: BiasNorm, bypass: Bypass) -> None:
        self.bias, self.bypass = norm.bias.detach().float().clone(), bypass_scale(bypass)
        self.scale = float(norm.log_scale.detach().float().exp()) * math.sqrt(len(self.bias))

    def __call__(self, original: Tensor, x: Tensor) -> Tensor:
        """(B, T, D) twice -> (B, T, D); overwrites x."""
        length = torch.linalg.vector_norm(x - self.bias, dim=-1, keepdim=True)
        return torch.lerp(original, x.mul_(self.scale / length), self.bypass)


def bypass_scale(bypass: Bypass) -> Tensor:
    """Scale of a bypass (D,), float32."""
    return bypass.bypass_scale.detach().float().clone()


def add_time(x: Tensor, time_emb: Tensor | None) -> Tensor:
    """Add the time embedding (B, 1, D) to x (B, T, D), in place."""
    return x if time_emb is None else x.add_(time_emb)


class PackedStack:
    """`ZipformerStack`, or `DownsampledStack` with the stack inside it."""

    def __init__(self, module: ZipformerStack | DownsampledStack, dtype: torch.dtype) -> None:
        stack = module.encoder if isinstance(module, DownsampledStack) else module
        self.factor, self.invariant = 1, False
        if isinstance(module, DownsampledStack):
            self.factor, self.invariant = module.factor, module.padding_mode == "invariant"
            self.shares = module.downsample.bias.detach().float().softmax(dim=0).tolist()
            self.bypass = bypass_scale(module.out_combiner)
        self.time_proj = None if stack.time_emb is None else stack.time_emb[1]
        self.layers = [PackedLayer(layer, dtype) for layer in stack.layers]
        self.pos_dim, self.dtype = stack.pos_dim, dtype
        self.positions: tuple[int, list[Tensor]] = (0, [])  # of the last number of frames

    def __call__(self, x: Tensor, time_emb: Tensor | None, padding: Tensor | None) -> Tensor:
        """(B, T, D), time embedding (B, time_dim) or None -> (B, T, D)."""
        if self.factor == 1:
            return self.run_layers(x, time_emb, padding)
        source = repeat_last_valid(x, padding) if padding is not None and self.invariant else x
        low = self.run_layers(
            self.downsampled(source), time_emb, None if padding is None else padding[:, :: self.factor]
        )
        high = low[:, :, None].expand(-1, -1, self.factor, -1).flatten(1, 2)[:, : x.shape[1]]
        return torch.lerp(x, high, self.bypass)

    def run_layers(self, x: Tensor, time_emb: Tensor | None, padding: Tensor | None) -> Tensor:
        """All layers at this stack's frame rate: (B, T, D) -> (B, T, D)."""
        if time_emb is not None and self.time_proj is not None:
            time_emb = self.time_proj(swoosh_r(time_emb))[:, None].to(self.dtype)
        valid = None if padding is None else (~padding).to(self.dtype)[..., None]
        mask = None if padding is None else padding[:, None, None].to(self.dtype) * -1000.0
        for layer, positions in zip(self.layers, self.projected_positions(x), strict=True):
            x = layer(x, positions, time_emb, valid, mask)
        return x

    def projected_positions(self, x: Tensor) -> Sequence[Tensor]:
        """Per layer the projected relative positions (H, pos_head_dim, 2 T - 1) for x (B, T, D)."""
        if self.positions[0] != x.shape[1]:
            table = relative_positions(x.shape[1], self.pos_dim, x.device)
            self.positions = (x.shape[1], [layer.project_positions(table).to(self.dtype) for layer in self.layers])
        return self.positions[1]

    def downsampled(self, x: Tensor) -> Tensor:
        """(B, T, D) -> (B, ceil(T / factor), D); the last frame is repeated to fill the last group."""
        missing = -x.shape[1] % self.factor
        if missing:
            x = torch.cat([x, x[:, -1:].expand(-1, missing, -1)], dim=1)
        low = x[:, :: self.factor] * self.shares[0]
        for k, share in enumerate(self.shares[1:], start=1):
            low.add_(x[:, k :: self.factor], alpha=share)
        return low


class PackedEstimator(nn.Module):
    """Takes the place of a `TTSZipformer` with flow time in a model that only samples.

    The weights are copies at the time of packing, on the device where the estimator lay; the original may be deleted.
    """

    def __init__(self, estimator: TTSZipformer, dtype: torch.dtype) -> None:
        super().__init__()
        self.in_proj, self.out_proj = estimator.in_proj, estimator.out_proj
        self.time_embed, self.time_embed_dim = estimator.time_embed, estimator.time_embed_dim
        if hasattr(estimator, "guidance_scale_embed"):
            self.guidance_scale_embed = estimator.guidance_scale_embed
        self.stacks = [PackedStack(module, dtype) for module in estimator.encoders]
        self.dtype = dtype

    embed_time = TTSZipformer.embed_time

    @torch.no_grad()
    def forward(self, x: Tensor, time_emb: Tensor | None = None, padding: Tensor | None = None,
                keep: list[Tensor] | None = None) -> Tensor:  # fmt: skip
        """As `TTSZipformer.forward`: (B, T, in_dim) -> (B, T, out_dim), both float32."""
        x = self.in_proj(x)
        for stack in self.stacks:
            x = stack(x, time_emb, padding)
            if keep is not None:
                keep.append(x)
        return self.out_proj(x)
