"""A trained recipe speaks every utterance once for each treated copy of its reference recording.

Every treatment is a point, named like the treated split. What is scored against, the untreated recording, stays.
"""

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from syncvoice.generation.settings import SampledSettings
from syncvoice.generation.work import Row, Work, failed
from syncvoice.records.clips import Clip, clips_of
from syncvoice.records.tasks import Utterance
from syncvoice.section import Name

NEEDS_RECIPE = True
USES_CARD = True
CLIP_FEATURES: tuple[str, ...] = ()  # and those that the recipe sees
REFERENCE_FEATURES: tuple[str, ...] = ("mel", "speaker")


class Settings(SampledSettings):
    """Sampling, and the treated splits."""

    references: Annotated[list[Name], Field(min_length=1)]


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak; an utterance whose reference could not be treated has failed.

    Raises:
        UserError: model, weights, features or a treated split are missing, or do not fit together.
    """
    from syncvoice.generation.by_recipe import load_recipe, speak_points_of

    recipe = load_recipe(work)
    treated: dict[str, dict[str, Clip]] = {name: {} for name in settings.references}
    for clip in (clip for path in work.references for clip in clips_of(path)):
        treated.setdefault(clip.split, {})[clip.id] = clip
    rows: list[Row] = []
    for name in settings.references:
        found = [with_reference(row, treated[name]) for row in work.utterances]
        spoken = [row for row in found if row is not None]
        missing = [row.utterance for row, one in zip(work.utterances, found, strict=True) if one is None]
        rows += [failed(utterance, name, f"its reference is not in split {name}") for utterance in missing]
        point = [(name, settings.sampling())]
        rows += speak_points_of(settings, replace(work, utterances=spoken), point, recipe)
    return sorted(rows, key=lambda row: (str(row["point"]), str(row["utterance"])))


def with_reference(row: Utterance, treated: dict[str, Clip]) -> Utterance | None:
    """Return a row that takes its voice from the treated copy of its reference; None if there is none.

    Args:
        row: of the task.
        treated: recordings of a treated split by id.
    """
    if row.reference not in treated:
        return None
    clip = treated[row.reference]
    return replace(row, reference_split=clip.split, reference_text=clip.text, reference_language=clip.language)
