"""Rows that a public TTS model speaks: what the users of dubbing tools take instead of a model such as SyncVoice.

One stock voice per sex speaks, none of those that speak in MiniDub, so that rows differ in timing only. A person's dub
(`syncvoice dub`) takes the nearest voice; here it would be chosen by a network that also scores.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.generation.work import Row, Work, failed
from syncvoice.records.clips import Clip, clips_of
from syncvoice.records.sound import sound_of
from syncvoice.records.tasks import Utterance
from syncvoice.section import Name, Section

if TYPE_CHECKING:
    from syncvoice.timed_speech.script import ScriptWord
    from syncvoice.timed_speech.speaking import NaturalSpeaker, Spoken

HIGH_VOICE_HZ = 165.0  # median pitch from which a voice of unknown sex is answered by the female stock voice
Say = Callable[["list[ScriptWord]", "NaturalSpeaker", Clip, Utterance], "Spoken"]


class TtsSettings(Section):
    """What decides the speech.

    Attributes:
        experiment: name of the row.
        tts: file of the TTS model.
        tts_voices: stock voice for "female" and "male" clips.
    """

    experiment: Name
    tts: str
    tts_voices: dict[str, str]


def speak_all(settings: TtsSettings, work: Work, say: Say) -> list[Row]:
    """Speak every utterance by `say` (script, speaker, clip, row), as loud as its recording.

    Raises:
        UserError: the TTS model is missing, or a voice is unknown.
    """
    from syncvoice.networks.kokoro import Kokoro, blend
    from syncvoice.text.grid_grammar import spoken_text
    from syncvoice.timed_speech.script import script_of
    from syncvoice.timed_speech.speaking import NaturalSpeaker, levelled, speech_level

    network = Kokoro.from_assets(Path(settings.tts))
    speakers = {sex: NaturalSpeaker(network, blend({name: 1.0})) for sex, name in settings.tts_voices.items()}
    clips = {clip.id: clip for clip in clips_of(work.manifest)}
    rows: list[Row] = []
    for row in work.utterances:
        if earlier := work.made.get((row.utterance, "")):
            rows.append(earlier)
            continue
        clip = clips[row.clip]
        recorded = sound_of(clip, clocks.SAMPLE_RATE)
        try:
            script = script_of(spoken_text(row.text, row.source), row.language)
            spoken = say(script, speakers[_sex(row, recorded)], clip, row)
        except (UserError, ValueError) as error:  # a text that cannot be read, a clip too short for it
            rows.append(failed(row.utterance, "", str(error)))
            continue
        rows.append(work.keep(row.utterance, "", levelled(spoken.sound, speech_level(recorded))))
    return rows


def _sex(row: Utterance, recorded: np.ndarray) -> str:
    """Return "female" or "male": as the data set says, else by the pitch of the recording."""
    if row.sex in ("female", "male"):
        return row.sex
    from syncvoice.pitch import pitch_hz

    hz = pitch_hz(recorded, clocks.SAMPLE_RATE, clocks.SAMPLE_RATE // 100)
    return "female" if np.isfinite(hz).any() and float(np.nanmedian(hz)) > HIGH_VOICE_HZ else "male"
