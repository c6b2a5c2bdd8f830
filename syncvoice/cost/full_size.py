"""Operations of the paper's sizes, counted on networks without values (device `meta`): nothing is loaded or computed.

Sizes are those of the public weights: ZipVoice's base configuration, CAM++, Vocos; front-ends as the full recipes see
them: the lip-reading ResNet-18 (512 values) and EmoNet (256). Speech lasts as long as in the measurement beside.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from syncvoice import clocks
from syncvoice.cost.parts import (
    BRANCHES,
    FRONT_END,
    LEARNABLE,
    PRETRAINED,
    ROW,
    TEXT,
    VOCODER,
    branch_scales,
    counted,
    counted_steps,
    parameters_of,
)

DIMS = {"lip": 512, "face": 256}
ADAPTER = 128  # of the full recipes
CROP, FACE = 88, 256  # pixels that the front-ends take


@dataclass(frozen=True)
class Spoken:
    """What is said in the measured clip: video frames, tokens of the text; mel frames, tokens of the reference."""

    n_frames: int
    tokens: int
    reference_frames: int
    reference_tokens: int


@dataclass(frozen=True)
class Counted:
    """Operations per second of speech, and parameters."""

    flop_per_s: float
    parameters: int


def full_size(part: str, spoken: Spoken, row: Any) -> Counted | None:
    """Count a part at the public sizes; None where it has no network there.

    Args:
        part: as in `cost.parts`.
        spoken: the clip.
        row: settings of the measured row (`kinds.model.Settings`): its scales, voice and steps.
    """
    if part == PRETRAINED:
        found: tuple[int, int] | None = _camplus(spoken)
    elif part == VOCODER:
        found = _vocoder(spoken)
    elif part.startswith(FRONT_END):
        found = _front_end(part.removeprefix(FRONT_END), spoken)
    elif part in (LEARNABLE, TEXT) or part.startswith((BRANCHES, ROW)):
        found = _model(part, spoken, row)
    else:
        return None
    return found and Counted(found[0] / (spoken.n_frames / clocks.FPS), found[1])


def _without_values(make: Callable[..., Any], *arguments: Any) -> Any:
    """Build a network whose tensors have shapes and no values."""
    import torch

    with torch.device("meta"):
        return make(*arguments).eval()


def _shape(*sizes: int) -> Any:
    """An input of which only the shape is known."""
    import torch

    return torch.zeros(sizes, device="meta")


def _camplus(spoken: Spoken) -> tuple[int, int]:
    """CAM++ on the reference: its filter bank has a frame every 10 ms."""
    from syncvoice.networks.camplus import CAMPPlus

    encoder = _without_values(CAMPPlus)
    frames = round(spoken.reference_frames * clocks.HOP / clocks.SAMPLE_RATE * 100)
    return counted(lambda: encoder(_shape(1, frames, 80))), parameters_of(encoder)


def _vocoder(spoken: Spoken) -> tuple[int, int]:
    """Vocos without its inverse Fourier transform, which no counter counts at either size."""
    from syncvoice.model.vocoder import Vocoder

    vocoder = _without_values(Vocoder)
    mel = _shape(1, 100, clocks.mel_frames(spoken.n_frames))
    return counted(lambda: vocoder.head.polar(vocoder.backbone(mel))), parameters_of(vocoder)


def _front_end(condition: str, spoken: Spoken) -> tuple[int, int] | None:
    """The network that the full recipes see a condition through."""
    from syncvoice.networks.emonet import EmoNet
    from syncvoice.networks.lip_frontend import LipFrontEnd

    if condition == "lip":
        lips = _without_values(LipFrontEnd)
        return counted(lambda: lips(_shape(1, 1, spoken.n_frames, CROP, CROP))), parameters_of(lips)
    if condition == "face":
        face = _without_values(EmoNet)
        one = counted(lambda: face(_shape(1, 3, FACE, FACE)))
        return one * spoken.n_frames, parameters_of(face)
    return None


def _model(part: str, spoken: Spoken, row: Any) -> tuple[int, int]:
    """A part of SyncVoice."""
    import torch

    from syncvoice.generation.speech import Request, Sampling, Voice, sample_mels, script_of
    from syncvoice.model.syncvoice import SyncVoice, SyncVoiceConfig

    guiding = {name: DIMS.get(name, min(DIMS.values())) for name in row.scales if name != "text"}
    config = SyncVoiceConfig(visual_dims=guiding, adapter_dim=ADAPTER, speaker_branches=("pretrained", "learnable"))
    model = _without_values(SyncVoice, config)
    reference = torch.zeros(spoken.reference_frames, 100)
    voice = Voice([1] * spoken.reference_tokens, reference, torch.zeros(config.pretrained_speaker_dim))
    visual = {name: torch.zeros(spoken.n_frames, dim) for name, dim in guiding.items()}
    request = Request("clip", [1] * spoken.tokens, voice, visual, spoken.n_frames, seed=0)
    sampling: Sampling = row.sampling()
    if part in (LEARNABLE, TEXT):
        script = script_of(model, [request], sampling if part == TEXT else replace(sampling, voice="speaker"))
        script = script.to(torch.device("meta"))
        if part == TEXT:
            text = parameters_of(model.backbone.text_encoder) + (parameters_of(model.fusion) if model.fusion else 0)
            return counted(lambda: model.condition_subsets(script, sampling.scales, None)), text
        return counted(lambda: model.embed_speaker(script)), parameters_of(model.speaker)
    if part.startswith(BRANCHES):
        sampling = replace(sampling, scales=branch_scales(int(part.removeprefix(BRANCHES)), row.guidance()))
    total = counted_steps(lambda steps: sample_mels(model, [request], replace(sampling, num_steps=steps)), row.steps)
    parameters = parameters_of(model)
    if part.startswith(ROW):
        sound, more = _vocoder(spoken)
        total, parameters = total + sound, parameters + more
    return total, parameters
