"""Reference recordings made worse on purpose: shorter, longer, noisy, or another recording under the same id.

Our choice throughout, for the study `questions`. A treated split holds a copy of every recording of its source split
under the same ids, so a task's references are found in it; scores still compare with the untreated ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import Field

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.records.clips import Clip
from syncvoice.records.sound import sound_of
from syncvoice.section import Name, Section
from syncvoice.seeding import rng

SILENCE = "_"  # in the word times of MiniDub
FRAME = clocks.samples(1)


class ReferenceTreatment(Section):
    """What is done to the recordings of a split, in this order.

    Attributes:
        dataset, split: of the recordings.
        recording: which one stands under an id: its own, another clip of the voice in the same or in another language,
            or one of another voice, of the other sex.
        seconds: length, from where speech begins; the voice's other recordings follow where one is too short, those of
            the same language first. None: the recording as it is.
        snr_db: level of the recording over that of added noise with its spectrum. None: no noise.
    """

    dataset: Name
    split: Name
    recording: Literal["own", "other_clip", "other_language", "other_sex"] = "own"
    seconds: float | None = Field(default=None, gt=0)
    snr_db: float | None = None


class ReferenceTreatmentJob(ReferenceTreatment):
    """A treated split to make; `seed` decides the noise and which other recording is taken."""

    name: Name
    seed: int = Field(ge=0)


@dataclass(frozen=True)
class Treated:
    """A treated recording: the clip whose id it takes, its sound (960 n_frames,) at 24 kHz, what is said, in what."""

    clip: Clip
    sound: np.ndarray
    text: str
    language: str


def treat(clip: Clip, clips: Sequence[Clip], job: ReferenceTreatmentJob) -> Treated:
    """Treat one recording.

    Args:
        clip: whose id the result takes.
        clips: all recordings of the split.
        job: what to do.

    Raises:
        UserError: there is no recording of the wanted kind.
    """
    source = chosen(clip, clips, job)
    sound, text = sound_of(source, clocks.SAMPLE_RATE), source.text
    if job.seconds is not None:
        sound, text = of_length(source, clips, round(job.seconds * clocks.FPS))
    if job.snr_db is not None:
        sound = with_noise(sound, job.snr_db, rng(job.seed, "reference noise", clip.id))
    return Treated(clip, sound, text, source.language)


def chosen(clip: Clip, clips: Sequence[Clip], job: ReferenceTreatmentJob) -> Clip:
    """Return the recording that stands under the id of `clip`, by seed and id alone.

    Raises:
        UserError: there is none.
    """
    fits = {
        "own": lambda other: other.id == clip.id,
        "other_clip": lambda other: (other.speaker, other.language) == (clip.speaker, clip.language),
        "other_language": lambda other: other.speaker == clip.speaker and other.language != clip.language,
        "other_sex": lambda other: other.sex != clip.sex and other.language == clip.language,
    }[job.recording]
    found = sorted((one for one in clips if fits(one)), key=lambda one: one.id)
    found = found if job.recording == "own" else [one for one in found if one.id != clip.id]
    if not found:
        raise UserError(f"reference '{clip.id}' of speaker '{clip.speaker}' has no recording of kind {job.recording}")
    return found[int(rng(job.seed, "treated reference", job.recording, clip.id).integers(len(found)))]


def of_length(clip: Clip, clips: Sequence[Clip], frames: int) -> tuple[np.ndarray, str]:
    """Return the first `frames` video frames of a voice's speech and what is said in them.

    Silence before the first word of every recording is left out. A voice that has less than that gives all it has.

    Returns:
        sound (960 n_frames,) at 24 kHz, text.
    """
    others = [other for other in clips if other.speaker == clip.speaker and other.id != clip.id]
    ordered = [clip, *sorted(others, key=lambda other: (other.language != clip.language, other.id))]
    sounds: list[np.ndarray] = []
    said: list[str] = []
    for part in ordered:
        missing = frames - sum(map(len, sounds)) // FRAME
        if missing <= 0:
            break
        start = _first_frame(part)
        sound = sound_of(part, clocks.SAMPLE_RATE)[start * FRAME :][: missing * FRAME]
        sounds.append(sound)
        said.append(words_before(part, (start * FRAME + len(sound)) / clocks.SAMPLE_RATE))
    return np.concatenate(sounds), " ".join(said)


def words_before(clip: Clip, end_s: float) -> str:
    """Return the words of which more than half is spoken before a time, at least the first; all without word times."""
    spoken = [word for word in clip.words if word[0] != SILENCE]
    kept = [symbol for symbol, start, end in spoken if (start + end) / 2 < end_s]
    if len(kept) == len(spoken):
        return clip.text
    return ("" if clip.language == "zh" else " ").join(kept or [spoken[0][0]])


def _first_frame(clip: Clip) -> int:
    """Return the video frame in which the first word begins; 0 without word times."""
    starts = [start for symbol, start, _ in clip.words if symbol != SILENCE]
    return int(min(starts, default=0.0) * clocks.FPS)


def with_noise(sound: np.ndarray, snr_db: float, random: np.random.Generator) -> np.ndarray:
    """Add noise of the same magnitude spectrum with random phases; what would clip is turned down, noise and all.

    Args:
        sound: (samples,) float32.
        snr_db: root mean square of the sound over that of the noise, in decibels.
        random: draws the phases.

    Returns:
        (samples,) float32 within -1 to 1.
    """
    spectrum = np.fft.rfft(sound)
    phases = np.exp(2j * np.pi * random.random(len(spectrum)))
    noise = np.fft.irfft(np.abs(spectrum) * phases, len(sound))
    level = np.sqrt(np.mean(sound.astype(np.float64) ** 2) / np.mean(noise**2)) * 10 ** (-snr_db / 20)
    mixed = sound + level * noise
    return np.asarray(mixed / max(1.0, np.abs(mixed).max()), np.float32)
