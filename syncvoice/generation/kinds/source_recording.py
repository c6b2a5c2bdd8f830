"""The clip's own sound, whatever the row's text: in a translation task, what speaks the language of the video.

A positive control: measures of what bleeds from the video into a dub must show it at its highest.
"""

from syncvoice import clocks
from syncvoice.generation.work import Row, Work, save
from syncvoice.records.clips import clips_of
from syncvoice.records.sound import sound_of
from syncvoice.section import Name, Section

NEEDS_RECIPE = False
ORIGINAL = True  # nothing here is made by a machine
USES_CARD = False
CLIP_FEATURES: tuple[str, ...] = ()
REFERENCE_FEATURES: tuple[str, ...] = ()


class Settings(Section):
    """Nothing decides a copy but the recording."""

    experiment: Name


def speak(settings: Settings, work: Work) -> list[Row]:
    """Copy the own sound of every utterance's clip."""
    clips = {clip.id: clip for clip in clips_of(work.manifest)}
    return [save(work.out, row.utterance, "", sound_of(clips[row.clip], clocks.SAMPLE_RATE)) for row in work.utterances]
