"""A trained recipe speaks every utterance several times, from different noise: candidates that other rows choose from.

Candidate 0 is the speech of a row of kind `model` with the same settings, byte for byte.
"""

from dataclasses import replace

from pydantic import Field

from syncvoice.generation.settings import SampledSettings, candidate_point
from syncvoice.generation.work import Row, Work

NEEDS_RECIPE = True
USES_CARD = True
CLIP_FEATURES: tuple[str, ...] = ()  # and those that the recipe sees
REFERENCE_FEATURES: tuple[str, ...] = ("mel", "speaker")


class Settings(SampledSettings):
    """Sampling, and how many candidates."""

    candidates: int = Field(ge=2)


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak; every candidate is a point.

    Raises:
        UserError: model, weights or features are missing, or the features are not those that the model learned with.
    """
    from syncvoice.generation.by_recipe import load_recipe, speak_points_of

    sampling = settings.sampling()
    points = [(candidate_point(k), replace(sampling, candidate=k)) for k in range(settings.candidates)]
    return speak_points_of(settings, work, points, load_recipe(work))
