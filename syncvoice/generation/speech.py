"""Speech of an experiment: one batch of work for all utterances of a task and all points of a sweep.

Known duration: the speech is exactly as long as the video. Noise of an utterance is drawn from (seed, utterance), so
rows of a table differ by their conditions, never by luck; batches are formed by length, so results depend on the list
of utterances and not on the machine's load.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.generation.settings import SampledSettings
from syncvoice.generation.vocode import decode
from syncvoice.generation.work import Row, Work
from syncvoice.model.guidance import Scales
from syncvoice.model.solver import Conditions, euler
from syncvoice.model.syncvoice import Script, SyncVoice, pad_stack, pad_visual
from syncvoice.model.vocoder import Vocoder
from syncvoice.seeding import generator, seed_of

BATCH_FRAMES = 2600  # mel frames per batch before guidance multiplies them; keeps memory under 2 GB


@dataclass(frozen=True)
class Voice:
    """A reference recording: tokens of its text, mel features (T, 100), CAM++ embedding (E,)."""

    tokens: list[int]
    mel: Tensor
    embedding: Tensor | None


@dataclass(frozen=True)
class Request:
    """One utterance to generate.

    Attributes:
        name: it is drawn by.
        tokens: of the text.
        voice: the reference.
        visual: per condition (per_frame * n_frames, dim).
        n_frames: length of the video at 25 fps.
        seed: of the noise.
        parts: (tokens, mel frames) over which the text is spread, in order; () spreads it over the whole.
        seen: video frames that show a face, bool (n_frames,); None: all. Elsewhere the text alone leads.
        frame_weights: per condition a weight of its guidance in every video frame (n_frames,); not named: 1.
        per_frame: visual features per video frame, the same for all requests of a batch.
    """

    name: str
    tokens: list[int]
    voice: Voice
    visual: Mapping[str, Tensor]
    n_frames: int
    seed: int
    parts: tuple[tuple[int, int], ...] = ()
    seen: Tensor | None = None
    frame_weights: Mapping[str, Tensor] = field(default_factory=dict)
    per_frame: int = 1


@dataclass(frozen=True)
class Sampling:
    """How speech is sampled from a model.

    Attributes:
        scales: guidance scales.
        num_steps, t_shift: Euler steps and time grid.
        temperature: standard deviation of the noise x_0. 1 is the prior that the model learned; less gives up variety
            for clearer words where a model is small or little trained (our choice, as Matcha-TTS and Glow-TTS do).
        voice: "context" (reference as context speech) or "speaker" (reference as speaker embedding).
        expansion: text expansion, "segments" or "average" (ZipVoice's rule); None: the one that the model learned with.
        candidate: which noise of an utterance is taken; 0 is its own, others are further candidates of the same speech.
    """

    scales: Scales
    num_steps: int = 8
    t_shift: float = 0.5
    temperature: float = 1.0
    voice: str = "context"
    expansion: str | None = None
    candidate: int = 0


def noise_of(request: Request, frames: int, width: int, candidate: int) -> Tensor:
    """Draw standard normal noise (frames, width) of an utterance, from (seed, candidate, name)."""
    seed = seed_of(request.seed, "candidate", candidate) if candidate else request.seed
    return torch.randn(frames, width, generator=generator(seed, request.name))


@torch.inference_mode()
def sample_mels(model: SyncVoice, requests: Sequence[Request], sampling: Sampling,
                on_step: Callable[[], None] | None = None) -> list[Tensor]:  # fmt: skip
    """Sample mel features of a batch.

    Returns:
        one (mel_frames(n_frames), 100) tensor per request, on the model's device.

    Raises:
        UserError: a scale asks for a condition that the model or the request does not have.
    """
    device = model.backbone.embed.weight.device
    script = script_of(model, requests, sampling).to(device)
    context = script.context_lengths()
    width = model.config.backbone.feat_dim
    x_0, speech = [], []
    for request, frames, start in zip(requests, script.lengths(), context, strict=True):
        x_0.append(sampling.temperature * noise_of(request, frames, width, sampling.candidate))
        voice = request.voice.mel if start else torch.zeros(0, width)
        speech.append(torch.cat([voice, torch.zeros(frames - start, width)]))
    conditions = Conditions(
        model.condition_subsets(script, sampling.scales, sampling.expansion), pad_stack(speech).to(device),
        model.embed_speaker(script) if sampling.voice == "speaker" else None, model.padding(script),
        weights_at_mel_rate(requests, context, max(script.lengths()), device),
    )  # fmt: skip
    start_point = pad_stack(x_0).to(device)  # drawn on the CPU: the same numbers on every device
    x_1 = euler(model.backbone, start_point, conditions, sampling.scales, sampling.num_steps, sampling.t_shift, on_step)
    return [x[start:frames] for x, start, frames in zip(x_1, context, script.lengths(), strict=True)]


def weights_at_mel_rate(requests: Sequence[Request], context: Sequence[int], longest: int,
                        device: torch.device) -> dict[str, Tensor]:  # fmt: skip
    """Weights of the conditions' guidance, 1 on context and padding: {condition: (B, longest)}."""
    weights = {}
    for condition in sorted({name for request in requests for name in request.frame_weights}):
        weights[condition] = torch.ones(len(requests), longest)
        for row, request, start in zip(weights[condition], requests, context, strict=True):
            if condition in request.frame_weights:
                shown = [clocks.video_frame_of_mel(f) for f in range(clocks.mel_frames(request.n_frames))]
                index = torch.tensor(shown).clamp(max=request.n_frames - 1)
                row[start : start + len(index)] = request.frame_weights[condition][index]
    return {condition: weight.to(device) for condition, weight in weights.items()}


def script_of(model: SyncVoice, requests: Sequence[Request], sampling: Sampling) -> Script:
    """Texts, segments and features of a batch of requests.

    Raises:
        UserError: see `sample_mels`.
    """
    wanted = [c for c in sampling.scales.active() if c != "text"]
    for condition in wanted:
        if condition not in model.config.visual_dims:
            raise UserError(
                f"scale of {condition} is {sampling.scales[condition]}, but the model has no {condition} branch "
                f"(it has: {', '.join(model.config.visual_dims) or 'none'}); set the scale to 0 or take another recipe"
            )
        lacking = [r.name for r in requests if condition not in r.visual]
        if lacking:
            raise UserError(f"utterance '{lacking[0]}' has no {condition} features, which scale {condition} needs")
    if sampling.voice == "speaker" and model.speaker is None:
        raise UserError("voice is 'speaker', but the model has no speaker encoder; set voice: context")
    context = sampling.voice == "context"
    tokens = [(r.voice.tokens if context else []) + r.tokens for r in requests]
    segments = [
        ((len(r.voice.tokens), len(r.voice.mel)) if context else (0, 0), (len(r.tokens), clocks.mel_frames(r.n_frames)))
        for r in requests
    ]
    visual = {m: pad_visual([r.visual[m] for r in requests]) for m in wanted}
    script = Script(tokens, segments, visual, per_frame=requests[0].per_frame)
    if any(r.parts for r in requests):
        script.parts = [r.parts or (target,) for r, (_, target) in zip(requests, segments, strict=True)]
    if any(r.seen is not None for r in requests):
        masks = [torch.ones(r.n_frames, dtype=torch.bool) if r.seen is None else r.seen for r in requests]
        script.seen = torch.nn.utils.rnn.pad_sequence(masks, batch_first=True)
    if not context:
        script.reference = pad_stack([r.voice.mel for r in requests])
        script.reference_lengths = torch.tensor([len(r.voice.mel) for r in requests])
        script.reference_embedding = torch.stack([embedding_of(r) for r in requests])
    return script


def embedding_of(request: Request) -> Tensor:
    """CAM++ embedding of a request's voice.

    Raises:
        UserError: there is none.
    """
    if request.voice.embedding is None:
        raise UserError(f"utterance '{request.name}' has no speaker embedding; run the features step for its reference")
    return request.voice.embedding


def batches_by_length(requests: Sequence[Request], context: bool) -> list[list[Request]]:
    """Group requests of like length; the order is fixed by length and name."""

    def frames(request: Request) -> int:
        """Mel frames of a sequence."""
        return clocks.mel_frames(request.n_frames) + (len(request.voice.mel) if context else 0)

    batches: list[list[Request]] = []
    for request in sorted(requests, key=lambda r: (frames(r), r.name)):
        if not batches or frames(request) * (len(batches[-1]) + 1) > BATCH_FRAMES:
            batches.append([])
        batches[-1].append(request)
    return batches


def synthesise(model: SyncVoice, vocoder: Vocoder, requests: Sequence[Request], sampling: Sampling,
               on_step: Callable[[], None] | None = None) -> Iterator[tuple[Request, np.ndarray, float]]:  # fmt: skip
    """Generate speech.

    Yields:
        (request, float32 sound of 960 * n_frames samples at 24 kHz, seconds of computing).
    """
    for batch in batches_by_length(requests, sampling.voice == "context"):
        began = time.perf_counter()
        mels = sample_mels(model, batch, sampling, on_step)
        sampled = (time.perf_counter() - began) / len(batch)
        for request, mel in zip(batch, mels, strict=True):
            began = time.perf_counter()
            sound = decode(vocoder, mel, request.n_frames)
            yield request, sound, sampled + time.perf_counter() - began


def speak_points(model: SyncVoice, settings: SampledSettings, requests: Sequence[Request],
                 points: Sequence[tuple[str, Sampling]], work: Work, failed: Sequence[Row]) -> list[Row]:  # fmt: skip
    """Speak all requests at every point of a row and write the WAV files.

    A batch whose sounds a killed job left is not spoken again; one that it left in part is, because the numbers of a
    sound depend on its batch in the last bits.

    Args:
        model: in evaluation mode; its estimator takes the settings' precision here.
        settings: of the row.
        requests: what can be spoken.
        points: (name, how to sample).
        work: where the sounds go, and what a killed job left there.
        failed: rows of what cannot be spoken.

    Returns:
        all rows, by point and utterance.
    """
    from tqdm import tqdm

    from syncvoice.device import resolve_device
    from syncvoice.fast.precision import prepare_for_sampling

    device = resolve_device()
    prepare_for_sampling(model.to(device).backbone, settings.precision)
    vocoder, rows = Vocoder.load(Path(settings.vocoder)).to(device).eval(), list(failed)
    with tqdm(total=len(points) * len(requests), desc=settings.experiment, unit="clip", mininterval=5.0) as bar:
        for point, sampling in points:
            for batch in batches_by_length(requests, sampling.voice == "context"):
                made = [work.made.get((request.name, point)) for request in batch]
                if not all(made):
                    spoken = synthesise(model, vocoder, batch, sampling)
                    made = [work.keep(request.name, point, sound) for request, sound, _ in spoken]
                rows += filter(None, made)
                bar.update(len(batch))
    return sorted(rows, key=lambda row: (str(row["point"]), str(row["utterance"])))
