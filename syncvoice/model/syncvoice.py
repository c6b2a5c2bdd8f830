"""The SyncVoice model: ZipVoice backbone, Text-Visual Fusion and Dual Speaker Encoder.

A clip is a sequence of segments: the context (reference voice with its text, no video), when there is one, and the
target (the video's length). Axes: B clips, T mel frames, N video frames.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from syncvoice.clocks import FPS, HOP, SAMPLE_RATE
from syncvoice.model.fusion import TextVisualFusion
from syncvoice.model.guidance import Scales
from syncvoice.model.speaker import DualSpeakerEncoder
from syncvoice.model.zipformer import padding_mask
from syncvoice.model.zipvoice import ZipVoice, ZipVoiceConfig, expand_text, token_index_average, token_index_segments


@dataclass(frozen=True)
class SyncVoiceConfig:
    """Sizes of a SyncVoice model.

    Attributes:
        backbone: ZipVoice sizes.
        visual_dims: features per visual condition; empty for a model without visual branch.
        adapter_dim: bottleneck of the adapters.
        speaker_branches: subset of ("pretrained", "learnable"); empty for a model without speaker encoder.
        pretrained_speaker_dim: width of the CAM++ embedding.
        speaker_dim: width of the learnable encoder.
        text_expansion: how the model learned to spread tokens over frames, "segments" (those of context and target over
            their own frames) or "average" (ZipVoice's rule).
    """

    backbone: ZipVoiceConfig = field(default_factory=ZipVoiceConfig)
    visual_dims: Mapping[str, int] = field(default_factory=dict)
    adapter_dim: int = 64
    speaker_branches: tuple[str, ...] = ()
    pretrained_speaker_dim: int = 192
    speaker_dim: int = 128
    text_expansion: str = "segments"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> "SyncVoiceConfig":
        """Build from plain JSON values."""
        values = dict(values)
        values["backbone"] = ZipVoiceConfig.of(values["backbone"])
        values["speaker_branches"] = tuple(values.get("speaker_branches", ()))
        return cls(**values)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "backbone": self.backbone.as_dict(),
            "visual_dims": dict(self.visual_dims),
            "adapter_dim": self.adapter_dim,
            "speaker_branches": list(self.speaker_branches),
            "pretrained_speaker_dim": self.pretrained_speaker_dim,
            "speaker_dim": self.speaker_dim,
            "text_expansion": self.text_expansion,
        }


@dataclass
class Script:
    """What is said, by whom, over which frames, for a batch of clips.

    Attributes:
        tokens: token ids of context and target joined.
        segments: per clip (tokens, frames) of context (may be (0, 0)) and target.
        visual: per condition features of the targets (B, N max, dim) at 25 fps times `per_frame`, zero-padded.
        reference: mel features of the reference voice (B, R, feat_dim) and their lengths, for the speaker encoder.
        reference_lengths: (B,).
        reference_embedding: CAM++ embedding of the reference voice (B, pretrained_speaker_dim).
        keep_branches: see `DualSpeakerEncoder.forward`.
        parts: per clip, (tokens, frames) of the parts of the target over which its tokens are spread; None: one part.
        seen: frames at 25 fps of the targets in which a face is seen, bool (B, N max); None: all. The others hold the
            null vector, as a dropped condition does.
        spans: per clip, first frame and frame after the last of what is to be spoken, the rest is context; None: the
            whole target is.
        least: (tokens, frames) that the batch is padded to at least, so that many batches share few shapes: on CPUs
            oneDNN makes its programs anew for every shape.
        per_frame: visual features per video frame; 2 for films at 50 fps.
    """

    tokens: list[list[int]]
    segments: list[tuple[tuple[int, int], tuple[int, int]]]
    visual: Mapping[str, Tensor]
    reference: Tensor | None = None
    reference_lengths: Tensor | None = None
    reference_embedding: Tensor | None = None
    keep_branches: Mapping[str, Tensor] | None = None
    parts: list[tuple[tuple[int, int], ...]] | None = None
    seen: Tensor | None = None
    spans: list[tuple[int, int]] | None = None
    least: tuple[int, int] = (0, 0)
    per_frame: int = 1

    def to(self, device: torch.device) -> "Script":
        """Return the script with its tensors on a device."""
        return self._each_tensor(lambda part: part.to(device, non_blocking=device.type == "cuda"))

    def pin_memory(self) -> "Script":
        """Return the script with its tensors in memory that a graphics card copies from without waiting."""
        return self._each_tensor(Tensor.pin_memory)

    def _each_tensor(self, change: Callable[[Tensor], Tensor]) -> "Script":
        """Return the script with every tensor changed, and all else as it is."""

        def changed(value: Any) -> Any:
            """Change a tensor, or those of a mapping."""
            if isinstance(value, Mapping):
                return {name: changed(part) for name, part in value.items()}
            return change(value) if isinstance(value, Tensor) else value

        return replace(self, **{part.name: changed(getattr(self, part.name)) for part in fields(self)})

    def lengths(self) -> list[int]:
        """Mel frames per clip, context included."""
        return [context[1] + target[1] for context, target in self.segments]

    def n_frames(self) -> int:
        """Mel frames of the batch, T: those of the longest clip, or more (see `least`)."""
        return max(self.least[1], *self.lengths())

    def context_lengths(self) -> list[int]:
        """Mel frames of the context per clip."""
        return [context[1] for context, _ in self.segments]


class SyncVoice(nn.Module):
    """ZipVoice with visual and speaker conditions."""

    def __init__(self, config: SyncVoiceConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = ZipVoice(config.backbone)
        width = config.backbone.feat_dim
        self.fusion = TextVisualFusion(config.visual_dims, config.adapter_dim, width) if config.visual_dims else None
        self.speaker = (
            DualSpeakerEncoder(config.speaker_branches, config.pretrained_speaker_dim, width,
                               config.backbone.time_embed_dim, config.speaker_dim)
            if config.speaker_branches else None
        )  # fmt: skip

    def text_condition(self, script: Script, expansion: str | None = None) -> Tensor:
        """z_t (B, T, feat_dim); `expansion` as `SyncVoiceConfig.text_expansion`, which None takes."""
        if (expansion or self.config.text_expansion) == "average":
            index = token_index_average([len(t) for t in script.tokens], script.lengths(), script.n_frames())
        elif script.parts is None:
            index = token_index_segments(script.segments, script.n_frames())
        else:
            cut = zip(script.segments, script.parts, strict=True)
            index = token_index_segments([(context, *parts) for (context, _), parts in cut], script.n_frames())
        return expand_text(self.backbone.encode_text(script.tokens, script.least[0]), index)

    def adapt_visual(self, script: Script) -> dict[str, Tensor]:
        """Adapted visual features placed on the target's frames, per condition (B, T, feat_dim)."""
        if self.fusion is None or not script.visual:
            return {}
        device = self.backbone.embed.weight.device
        longest = max(target[1] for _, target in script.segments)
        adapted = self.fusion.adapt(script.visual, longest, script.per_frame)
        start = torch.tensor(script.context_lengths(), device=device)[:, None]
        index = torch.arange(script.n_frames(), device=device)[None] - start
        index = index.clamp(0, longest - 1)[..., None]
        return {m: a.gather(1, index.expand(-1, -1, a.shape[-1])) for m, a in adapted.items()}

    def fuse(self, z_t: Tensor, adapted: Mapping[str, Tensor], script: Script, use: Mapping[str, Tensor]) -> Tensor:
        """z_tv.

        Args:
            z_t: (B, T, feat_dim).
            adapted: from `adapt_visual`.
            script: the clips.
            use: per condition, whether each clip uses it, bool (B,).

        Returns:
            z_tv (B, T, feat_dim).
        """
        if self.fusion is None:
            return z_t
        in_target = self.target_mask(script) & self.seen_mask(script)
        return self.fusion(z_t, adapted, {m: in_target & use[m][:, None] for m in adapted})

    def target_mask(self, script: Script) -> Tensor:
        """True on frames that are to be spoken, the target segment or its span, bool (B, T)."""
        spans = script.spans or list(zip(script.context_lengths(), script.lengths(), strict=True))
        start, end = torch.tensor(spans, device=self.backbone.embed.weight.device).T[..., None]
        frames = torch.arange(script.n_frames(), device=start.device)[None]
        return (frames >= start) & (frames < end)

    def seen_mask(self, script: Script) -> Tensor:
        """True on frames whose video frame shows a face, bool (B, T), or (B, 1) where all do."""
        if script.seen is None:
            return torch.ones(len(script.tokens), 1, dtype=torch.bool, device=self.backbone.embed.weight.device)
        device = script.seen.device
        start = torch.tensor(script.context_lengths(), device=device)[:, None]
        frames = torch.arange(script.n_frames(), device=device)[None] - start
        shown = (frames * (HOP * FPS)).div(SAMPLE_RATE, rounding_mode="floor")
        return script.seen.gather(1, shown.clamp(0, script.seen.shape[1] - 1))

    def embed_speaker(self, script: Script) -> Tensor | None:
        """e_g (B, time_embed_dim), or None without speaker encoder or reference."""
        if self.speaker is None or script.reference is None:
            return None
        assert script.reference_embedding is not None and script.reference_lengths is not None
        return self.speaker(
            script.reference_embedding, script.reference, script.reference_lengths, script.keep_branches
        )

    def condition_subsets(self, script: Script, scales: Scales, expansion: str | None) -> dict[tuple[str, ...], Tensor]:
        """z_tv of every condition subset that guidance needs; text encoder and adapters run once.

        Returns:
            {subset: (B, T, feat_dim)}.
        """
        z_t = self.text_condition(script, expansion)
        wanted = {c for subset in scales.subsets() for c in subset}
        visual = {m: f for m, f in script.visual.items() if m in wanted}
        adapted = self.adapt_visual(replace(script, visual=visual))
        fused: dict[tuple[str, ...], Tensor] = {}
        for subset in scales.subsets():
            if not subset:
                fused[subset] = torch.zeros_like(z_t)
                continue
            base = z_t if "text" in subset else torch.zeros_like(z_t)
            use = {m: torch.full((len(z_t),), m in subset, device=z_t.device) for m in adapted}
            fused[subset] = self.fuse(base, adapted, script, use)
        return fused

    def padding(self, script: Script) -> Tensor | None:
        """Padding mask (B, T), or None when all clips are equally long."""
        lengths = script.lengths()
        if min(lengths) == script.n_frames():
            return None
        return padding_mask(torch.tensor(lengths, device=self.backbone.embed.weight.device), script.n_frames())


def pad_stack(arrays: Sequence[Tensor]) -> Tensor:
    """Stack (T_i, C) tensors to (B, max T, C), zero-padded."""
    return nn.utils.rnn.pad_sequence(list(arrays), batch_first=True)


def pad_visual(features: Sequence[Tensor]) -> Tensor:
    """Stack (N_i, dim) features to (B, max N, dim); the last frame is held, as interpolation does for a single clip."""
    longest = max(len(f) for f in features)
    return torch.stack([torch.cat([f, f[-1:].expand(longest - len(f), -1)]) for f in features])
