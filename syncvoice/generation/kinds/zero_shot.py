"""The start weights speak, without fine-tuning and without the video: text-to-speech of known length."""

from dataclasses import replace
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
    """Speak every utterance from its text alone; text is spread over the frames as the weights learned it.

    Public weights know ZipVoice's rule; those of this project spread context and target over their own frames.

    Raises:
        UserError: weights or features are missing, or do not fit together.
    """
    from syncvoice.generation.requests import requests_of
    from syncvoice.generation.speech import speak_points
    from syncvoice.model.start import is_public, model_from_start
    from syncvoice.model.text_path import text_of_start

    model = model_from_start(Path(settings.backbone), {}, 1, ("pretrained", "learnable")).eval()
    requests, rows = requests_of(
        settings, work, {}, text_of_start(Path(settings.backbone)).read(settings.reading).tokenizer()
    )
    expansion = "average" if is_public(Path(settings.backbone)) else None  # the rule that the weights learned with
    sampling = replace(settings.sampling(), expansion=expansion)
    return speak_points(model, settings, requests, [("", sampling)], work, rows)
