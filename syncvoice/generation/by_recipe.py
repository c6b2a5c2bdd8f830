"""Speech of a trained recipe: what the kinds of rows that a model speaks share."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from syncvoice.generation.settings import SampledSettings, points_of
from syncvoice.generation.work import Row, Work
from syncvoice.section import Name

if TYPE_CHECKING:
    from syncvoice.generation.speech import Request
    from syncvoice.text.base import Tokenizer

    Arrange = Callable[[Sequence[Request], Tokenizer], list[Request]]


class RecipeSettings(SampledSettings):
    """Sampling, controls and the sweep."""

    swap: Literal["none", "video", "text"]
    sweep: dict[Name, list[float]] | None
    video_split: Name | None = None  # whose videos guide, where they are not the task's own


def speak(settings: RecipeSettings, work: Work, arrange: "Arrange | None" = None) -> list[Row]:
    """Speak every utterance at every point of the row's sweep.

    Args:
        settings: of the row.
        work: what to speak.
        arrange: changes the requests before they are spoken, for kinds that lay the text elsewhere.

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
    requests = arrange(requests, tokenizer) if arrange else requests
    sampling = settings.sampling()
    return speak_points(
        model, settings, requests, [(name, replace(sampling, scales=scales)) for name, scales in points], work, rows
    )
