"""ZipVoice: flow-matching text-to-speech with Zipformer text encoder and vector-field estimator.

Symbols: x_0 noise, x_1 speech features, x_t = t x_1 + (1 - t) x_0, v the velocity, z_t the text condition at frame
rate. Features are 0.1 times the natural log mel spectrogram (100 bins, 93.75 frames per second).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from syncvoice.model.zipformer import TTSZipformer, padding_mask


@dataclass(frozen=True)
class ZipVoiceConfig:
    """Sizes of a ZipVoice model; the defaults are the released base configuration (122.7 million parameters).

    `data_scale`: None where the network's output is the velocity itself, as in public ZipVoice; a number where it is
    what `preconditioned` makes the velocity of: the root mean square of the features.
    """

    vocab_size: int = 360
    pad_id: int = 0
    feat_dim: int = 100
    fm_decoder_downsampling_factor: tuple[int, ...] = (1, 2, 4, 2, 1)
    fm_decoder_num_layers: tuple[int, ...] = (2, 2, 4, 4, 4)
    fm_decoder_cnn_module_kernel: tuple[int, ...] = (31, 15, 7, 15, 31)
    fm_decoder_dim: int = 512
    fm_decoder_feedforward_dim: int = 1536
    fm_decoder_num_heads: int = 4
    text_encoder_num_layers: int = 4
    text_encoder_dim: int = 192
    text_encoder_feedforward_dim: int = 512
    text_encoder_cnn_module_kernel: int = 9
    text_encoder_num_heads: int = 4
    text_embed_dim: int = 192
    time_embed_dim: int = 192
    query_head_dim: int = 32
    value_head_dim: int = 12
    pos_head_dim: int = 4
    pos_dim: int = 48
    guidance_scale_embed: bool = False
    data_scale: float | None = None
    padding_mode: str = field(default="invariant", metadata={"choices": ("invariant", "reference")})

    @classmethod
    def of(cls, values: dict[str, Any]) -> "ZipVoiceConfig":
        """Build from plain JSON or YAML values (lists become tuples)."""
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**fields)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


class ZipVoice(nn.Module):
    """The backbone. State-dict layout of the public checkpoints: `embed`, `text_encoder`, `fm_decoder`."""

    def __init__(self, config: ZipVoiceConfig) -> None:
        super().__init__()
        self.config = config
        heads = {k: getattr(config, k) for k in ("query_head_dim", "value_head_dim", "pos_head_dim", "pos_dim")}
        self.embed = nn.Embedding(config.vocab_size, config.text_embed_dim)
        self.text_encoder = TTSZipformer(
            config.text_embed_dim, config.feat_dim, (1,), (config.text_encoder_num_layers,),
            (config.text_encoder_cnn_module_kernel,), config.text_encoder_dim, config.text_encoder_feedforward_dim,
            config.text_encoder_num_heads, heads,
        )  # fmt: skip
        self.fm_decoder = TTSZipformer(
            3 * config.feat_dim, config.feat_dim, config.fm_decoder_downsampling_factor, config.fm_decoder_num_layers,
            config.fm_decoder_cnn_module_kernel, config.fm_decoder_dim, config.fm_decoder_feedforward_dim,
            config.fm_decoder_num_heads, heads, config.time_embed_dim, config.guidance_scale_embed, config.padding_mode,
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path | str) -> "ZipVoice":
        """Read public weights in eval mode from a folder or weight file; see `public_layout.load_release`.

        Raises:
            UserError: files are missing or do not fit together.
        """
        from syncvoice.model.public_layout import load_release

        return load_release(path).model

    def encode_text(self, tokens: Sequence[Sequence[int]], least: int = 0) -> Tensor:
        """Encode token ids.

        Every list gets one pad id appended, whose output row stands for frames beyond the text.

        Args:
            tokens: ids per clip.
            least: rows to pad to at least.

        Returns:
            (B, S, feat_dim) with S = longest list + 1, or `least` if that is more.
        """
        device = self.embed.weight.device
        lengths = torch.tensor([len(ids) for ids in tokens], device=device)
        width = max(least, max(map(len, tokens)) + 1)
        pad = self.config.pad_id
        padded = torch.tensor([list(ids) + [pad] * (width - len(ids)) for ids in tokens], device=device)
        return self.text_encoder(self.embed(padded), padding=padding_mask(lengths, width)).float()

    def velocity(self, x_t: Tensor, text_condition: Tensor, speech_condition: Tensor, time_emb: Tensor,
                 padding: Tensor | None = None, keep: list[Tensor] | None = None,
                 t: Tensor | float | None = None) -> Tensor:  # fmt: skip
        """Estimate the velocity field.

        Args:
            x_t, text_condition, speech_condition: (B, T, feat_dim).
            time_emb: (B, time_embed_dim), see `TTSZipformer.embed_time`.
            padding: (B, T), True on padded frames.
            keep: collects the output of every stack.
            t: flow time, (B,) or one for all; a model with `data_scale` needs it.

        Returns:
            v: (B, T, feat_dim).
        """
        dtype = self.fm_decoder.in_proj.weight.dtype  # a bfloat16 backbone takes and returns float32 here
        x = torch.cat([x_t, text_condition, speech_condition], dim=-1).to(dtype)
        output = self.fm_decoder(x, time_emb.to(dtype), padding, keep).to(x_t.dtype)
        if self.config.data_scale is None:
            return output
        assert t is not None
        return preconditioned(output, x_t, t, self.config.data_scale)


def preconditioned(output: Tensor, x_t: Tensor, t: Tensor | float, data_scale: float) -> Tensor:
    """Velocity from what is left to a network when the best linear guess from x_t is made for it.

    With features of root mean square s, E[x_1 - x_0 | x_t] is linear where x_1 is Gaussian; the remainder has variance
    s² / (t² s² + (1 - t)²), so the network's target has variance 1 at every flow time. The noise of every frame and
    channel need not pass through a network that is narrower than the features (source: Karras et al. 2022, here for
    the straight path of flow matching; our choice for small models).

    Args:
        output: of the network (B, T, C).
        x_t: (B, T, C).
        t: flow time, (B,) or one for all.
        data_scale: s.

    Returns:
        v (B, T, C).
    """
    time = torch.as_tensor(t, device=x_t.device, dtype=x_t.dtype).reshape(-1, 1, 1)
    variance = (time * data_scale) ** 2 + (1 - time) ** 2
    return (time * data_scale**2 - (1 - time)) / variance * x_t + data_scale / variance.sqrt() * output


def token_index_average(n_tokens: Sequence[int], n_frames: Sequence[int], least: int = 0) -> Tensor:
    """ZipVoice's average upsampling: which token row each frame uses.

    Frames per token d = floor(T / n); frames from d n on use row n, the appended pad.

    Args:
        n_tokens, n_frames: of every clip.
        least: frames to pad to at least.

    Returns:
        (B, T) int64, T = most frames, or `least`.
    """
    width = max(least, *n_frames)
    rows = torch.empty(len(n_tokens), width, dtype=torch.int64)
    for row, n, frames in zip(rows, n_tokens, n_frames, strict=True):
        row.copy_((torch.arange(width) // max(frames // max(n, 1), 1)).clamp(max=n))
    return rows


def token_index_segments(segments: Sequence[Sequence[tuple[int, int]]], least: int = 0) -> Tensor:
    """Spread the tokens of every segment evenly over that segment's own frames (our choice for fine-tuned models).

    Args:
        segments: per clip, (number of tokens, number of frames) of context and target, or of more parts, in order.
        least: frames to pad to at least.

    Returns:
        (B, T) int64, T = most frames, or `least`; frames after the last segment, or of one without tokens, use the
        appended pad's row.
    """
    width = max(least, *(sum(frames for _, frames in clip) for clip in segments))
    rows = torch.empty(len(segments), width, dtype=torch.int64)
    for row, clip in zip(rows, segments, strict=True):
        row.fill_(sum(n for n, _ in clip))
        token = frame = 0
        for n, frames in clip:
            if n:
                row[frame : frame + frames] = token + torch.arange(frames) * n // max(frames, 1)
            token, frame = token + n, frame + frames
    return rows


def expand_text(encoded: Tensor, index: Tensor) -> Tensor:
    """Gather token rows to frames: (B, S, C), (B, T) -> z_t (B, T, C)."""
    return encoded.gather(1, index.to(encoded.device)[..., None].expand(-1, -1, encoded.shape[-1]))
