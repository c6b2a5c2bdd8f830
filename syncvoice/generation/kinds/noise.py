"""White noise as loud as the recording: what chance looks like."""

import numpy as np

from syncvoice import clocks
from syncvoice.generation.work import Row, Work, save
from syncvoice.records.clips import Clip, clips_of
from syncvoice.records.sound import sound_of
from syncvoice.section import Name, Section
from syncvoice.seeding import rng

NEEDS_RECIPE = False
USES_CARD = False
CLIP_FEATURES: tuple[str, ...] = ()
REFERENCE_FEATURES: tuple[str, ...] = ()


class Settings(Section):
    """Noise depends on seed and clip."""

    experiment: Name
    seed: int


def speak(settings: Settings, work: Work) -> list[Row]:
    """Make noise for every utterance."""
    clips = {clip.id: clip for clip in clips_of(work.manifest)}
    return [save(work.out, row.utterance, "", noise_of(clips[row.clip], settings.seed)) for row in work.utterances]


def noise_of(clip: Clip, seed: int) -> np.ndarray:
    """Return noise (960 n_frames,) of the same root mean square as the clip's recording."""
    audio = sound_of(clip, clocks.SAMPLE_RATE)
    noise = rng(seed, "noise", clip.id).standard_normal(len(audio)).astype(np.float32)
    return noise * float(np.sqrt(np.mean(audio**2)))
