"""The wav2vec 2.0 trunk (Baevski et al. 2020, arXiv 2006.11477): convolutions over the waveform, then a Transformer.

State-dict keys are those of the public checkpoints of fairseq and UniLM, so UTMOS (base size) and WavLM
(`wavlm`) load as they are published. Cross-checked in the tests against the package transformers on the
same random weights. Inference only: no dropout, no masking of spans.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

CONVOLUTIONS = ((512, 10, 5), (512, 3, 2), (512, 3, 2), (512, 3, 2), (512, 3, 2), (512, 2, 2), (512, 2, 2))


@dataclass(frozen=True)
class TrunkConfig:
    """Sizes of a trunk; the defaults are wav2vec 2.0 base.

    Attributes:
        dim: width of the Transformer.
        feed_forward: width between its two linear layers.
        heads: attention heads.
        layers: Transformer layers.
        convolutions: (channels, kernel, stride) of every convolution over the waveform.
        frame_norm: every convolution is followed by a LayerNorm over channels; otherwise only the first is followed by
            a norm, over time, and the features of a sound then depend on its length.
        norm_first: Transformer layers normalise their input, and the encoder its output (large models); otherwise they
            normalise their output, and the encoder its input.
        position_kernel, position_groups: of the convolution that stands for position.
    """

    dim: int = 768
    feed_forward: int = 3072
    heads: int = 12
    layers: int = 12
    convolutions: Sequence[tuple[int, int, int]] = CONVOLUTIONS
    frame_norm: bool = False
    norm_first: bool = False
    position_kernel: int = 128
    position_groups: int = 16


class ChannelNorm(nn.Sequential):
    """LayerNorm over the channels of (B, C, T); in the public weights the norm is the second of three modules."""

    def __init__(self, channels: int) -> None:
        """Make the norm under the key `1`."""
        super().__init__(nn.Identity(), nn.LayerNorm(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T)."""
        return self[1](x.transpose(1, 2)).transpose(1, 2)


class WaveformConvolutions(nn.Module):
    """Strided convolutions without bias, GELU after each."""

    def __init__(self, config: TrunkConfig) -> None:
        """Make the stack; the second module of each step is the reference's dropout."""
        super().__init__()
        self.conv_layers = nn.ModuleList()
        inputs = 1
        for number, (channels, kernel, stride) in enumerate(config.convolutions):
            norm: list[nn.Module] = []
            if config.frame_norm:
                norm = [ChannelNorm(channels)]
            elif number == 0:
                norm = [nn.GroupNorm(channels, channels)]
            convolution = nn.Conv1d(inputs, channels, kernel, stride=stride, bias=False)
            self.conv_layers.append(nn.Sequential(convolution, nn.Identity(), *norm, nn.GELU()))
            inputs = channels

    def forward(self, audio: Tensor) -> Tensor:
        """Map waveforms (B, samples) to features (B, frames, channels)."""
        x = audio[:, None]
        for layer in self.conv_layers:
            x = layer(x)
        return x.transpose(1, 2)


class PositionConvolution(nn.Module):
    """Grouped convolution whose kernel is stored as direction (`weight_v`) and length per tap (`weight_g`)."""

    def __init__(self, dim: int, kernel: int, groups: int) -> None:
        """Make the convolution with the parameters of weight normalisation over the kernel axis."""
        super().__init__()
        self.groups = groups
        self.weight_g = nn.Parameter(torch.ones(1, 1, kernel))
        self.weight_v = nn.Parameter(torch.randn(dim, dim // groups, kernel) * (4 / (kernel * dim)) ** 0.5)
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, T) to (B, C, T); an even kernel looks one frame less ahead than back."""
        kernel = self.weight_v.shape[-1]
        weight = self.weight_v * (self.weight_g / self.weight_v.norm(dim=(0, 1), keepdim=True))
        y = functional.conv1d(x, weight, self.bias, padding=kernel // 2, groups=self.groups)
        return functional.gelu(y[..., : x.shape[-1]])


class SelfAttention(nn.Module):
    """Multi-head self-attention."""

    def __init__(self, dim: int, heads: int) -> None:
        """Make four projections of width `dim`."""
        super().__init__()
        self.heads = heads
        self.k_proj, self.v_proj, self.q_proj = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, valid: Tensor | None, positions: Tensor | None) -> Tensor:
        """Attend over time.

        Args:
            x: (B, T, C).
            valid: (B, T) bool, False on padding; None if there is none.
            positions: what a subclass needs to know of distances in time.

        Returns:
            (B, T, C).
        """
        query, key, value = (self.split(layer(x)) for layer in (self.q_proj, self.k_proj, self.v_proj))
        mask = None if valid is None else valid[:, None, None]
        return self.join(functional.scaled_dot_product_attention(query, key, value, attn_mask=mask))

    def split(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, heads, T, C / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def join(self, x: Tensor) -> Tensor:
        """Undo `split` and project."""
        return self.out_proj(x.transpose(1, 2).flatten(2))


class TransformerLayer(nn.Module):
    """Self-attention and a feed-forward part, both residual."""

    def __init__(self, config: TrunkConfig, attention: SelfAttention) -> None:
        """Make a layer around an attention module."""
        super().__init__()
        self.norm_first = config.norm_first
        self.self_attn = attention
        self.self_attn_layer_norm = nn.LayerNorm(config.dim)
        self.fc1 = nn.Linear(config.dim, config.feed_forward)
        self.fc2 = nn.Linear(config.feed_forward, config.dim)
        self.final_layer_norm = nn.LayerNorm(config.dim)

    def forward(self, x: Tensor, valid: Tensor | None, positions: Tensor | None) -> Tensor:
        """Map (B, T, C) to (B, T, C); arguments as in `SelfAttention`."""
        if self.norm_first:
            x = x + self.self_attn(self.self_attn_layer_norm(x), valid, positions)
            return x + self._feed_forward(self.final_layer_norm(x))
        x = self.self_attn_layer_norm(x + self.self_attn(x, valid, positions))
        return self.final_layer_norm(x + self._feed_forward(x))

    def _feed_forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Encoder(nn.Module):
    """Position convolution and Transformer layers."""

    def __init__(self, config: TrunkConfig, attentions: Sequence[SelfAttention]) -> None:
        """Make one layer per attention module."""
        super().__init__()
        self.norm_first = config.norm_first
        position = PositionConvolution(config.dim, config.position_kernel, config.position_groups)
        self.pos_conv = nn.Sequential(position)
        self.layer_norm = nn.LayerNorm(config.dim)
        self.layers = nn.ModuleList(TransformerLayer(config, attention) for attention in attentions)

    def forward(self, x: Tensor, valid: Tensor | None, positions: Tensor | None) -> list[Tensor]:
        """Return the input of every layer and the output of the last, each (B, T, C)."""
        if valid is not None:
            x = x * valid[..., None]
        x = x + self.pos_conv(x.transpose(1, 2)).transpose(1, 2)
        if not self.norm_first:
            x = self.layer_norm(x)
        states = [x]
        for layer in self.layers:
            states.append(layer(states[-1], valid, positions))
        if self.norm_first:
            states[-1] = self.layer_norm(states[-1])
        return states


class Wav2Vec2(nn.Module):
    """Trunk from waveform to hidden states."""

    def __init__(self, config: TrunkConfig) -> None:
        """Make a trunk with random weights."""
        super().__init__()
        self.config = config
        channels = config.convolutions[-1][0]
        self.feature_extractor = WaveformConvolutions(config)
        self.layer_norm = nn.LayerNorm(channels)
        self.post_extract_proj = nn.Linear(channels, config.dim)
        self.encoder = Encoder(config, self.attentions(config))

    def attentions(self, config: TrunkConfig) -> list[SelfAttention]:
        """Attention modules of all layers."""
        return [SelfAttention(config.dim, config.heads) for _ in range(config.layers)]

    def positions(self, frames: int) -> Tensor | None:
        """What the attention modules need to know of distances in time."""
        return None

    def frames(self, samples: int) -> int:
        """Frames of a sound; 0 if it is shorter than the window of one frame."""
        for _, kernel, stride in self.config.convolutions:
            samples = (samples - kernel) // stride + 1
        return max(0, samples)

    def forward(self, audio: Tensor, samples: Sequence[int] | None = None) -> list[Tensor]:
        """Return the input of every Transformer layer and the output of the last.

        Args:
            audio: waveforms (B, samples) at 16 kHz, at least 400 samples, zero-padded at the end.
            samples: real length of each sound; None: none is padded. Real frames do not depend on the padding if the
                configuration has `frame_norm`.

        Returns:
            layers + 1 tensors (B, frames, dim), 50 frames per second; padded frames hold no meaning.

        Raises:
            ValueError: lengths differ and the features would depend on the padding.
        """
        features = self.post_extract_proj(self.layer_norm(self.feature_extractor(audio)))
        frames = features.shape[1]
        real = [frames] * len(audio) if samples is None else [self.frames(n) for n in samples]
        valid = None
        if min(real) < frames:
            if not self.config.frame_norm:
                raise ValueError("sounds of one batch must be equally long: this trunk normalises over time")
            valid = torch.arange(frames, device=audio.device) < torch.tensor(real, device=audio.device)[:, None]
        return self.encoder(features, valid, self.positions(frames))
