"""The recording itself, as 24 kHz sound of the video's length.

Where a task dubs a translation, it is the recording of the same voice saying the translation, if the data set has one.
"""

from syncvoice import clocks
from syncvoice.audio import read_wav
from syncvoice.generation.work import Row, Work, failed, save
from syncvoice.records.clips import Clip, clips_of
from syncvoice.records.sound import sound_of
from syncvoice.records.tasks import Utterance
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
    """Copy the recording of every utterance; one whose text nobody recorded has failed."""
    clips = {clip.id: clip for clip in clips_of(work.manifest)}
    return [_copy(row, clips[row.clip], work) for row in work.utterances]


def _copy(row: Utterance, clip: Clip, work: Work) -> Row:
    """Copy the recording of the text of a row."""
    if row.text == clip.text:
        return save(work.out, row.utterance, "", sound_of(clip, clocks.SAMPLE_RATE))
    if clip.translation_audio is None:
        return failed(row.utterance, "", f"no recording of clip '{clip.id}' says {row.text!r}")
    return save(work.out, row.utterance, "", read_wav(clip.translation_audio, clocks.SAMPLE_RATE)[0])
