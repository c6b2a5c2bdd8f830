"""The start weights speak, without fine-tuning and without the video: text-to-speech of known length."""

from pathlib import Path
from typing import Literal

from syncvoice.generation.settings import SampledSettings
from syncvoice.generation.work import Row, Work

NEEDS_RECIPE = False
USES_CARD = True
CLIP_FEATURES: tuple[str, ...] = ()
REFERENCE_FEATURES: tuple[str, ...] = ("mel", "speaker")


class Settings(SampledSettings):
    """Sampling, and the start weights."""

    backbone: str
    reading: Literal["own", "public"]


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak every utterance from its text alone; text is spread over the frames by ZipVoice's rule.

    Raises:
        UserError: weights or features are missing, or do not fit together.
    """
    from syncvoice.generation.requests import requests_of
    from syncvoice.generation.speech import Sampling, speak_points
    from syncvoice.model.start import model_from_start
    from syncvoice.model.text_path import text_of_start

    model = model_from_start(Path(settings.backbone), {}, 1, ("pretrained", "learnable")).eval()
    requests, rows = requests_of(
        settings, work, {}, text_of_start(Path(settings.backbone)).read(settings.reading).tokenizer()
    )
    sampling = Sampling(settings.guidance(), settings.steps, settings.t_shift, settings.voice, "average")
    return speak_points(model, settings, requests, [("", sampling)], work, rows)
