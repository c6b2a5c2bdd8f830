"""What rows that a trained recipe speaks have in common: load it, make requests, speak them at every point."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from syncvoice.features.conditions import Seen, seen_by
from syncvoice.files import read_json
from syncvoice.generation.requests import requests_of
from syncvoice.generation.settings import SampledSettings
from syncvoice.generation.speech import Sampling, speak_points
from syncvoice.generation.work import Row, Work
from syncvoice.model.start import load_model
from syncvoice.model.syncvoice import SyncVoice
from syncvoice.model.text_path import text_of_record
from syncvoice.text.base import Tokenizer


@dataclass(frozen=True)
class LoadedRecipe:
    """A trained model with the conditions that it sees and the tokenizer that it reads with."""

    model: SyncVoice
    seen: Mapping[str, Seen]
    tokenizer: Tokenizer


def load_recipe(work: Work) -> LoadedRecipe:
    """Load the model of a row.

    Raises:
        UserError: a file is missing or does not fit.
    """
    assert work.model is not None
    model, path = load_model(work.model), work.model / "metadata.json"
    metadata = read_json(path)
    seen = seen_by(metadata, model.config.visual_dims, str(path))
    return LoadedRecipe(model, seen, text_of_record(metadata.get("text")).tokenizer())


def speak_by_recipe(settings: SampledSettings, work: Work, points: Sequence[tuple[str, Sampling]],
                    swap: Literal["none", "video", "text"] = "none", recipe: LoadedRecipe | None = None,
                    ) -> list[Row]:  # fmt: skip
    """Speak all utterances of `work` with its model.

    Args:
        settings: of the row.
        work: utterances, features, model, and where the sounds go.
        points: (name, how to sample); conditions that guide at no point are not read.
        swap: control, see `generation.settings`.
        recipe: the model, if it is loaded already.

    Raises:
        UserError: model, weights or features are missing, or the features are not those that the model learned with.
    """
    recipe = recipe or load_recipe(work)
    wanted = {condition for _, sampling in points for condition in sampling.scales}
    used = {condition: seen for condition, seen in recipe.seen.items() if condition in wanted}
    requests, rows = requests_of(settings, work, used, recipe.tokenizer, swap)
    return speak_points(recipe.model, settings, requests, points, work, rows)
