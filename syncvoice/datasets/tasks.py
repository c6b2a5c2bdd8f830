"""Making of dubbing tasks: which clips are dubbed, with which text, in whose voice. `records.tasks` keeps them."""

import logging
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from syncvoice.errors import UserError
from syncvoice.records.clips import Clip
from syncvoice.records.tasks import Utterance
from syncvoice.section import Section
from syncvoice.seeding import rng

log = logging.getLogger(__name__)


Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]  # ISO 639


class TaskSettings(Section):
    """What decides the utterances of a task.

    Attributes:
        language: of the speech to generate.
        text: "own" (what the clip says) or "translation".
        clips: at most this many, None takes all.
        voice_of: "same_speaker", "target" (the recording of the clip itself) or "other_speaker".
    """

    language: Language
    text: Literal["own", "translation"]
    clips: int | None = Field(default=None, ge=1)
    voice_of: Literal["same_speaker", "target", "other_speaker"] = "same_speaker"


class TaskJob(TaskSettings):
    """A task to list; `seed` decides which reference each utterance gets, and which clips `clips` keeps."""

    seed: int = Field(ge=0)


def make_task(clips: Sequence[Clip], references: Sequence[Clip], job: TaskJob) -> list[Utterance]:
    """Return the utterances of a task, sorted by name.

    Args:
        clips: the videos.
        references: recordings of the voices.
        job: which of them, and in whose voice; references are chosen by seed and clip alone.

    Raises:
        UserError: no clip fits the task.
    """
    language, text, seed, limit = job.language, job.text, job.seed, job.clips
    spoken = {clip.id: clip.text if text == "own" else clip.translation_text for clip in clips}
    fitting = [clip for clip in clips if spoken[clip.id] and (text == "translation" or clip.language == language)]
    if len(fitting) < len(clips):
        log.info("%d of %d clips have no %s text in '%s'", len(clips) - len(fitting), len(clips), text, language)
    if not clips:
        raise UserError(
            "the split to dub holds no usable clip; its excluded.csv (results/STUDY/manifests/DATASET/SPLIT) says why, "
            "clip by clip"
        )
    if not fitting:
        raise UserError(
            f"none of {len(clips)} clips has an {text} text in language '{language}'; check the task's split, text and "
            "language, and excluded.csv of the split"
        )
    ordered = sorted(some_of(fitting, seed, limit), key=lambda clip: clip.id)
    choose = {"target": choose_own, "other_speaker": choose_other_speaker}.get(job.voice_of, choose_reference)
    return [_utterance(clip, spoken[clip.id], language, choose(clip, references, seed)) for clip in ordered]


def some_of(clips: Sequence[Clip], seed: int, limit: int | None) -> list[Clip]:
    """Return `limit` of the clips (None: all), chosen by seed and id alone."""
    if limit is None or limit >= len(clips):
        return list(clips)
    return sorted(clips, key=lambda clip: rng(seed, "clips", clip.id).random())[:limit]


def choose_reference(clip: Clip, references: Sequence[Clip], seed: int) -> Clip | None:
    """Choose the recording that gives the voice: the one that the clip names, else one of the same speaker.

    Never the clip itself nor its text. Recordings in the clip's own language are preferred; the choice depends on the
    seed and the clip's id alone.
    """
    if clip.reference:
        named = next((other for other in references if other.id == clip.reference), None)
        if named is None:
            log.warning("%s: its reference '%s' is not in the reference split or excluded", clip.id, clip.reference)
        return named
    same = [other for other in references if other.speaker == clip.speaker and other.id != clip.id]
    other_text = [other for other in same if other.text != clip.text]
    own_language = [other for other in other_text if other.language == clip.language]
    candidates = sorted(own_language or other_text, key=lambda other: other.id)
    if not candidates:
        log.warning("%s: no other recording of speaker '%s'; the utterance has no reference", clip.id, clip.speaker)
        return None
    return candidates[int(rng(seed, "reference", clip.id).integers(len(candidates)))]


def choose_own(clip: Clip, references: Sequence[Clip], seed: int) -> Clip | None:
    """Choose the recording that the clip names, else its own."""
    return choose_reference(clip, references, seed) if clip.reference else clip


def choose_other_speaker(clip: Clip, references: Sequence[Clip], seed: int) -> Clip | None:
    """Choose a recording of another speaker that does not speak the clip's text."""
    others = [other for other in references if other.speaker != clip.speaker and other.text != clip.text]
    candidates = sorted(others, key=lambda other: other.id)
    if not candidates:
        log.warning("%s: no recording of another speaker; the utterance has no reference", clip.id)
        return None
    return candidates[int(rng(seed, "other speaker", clip.id).integers(len(candidates)))]


def _utterance(clip: Clip, text: str, language: str, reference: Clip | None) -> Utterance:
    """Return the row of a clip."""
    return Utterance(
        utterance=clip.id,
        clip=clip.id,
        split=clip.split,
        dataset=clip.dataset,
        text=text,
        language=language,
        speaker=clip.speaker,
        sex=clip.sex,
        voice_seen=clip.voice_seen,
        source=clip.source,
        reference=reference.id if reference else "",
        reference_split=reference.split if reference else "",
        reference_text=reference.text if reference else "",
        reference_language=reference.language if reference else "",
        n_frames=clip.n_frames,
    )
