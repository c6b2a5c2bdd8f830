"""A public TTS model speaks at the one speed that fills the video: the cascade of dubbing tools, without lips."""

from syncvoice.generation.timed import TtsSettings, speak_all
from syncvoice.generation.work import Row, Work

NEEDS_RECIPE = False
USES_CARD = False
CLIP_FEATURES: tuple[str, ...] = ()
REFERENCE_FEATURES: tuple[str, ...] = ()


class Settings(TtsSettings):
    """The TTS model and its voices."""


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak every utterance, its silences included, sped or slowed to the video's length.

    Raises:
        UserError: the TTS model is missing, or a voice is unknown.
    """
    return speak_all(settings, work, lambda script, speaker, clip, row: speaker.filling(script, row.n_frames))
