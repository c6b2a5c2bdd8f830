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
    video_split: Name | None = None


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak.

    Raises:
        UserError: model, weights or features are missing, or the features are not those that the model learned with.
    """
    from syncvoice.features.conditions import seen_by
    from syncvoice.files import read_json
    from syncvoice.generation.requests import requests_of
    from syncvoice.generation.speech import speak_points
    from syncvoice.model.start import load_model
    from syncvoice.model.text_path import text_of_record

    assert work.model is not None
    model, metadata = load_model(work.model), work.model / "metadata.json"
    seen = seen_by(read_json(metadata), model.config.visual_dims, str(metadata))
    points = points_of(settings.guidance(), settings.sweep)
    wanted = {condition for _, scales in points for condition in scales}
    used = {condition: seen[condition] for condition in seen if condition in wanted}
    tokenizer = text_of_record(read_json(metadata).get("text")).tokenizer()
    requests, rows = requests_of(settings, work, used, tokenizer, settings.swap, settings.video_split)
    sampling = settings.sampling()
    return speak_points(
        model, settings, requests, [(name, replace(sampling, scales=scales)) for name, scales in points], work, rows
    )
