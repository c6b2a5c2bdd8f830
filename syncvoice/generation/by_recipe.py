"""What rows that a trained recipe speaks have in common: load it, make requests, speak them at every point."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from syncvoice.generation.settings import SampledSettings, VideoSplit, points_of
from syncvoice.generation.work import Row, Work
from syncvoice.section import Name

if TYPE_CHECKING:
    from syncvoice.features.conditions import Seen
    from syncvoice.generation.speech import Request, Sampling
    from syncvoice.model.syncvoice import SyncVoice
    from syncvoice.text.base import Tokenizer

    Points = Sequence[tuple[str, Sampling]]
    Arrange = Callable[[Sequence[Request], Tokenizer], list[Request]]


class RecipeSettings(SampledSettings):
    """Sampling, controls and the sweep."""

    swap: Literal["none", "video", "text"]
    sweep: dict[Name, list[float]] | None
    video_split: VideoSplit = None  # whose videos guide, where they are not the task's own


@dataclass(frozen=True)
class LoadedRecipe:
    """A trained model with the conditions that it sees and the tokenizer that it reads with."""

    model: "SyncVoice"
    seen: "Mapping[str, Seen]"
    tokenizer: "Tokenizer"


def load_recipe(work: Work) -> LoadedRecipe:
    """Load the model of a row.

    Raises:
        UserError: a file is missing or does not fit.
    """
    from syncvoice.features.conditions import seen_by
    from syncvoice.files import read_json
    from syncvoice.model.start import load_model
    from syncvoice.model.text_path import text_of_record

    assert work.model is not None
    model, path = load_model(work.model), work.model / "metadata.json"
    metadata = read_json(path)
    seen = seen_by(metadata, model.config.visual_dims, str(path))
    return LoadedRecipe(model, seen, text_of_record(metadata.get("text")).tokenizer())


def speak(settings: RecipeSettings, work: Work, arrange: "Arrange | None" = None) -> list[Row]:
    """Speak every utterance at every point of the row's sweep.

    Args:
        settings: of the row.
        work: what to speak.
        arrange: changes the requests before they are spoken, for kinds that lay the text elsewhere.

    Raises:
        UserError: model, weights or features are missing, or the features are not those that the model learned with.
    """
    sampling = settings.sampling()
    points = [
        (name, replace(sampling, scales=scales)) for name, scales in points_of(settings.guidance(), settings.sweep)
    ]
    return speak_points_of(settings, work, points, load_recipe(work), settings.swap, settings.video_split, arrange)


def speak_points_of(settings: SampledSettings, work: Work, points: "Points", recipe: LoadedRecipe,
                    swap: Literal["none", "video", "text"] = "none", video_split: VideoSplit = None,
                    arrange: "Arrange | None" = None) -> list[Row]:  # fmt: skip
    """Speak all utterances of `work` at points of any kind.

    Args:
        settings: of the row.
        work: utterances, features, and where the sounds go.
        points: (name, how to sample); conditions that guide at no point are not read.
        recipe: that speaks.
        swap: control, see `generation.settings`.
        video_split: see `RecipeSettings`.
        arrange: see `speak`.

    Raises:
        UserError: weights or features are missing, or the features are not those that the model learned with.
    """
    from syncvoice.generation.requests import requests_of
    from syncvoice.generation.speech import speak_points

    wanted = {condition for _, sampling in points for condition in sampling.scales}
    used = {condition: seen for condition, seen in recipe.seen.items() if condition in wanted}
    requests, rows = requests_of(settings, work, used, recipe.tokenizer, swap, video_split)
    requests = arrange(requests, recipe.tokenizer) if arrange else requests
    return speak_points(recipe.model, settings, requests, points, work, rows)
