"""The recording itself, as 24 kHz sound of the video's length."""

from syncvoice import clocks
from syncvoice.generation.work import Row, Work, save
from syncvoice.records.clips import clips_of, sound_of
from syncvoice.section import Name, Section

NEEDS_RECIPE = False
USES_CARD = False
CLIP_FEATURES: tuple[str, ...] = ()
REFERENCE_FEATURES: tuple[str, ...] = ()


class Settings(Section):
    """Nothing decides a copy but the recording."""

    experiment: Name


def speak(settings: Settings, work: Work) -> list[Row]:
    """Copy the recording of every utterance."""
    clips = {clip.id: clip for clip in clips_of(work.manifest)}
    return [save(work.out, row.utterance, "", sound_of(clips[row.clip], clocks.SAMPLE_RATE)) for row in work.utterances]
