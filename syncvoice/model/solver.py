"""Euler solver of the flow with multi-condition guidance; all condition subsets of a step run as one batch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from syncvoice.model.guidance import Scales, combine, drops_voice
from syncvoice.model.zipvoice import ZipVoice


def time_grid(num_steps: int, t_shift: float) -> Tensor:
    """Flow times 0 .. 1, (num_steps + 1,): t = s τ / (1 + (s − 1) τ) with τ evenly spaced."""
    tau = torch.linspace(0, 1, num_steps + 1)
    return t_shift * tau / (1 + (t_shift - 1) * tau)


@dataclass
class Conditions:
    """What the estimator is conditioned on, for a batch of clips.

    Attributes:
        fused: z_tv per condition subset, e.g. {(): zeros, ("text",): ..., ("text", "lip"): ...}, each (B, T, C).
        speech: speech condition (B, T, C): features of the reference voice, then zeros.
        speaker: e_g (B, time_embed_dim) or None.
        padding: (B, T), True on padded frames, or None.
        frame_weights: per condition a weight of every frame's guidance (B, T); one that is not named has 1.
    """

    fused: Mapping[tuple[str, ...], Tensor]
    speech: Tensor
    speaker: Tensor | None = None
    padding: Tensor | None = None
    frame_weights: Mapping[str, Tensor] = field(default_factory=dict)


def guided_velocity(model: ZipVoice, x_t: Tensor, t: float, conditions: Conditions, scales: Scales) -> Tensor:
    """Velocity at flow time t under guidance: one estimator call for all subsets that count then.

    Returns:
        v: (B, T, C).
    """
    subsets = scales.subsets(t)
    n = len(subsets)
    text = torch.cat([conditions.fused[subset] for subset in subsets])
    speech = conditions.speech.repeat(n, 1, 1)
    time_emb = model.fm_decoder.embed_time(torch.full((len(x_t),), t, device=x_t.device)).repeat(n, 1)
    if conditions.speaker is not None:
        time_emb = time_emb + conditions.speaker.repeat(n, 1)
    if not subsets[0] and drops_voice(t):  # only ∅, the first block of the batch, drops the voice
        batch = len(x_t)
        speech = torch.cat([torch.zeros_like(speech[:batch]), speech[batch:]])
        if conditions.speaker is not None:
            time_emb = torch.cat([time_emb[:batch] - conditions.speaker, time_emb[batch:]])
    padding = None if conditions.padding is None else conditions.padding.repeat(n, 1)
    v = model.velocity(x_t.repeat(n, 1, 1), text, speech, time_emb, padding, t=t)
    return combine(list(v.chunk(n)), scales, t, conditions.frame_weights)


def euler(model: ZipVoice, x_0: Tensor, conditions: Conditions, scales: Scales, num_steps: int, t_shift: float,
          on_step: Callable[[], None] | None = None) -> Tensor:  # fmt: skip
    """Integrate the flow from noise to features.

    Args:
        x_0: noise (B, T, C).
        num_steps: Euler steps.
        t_shift: below 1 puts more steps near t = 0.
        on_step: called after every step (progress bars).

    Returns:
        x_1: (B, T, C).
    """
    times = time_grid(num_steps, t_shift).tolist()
    x = x_0
    for t, t_next in zip(times[:-1], times[1:], strict=True):
        x = x + guided_velocity(model, x, t, conditions, scales) * (t_next - t)
        if on_step is not None:
            on_step()
    return x


def euler_distilled(model: ZipVoice, x_0: Tensor, z_t: Tensor, speech: Tensor, guidance_scale: float, num_steps: int,
                    t_shift: float, padding: Tensor | None = None) -> Tensor:  # fmt: skip
    """Integrate the flow of a distilled model: guidance is an input of the estimator, one pass per step, no time rule.

    Args:
        model: a ZipVoice with `guidance_scale_embed`.
        x_0: noise (B, T, C).
        z_t: text condition (B, T, C).
        speech: speech condition (B, T, C).
        guidance_scale: ZipVoice's g, the scale that the student has learned to imitate.
        num_steps, t_shift: Euler steps (4 to 8) and time grid.
        padding: (B, T), True on padded frames, or None.

    Returns:
        x_1: (B, T, C).
    """
    times = time_grid(num_steps, t_shift).tolist()
    g = torch.full((len(x_0),), guidance_scale, device=x_0.device)
    x = x_0
    for t, t_next in zip(times[:-1], times[1:], strict=True):
        time_emb = model.fm_decoder.embed_time(torch.full_like(g, t), g)
        x = x + model.velocity(x, z_t, speech, time_emb, padding) * (t_next - t)
    return x
