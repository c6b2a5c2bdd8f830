"""Speak the lines of a video with the code of the studies (`syncvoice.generation.speech`)."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from syncvoice import clocks
from syncvoice.dubbing.model import DubbingModel
from syncvoice.dubbing.script import Cue
from syncvoice.errors import UserError
from syncvoice.section import nearest

if TYPE_CHECKING:
    from torch import Tensor

    from syncvoice.generation.speech import Request, Voice
    from syncvoice.model.guidance import Scales

GUIDED_SCALE = 2.0  # of what the model sees, as in the study's rows M3 and M5
TRANSLATED = "zh"  # taken for a translation: the paper's translation rows leave the lips out
FADE_SECONDS = 0.01  # at the ends of a cue, which silence may follow


@dataclass(frozen=True)
class Sound:
    """How the speech is sampled.

    Attributes:
        steps: Euler steps.
        temperature: of the noise, 0 to 1; None takes what suits the model, see `DubbingModel.temperature`.
        scales: guidance scales by condition, "text" among them. One that is not named is 2 for whatever the model was
            trained to see, but 0 for the lips of Mandarin, which is taken for a translation (the paper's translation
            rows leave the lips out).
        seed: of the noise; same seed, machine and number of threads: same sound.
        precision: "auto", "fp32" or "bf16", see `syncvoice.device`.
    """

    steps: int = 8
    seed: int = 1
    scales: Mapping[str, float] = field(default_factory=dict)
    precision: str = "auto"
    temperature: float | None = None

    def check(self) -> None:
        """Refuse values that mean nothing.

        Raises:
            UserError: a scale is negative or not finite, the text is off, there is no step, or the temperature is
                not from 0 to 1.
        """
        for name, value in self.scales.items():
            if not 0 <= value < math.inf:
                raise UserError(f"scale of {name} is {value}, expected 0 (off) or more; 2 is usual")
        if self.scales.get("text") == 0:
            raise UserError("scale of text is 0, so nobody would hear the text; 2 is usual")
        if self.steps < 1:
            raise UserError(f"steps is {self.steps}, expected at least 1; 8 is usual")
        if self.temperature is not None and not 0 <= self.temperature <= 1:
            raise UserError(f"temperature is {self.temperature}, expected 0 to 1; leave it out for the model's own")

    def guidance(self, language: str, speaker: DubbingModel) -> "Scales":
        """Return the guidance scales for a language and a model.

        Raises:
            UserError: a condition is asked for that the model lacks.
        """
        from syncvoice.model.guidance import Rule, Scales

        usual = {"text": GUIDED_SCALE, **dict.fromkeys(speaker.model.config.visual_dims, GUIDED_SCALE)}
        if language == TRANSLATED and "lip" in usual:
            usual["lip"] = 0.0
        for condition, scale in self.scales.items():
            if scale and condition not in usual:
                raise UserError(
                    f"scale of {condition} is {scale:g}, but model {speaker.name} has no {condition} branch; "
                    f"{nearest(condition, usual)}"
                )
        scales = {**usual, **self.scales}
        until = Rule(until=1.0 if language == TRANSLATED else speaker.guided_until)
        return Scales(rules=dict.fromkeys(scales, until), **scales)


@dataclass
class Line:
    """A cue and what it is spoken from.

    Attributes:
        cue: text and time.
        tokens: ids of the text; [] stays silent.
        syllables_per_s: speech rate that the text needs.
        scales: guidance; without a usable face that of the text alone.
        visual: features per condition (n_frames, dim).
        seen: frames that show a face, bool (n_frames,); None: all. Elsewhere the text alone leads.
    """

    cue: Cue
    tokens: list[int]
    syllables_per_s: float
    scales: "Scales"
    visual: "Mapping[str, Tensor]" = field(default_factory=dict)
    seen: "Tensor | None" = None

    @property
    def says(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.tokens)

    def guided_by(self) -> tuple[str, ...]:
        """Conditions that lead the speech; () for silence."""
        return self.scales.active() if self.tokens else ()

    def without_face(self) -> None:
        """Leave the text as the only condition."""
        seen = [condition for condition in self.scales if condition != "text"]
        self.scales, self.visual, self.seen = self.scales.changed(**dict.fromkeys(seen, 0.0)), {}, None


Spoken = tuple[Line, dict[int, np.ndarray]]  # a line and its sounds by seed


def spoken(lines: Sequence[Line], speaker: DubbingModel, voices: Mapping[str, "Voice"], sound: Sound,
           seeds: Sequence[int], on_step: Callable[[int], None]) -> Iterator[Spoken]:  # fmt: skip
    """Yield lines with their sounds, (960 * n_frames,) float32 at 24 kHz, in the order of computing.

    Args:
        lines: that say something.
        speaker: the model; its estimator is made bfloat16 where that is faster, as in the studies.
        voices: by speaker of a cue; context speech if it has tokens, else speaker embedding.
        sound: how to sample.
        seeds: of the noise, one take for each; with several of them line after line is spoken.
        on_step: called after every Euler step with the number of all steps.
    """
    from syncvoice.device import resolve_device
    from syncvoice.fast.precision import prepare_for_sampling
    from syncvoice.generation.speech import Sampling, batches_by_length, synthesise
    from syncvoice.model.vocoder import Vocoder

    device = resolve_device()
    prepare_for_sampling(speaker.model.to(device).backbone, sound.precision)
    vocoder = Vocoder.load(speaker.weights["vocoder"]).to(device).eval()
    groups, named = _groups(lines, voices, seeds), {line.cue.name: line for line in lines}
    steps = sound.steps * sum(len(batches_by_length(group, kind == "context")) for (kind, *_), group in groups.items())
    takes: dict[str, dict[int, np.ndarray]] = {name: {} for name in named}
    temperature = speaker.temperature if sound.temperature is None else sound.temperature
    for (kind, scales, _), group in groups.items():
        sampling = Sampling(scales, sound.steps, temperature=temperature, voice=kind)
        for request, audio, _ in synthesise(speaker.model, vocoder, group, sampling, lambda: on_step(steps)):
            takes[request.name][request.seed] = audio
            if len(takes[request.name]) == len(seeds):
                made = takes.pop(request.name)
                yield named[request.name], {seed: made[seed] for seed in seeds}


def _groups(lines: Sequence[Line], voices: Mapping[str, "Voice"],
            seeds: Sequence[int]) -> "dict[tuple[str, Scales, str], list[Request]]":  # fmt: skip
    """Return requests that can be sampled together, by kind of voice, scales, and line if there are several takes."""
    from syncvoice.generation.speech import Request

    groups: dict[tuple[str, Scales, str], list[Request]] = {}
    for line in lines:
        voice, cue = voices[line.cue.speaker], line.cue
        kind = "context" if voice.tokens else "speaker"
        group = groups.setdefault((kind, line.scales, cue.name if len(seeds) > 1 else ""), [])
        group += [
            Request(cue.name, line.tokens, voice, line.visual, cue.n_frames, seed, seen=line.seen) for seed in seeds
        ]
    return groups


def placed(cues: Sequence[Cue], made: Mapping[str, np.ndarray], n_frames: int) -> np.ndarray:
    """Return silence of `n_frames` video frames with the sounds of the cues, named by cue, at their times.

    Raises:
        UserError: a sound is not finite.
    """
    speech = np.zeros(clocks.samples(n_frames), np.float32)
    for cue in cues:
        audio = made.get(cue.name)
        if audio is None:
            continue
        if not np.isfinite(audio).all():
            raise UserError(f"{cue.where()}: the generated sound is not finite; lower the scales or take another model")
        speech[clocks.samples(cue.start) : clocks.samples(cue.stop)] = (
            audio if cue.n_frames == n_frames else faded(audio)
        )
    return speech


def faded(audio: np.ndarray) -> np.ndarray:
    """Fade both ends of (samples,), so that silence beside them makes no click."""
    ramp = np.linspace(0, 1, round(FADE_SECONDS * clocks.SAMPLE_RATE), dtype=np.float32)
    audio = audio.copy()
    audio[: len(ramp)] *= ramp
    audio[-len(ramp) :] *= ramp[::-1]
    return audio
