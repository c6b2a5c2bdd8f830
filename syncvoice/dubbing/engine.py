"""Who speaks: a full-size model if there is one, else natural speech timed by the lips, else the small model."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncvoice.dubbing.by_model import ModelEngine
from syncvoice.dubbing.model import KNOWN_PLACES
from syncvoice.dubbing.speech import Sound
from syncvoice.errors import UserError
from syncvoice.places import find_path
from syncvoice.section import nearest

ENGINES = ("auto", "timed", "small", "zipvoice")
# Where the GPU studies put the model that was fine-tuned from public ZipVoice, best first.
FULL_SIZE_PLACES = tuple(f"results/{study}/models/full/model.safetensors" for study in ("lrs3", "grid", "translation"))


@dataclass(frozen=True)
class Chosen:
    """An engine and the reason, half a sentence."""

    engine: Any
    why: str


def choose_engine(name: str = "auto", model: Path | None = None, sound: Sound | None = None, follow: str = "auto",
                  blend: Mapping[str, float] | None = None) -> Chosen:  # fmt: skip
    """Load an engine.

    Args:
        name: of ENGINES.
        model: weight file or folder of an exported recipe; it then speaks.
        sound: how a model is sampled.
        follow: what the words of the timed engine follow, see `TimedEngine`.
        blend: voices of the timed engine.

    Raises:
        UserError: an unknown name, contradicting wishes, or weights that are missing.
    """
    if name not in ENGINES:
        raise UserError(f"engine {name!r} is unknown; {nearest(name, ENGINES)}")
    if model is not None:
        if name == "timed":
            raise UserError("engine timed has no --model; leave one of the two out")
        return Chosen(ModelEngine.load(model, sound or Sound()), "it was named")
    full_size = next((place for place in map(find_path, FULL_SIZE_PLACES) if place.is_file()), None)
    if name == "zipvoice":
        if full_size is None:
            raise UserError(
                f"no full-size model at {' or '.join(FULL_SIZE_PLACES)}; run a GPU study, name an exported model with "
                "--model, or take --engine timed"
            )
        return Chosen(ModelEngine.load(full_size, sound or Sound()), "it was asked for")
    if name == "small":
        return Chosen(ModelEngine.load(None, sound or Sound()), "it was asked for")
    if name == "auto" and full_size is not None and blend is None:
        return Chosen(ModelEngine.load(full_size, sound or Sound()), "a full-size model is there")
    return _timed(name, sound, follow, blend)


def _timed(name: str, sound: Sound | None, follow: str, blend: Mapping[str, float] | None) -> Chosen:
    """Load the timed engine; with "auto" the small model stands in for it.

    Raises:
        UserError: the TTS weights are missing and nothing else may speak.
    """
    from syncvoice.dubbing.by_timing import TimedEngine

    try:
        engine = TimedEngine.load(follow, blend)  # type: ignore[arg-type]
    except UserError as error:
        if name == "timed" or blend is not None or not any(find_path(place).is_file() for place in KNOWN_PLACES):
            raise
        return Chosen(
            ModelEngine.load(None, sound or Sound()), f"the timed engine, which speaks naturally, lacks: {error}"
        )
    return Chosen(engine, "it was asked for" if name == "timed" else "no full-size model is there")
