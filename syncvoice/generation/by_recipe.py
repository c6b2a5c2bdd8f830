"""What rows that a trained recipe speaks have in common: load it, make requests, speak them at every point."""

from collections.abc import Sequence
from typing import Literal

from syncvoice.features.conditions import seen_by
from syncvoice.files import read_json
from syncvoice.generation.requests import requests_of
from syncvoice.generation.settings import SampledSettings
from syncvoice.generation.speech import Sampling, speak_points
from syncvoice.generation.work import Row, Work
from syncvoice.model.start import load_model
from syncvoice.model.text_path import text_of_record


def speak_by_recipe(settings: SampledSettings, work: Work, points: Sequence[tuple[str, Sampling]],
                    swap: Literal["none", "video", "text"] = "none") -> list[Row]:  # fmt: skip
    """Speak all utterances of `work` with its model.

    Args:
        settings: of the row.
        work: utterances, features, model, and where the sounds go.
        points: (name, how to sample); conditions that guide at no point are not read.
        swap: control, see `generation.settings`.

    Raises:
        UserError: model, weights or features are missing, or the features are not those that the model learned with.
    """
    assert work.model is not None
    model, metadata = load_model(work.model), work.model / "metadata.json"
    seen = seen_by(read_json(metadata), model.config.visual_dims, str(metadata))
    wanted = {condition for _, sampling in points for condition in sampling.scales}
    used = {condition: seen[condition] for condition in seen if condition in wanted}
    tokenizer = text_of_record(read_json(metadata).get("text")).tokenizer()
    requests, rows = requests_of(settings, work, used, tokenizer, swap)
    return speak_points(model, settings, requests, points, work, rows)
