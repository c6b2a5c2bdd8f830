"""A trained recipe speaks: every utterance at every point of the row's sweep."""

from syncvoice.generation import by_recipe
from syncvoice.generation.work import Row, Work

NEEDS_RECIPE = True
USES_CARD = True
CLIP_FEATURES: tuple[str, ...] = ()  # and those that the recipe sees
REFERENCE_FEATURES: tuple[str, ...] = ("mel", "speaker")

Settings = by_recipe.RecipeSettings


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak, see `by_recipe.speak`."""
    return by_recipe.speak(settings, work)
