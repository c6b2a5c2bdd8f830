"""A public TTS model speaks at the times that the lips tell; of a translation, at those of the mouth's phrases."""

from pathlib import Path
from typing import TYPE_CHECKING

from syncvoice.generation.mouths import face_of
from syncvoice.generation.timed import TtsSettings, speak_all
from syncvoice.generation.work import Row, Work
from syncvoice.records.clips import Clip
from syncvoice.records.tasks import Utterance

if TYPE_CHECKING:
    from syncvoice.timed_speech.script import ScriptWord
    from syncvoice.timed_speech.speaking import NaturalSpeaker, Spoken

NEEDS_RECIPE = False
USES_CARD = False
CLIP_FEATURES: tuple[str, ...] = ()
REFERENCE_FEATURES: tuple[str, ...] = ()


class Settings(TtsSettings):
    """The TTS model, its voices and the lip timing networks."""

    lip_timing: str


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak every utterance at times of its video; the clip's sound gives nothing but its level.

    Raises:
        UserError: weights are missing, or a clip has no tracked face.
    """
    from syncvoice.lip_timing.network import LipReader
    from syncvoice.timed_speech.fitting import word_spans

    reader = LipReader.load(Path(settings.lip_timing))

    def say(script: "list[ScriptWord]", speaker: "NaturalSpeaker", clip: Clip, row: Utterance) -> "Spoken":
        """Speak one clip."""
        follow = "lips" if (row.text, row.language) == (clip.text, clip.language) else "mouth"
        placed = word_spans(reader, face_of(clip), row.n_frames, script, speaker, follow)
        return speaker.speak(script, placed.spans, row.n_frames)

    return speak_all(settings, work, say)
