"""A trained recipe speaks: every utterance at every point of the row's sweep."""

from dataclasses import replace
from typing import Literal

from syncvoice.generation.settings import SampledSettings, points_of
from syncvoice.generation.work import Row, Work
from syncvoice.section import Name

NEEDS_RECIPE = True
USES_CARD = True
CLIP_FEATURES: tuple[str, ...] = ()  # and those that the recipe sees
REFERENCE_FEATURES: tuple[str, ...] = ("mel", "speaker")


class Settings(SampledSettings):
    """Sampling, controls and the sweep."""

    swap: Literal["none", "video", "text"]
    sweep: dict[Name, list[float]] | None


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak.

    Raises:
        UserError: model, weights or features are missing, or the features are not those that the model learned with.
    """
    from syncvoice.generation.by_recipe import speak_by_recipe

    sampling = settings.sampling()
    points = points_of(settings.guidance(), settings.sweep)
    return speak_by_recipe(
        settings, work, [(name, replace(sampling, scales=scales)) for name, scales in points], settings.swap
    )
