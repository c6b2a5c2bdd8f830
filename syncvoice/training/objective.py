"""The training objective: masked flow matching on the target, with random condition masking.

Condition masking (our choice of rates, in the recipe), independent per clip: whole z_tv, each visual condition; and
context speech or speaker embedding, never both. A clip whose context speech is dropped is built without context segment
by the data pipeline, as at inference from the speaker embedding. Where a recipe takes context from the clip itself
(`context.kind: span`), a dropped context is a span that covers the whole clip; frames outside the span hold no video
(our choice: at inference the context has none).

Random numbers: the draws of text, lip and face come first in the step's stream, whether they are seen or not; any
further condition has a stream of its own that the step's seed and its name decide. So a model that sees one condition
more meets the same masks, times and noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from syncvoice.model.fusion import PAPER
from syncvoice.model.syncvoice import Script, SyncVoice
from syncvoice.seeding import generator


@dataclass
class Batch:
    """A training batch.

    Attributes:
        clip_ids: names, for error messages.
        script: texts, segments, visual features, references.
        features: x_1 (B, T, feat_dim), context then target, zero-padded.
        use_speaker: whether the speaker embedding is kept, bool (B,).
        part: which of the step's `parts` this batch is; a step is one batch unless gradients are accumulated.
        share: factor that makes the mean of the parts' losses the loss of the whole step.
    """

    clip_ids: list[str]
    script: Script
    features: Tensor
    use_speaker: Tensor
    part: int = 0
    parts: int = 1
    share: float = 1.0

    def pin_memory(self) -> "Batch":
        """Return the batch in memory that a graphics card copies from without waiting."""
        script, features, use_speaker = (part.pin_memory() for part in (self.script, self.features, self.use_speaker))
        return replace(self, script=script, features=features, use_speaker=use_speaker)

    def seed_keys(self, step: int) -> tuple[object, ...]:
        """What the random numbers of this batch depend on beside the recipe's seed."""
        return ("step", step) if self.parts == 1 else ("step", step, "part", self.part)


@dataclass
class Prediction:
    """Velocity, its target, the frames that count, and the flow times: (B, T, C), (B, T, C), bool (B, T), (B,)."""

    v: Tensor
    u: Tensor
    mask: Tensor
    t: Tensor

    def loss(self, time_weight: str = "uniform") -> Tensor:
        """Mean squared error over the frames that are to be spoken and channels.

        Args:
            time_weight: "uniform" (the flow-matching loss), or "noise_share": a clip counts with 1 - t, about the
                inverse of its size at flow time t (our choice). Unweighted, the loss comes mostly from t near 1, where
                the target is noise that nothing predicts, and what text, voice and video tell is learned slowly.
        """
        error = (self.v.float() - self.u).square().mean(dim=-1)
        mask = self.mask if time_weight == "uniform" else self.mask * (1 - self.t)[:, None]
        return (error * mask).sum() / mask.sum()


def predict(model: SyncVoice, batch: Batch, masks: Mapping[str, float], expansion: str | None = None,
            t: Tensor | None = None, keep: list[Tensor] | None = None) -> Prediction:  # fmt: skip
    """Run the model on a noised batch.

    Args:
        model: in training mode.
        batch: the clips.
        masks: rate of hiding per condition, "text" = the whole z_tv; a condition that is not named is never hidden.
        expansion: rule of text expansion, None: the model's own.
        t: flow times (B,); uniform random when None.
        keep: collects the stacks' outputs.

    Returns:
        prediction and target velocity x_1 − x_0.
    """
    script, x_1 = batch.script, batch.features
    size, device = len(x_1), x_1.device
    # Drawn on the CPU: the same numbers on every device.
    drop = {name: mask.to(device) for name, mask in hidden(size, masks).items()}
    t = (torch.rand(size) if t is None else t).to(device)
    x_0 = torch.randn(x_1.shape, dtype=x_1.dtype).to(device)
    x_t = t[:, None, None] * x_1 + (1 - t[:, None, None]) * x_0
    target = model.target_mask(script)
    adapted = model.adapt_visual(script)
    use = {m: ~drop[m] if m in drop else torch.ones(size, dtype=torch.bool, device=device) for m in adapted}
    z_tv = model.fuse(model.text_condition(script, expansion), adapted, script, use)
    z_tv = z_tv * (~drop["text"]).to(z_tv.dtype)[:, None, None]
    speech = x_1.masked_fill(target[..., None], 0.0)
    time_emb = model.backbone.fm_decoder.embed_time(t)
    e_g = model.embed_speaker(script)
    if e_g is not None:
        time_emb = time_emb + e_g * batch.use_speaker[:, None]
    v = model.backbone.velocity(x_t, z_tv, speech, time_emb, model.padding(script), keep, t)
    return Prediction(v, x_1 - x_0, target, t)


def hidden(size: int, masks: Mapping[str, float]) -> dict[str, Tensor]:
    """Draw per condition which of `size` clips lose it, bool (size,); see the module's text for the order of draws."""
    first = ("text", *PAPER)
    drop = {name: torch.rand(size) < masks.get(name, 0.0) for name in first}
    for name in sorted(set(masks) - set(first)):
        own = generator(torch.initial_seed(), "mask", name)
        drop[name] = torch.rand(size, generator=own) < masks[name]
    return drop
