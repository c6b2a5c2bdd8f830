"""A trained recipe speaks, its text spread over the phrases of the mouth: timing from the video, no shape of the lips.

For texts in another language than the lips'. Only where the text lies over the frames differs from kind `model`.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from syncvoice.generation import by_recipe
from syncvoice.generation.mouths import face_of
from syncvoice.generation.work import Row, Work

if TYPE_CHECKING:
    from syncvoice.generation.speech import Request
    from syncvoice.lip_timing.network import LipReader
    from syncvoice.lip_timing.timing import Span
    from syncvoice.records.clips import Clip
    from syncvoice.text.base import Tokenizer

log = logging.getLogger(__name__)

NEEDS_RECIPE = True
USES_CARD = True
CLIP_FEATURES: tuple[str, ...] = ()  # and those that the recipe sees
REFERENCE_FEATURES: tuple[str, ...] = ("mel", "speaker")


class Settings(by_recipe.RecipeSettings):
    """Those of a model, and the lip timing networks; the clip's own video and text, no control's."""

    swap: Literal["none"]
    lip_timing: str


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak; a clip whose mouth says nothing of its phrases keeps its text over the whole video.

    Raises:
        UserError: see `by_recipe.speak`; or a clip has no tracked face.
    """
    from syncvoice.generation.phrased import parts_in_phrases
    from syncvoice.lip_timing.network import LipReader
    from syncvoice.records.clips import clips_of

    reader = LipReader.load(Path(settings.lip_timing))
    clips, of_row = {clip.id: clip for clip in clips_of(work.manifest)}, {row.utterance: row for row in work.utterances}

    def arrange(requests: "Sequence[Request]", tokenizer: "Tokenizer") -> "list[Request]":
        """Lay each text over the phrases of its clip's mouth."""
        arranged = []
        for request in requests:
            row = of_row[request.name]
            phrases = _phrases(reader, clips[row.clip])
            if phrases is None:
                log.warning("%s: the mouth tells no phrases; the text fills the whole video", request.name)
                arranged.append(request)
                continue
            tokens = tokenizer.tokens(row.text, row.language)
            arranged.append(replace(request, parts=parts_in_phrases(tokens, phrases, request.n_frames)))
        return arranged

    return by_recipe.speak(settings, work, arrange)


def _phrases(reader: "LipReader", clip: "Clip") -> "list[Span] | None":
    """When the sound of a clip's mouth is heard, None where it does not say.

    Raises:
        UserError: the clip has no tracked face.
    """
    from syncvoice.lip_timing.activity import phrases_of
    from syncvoice.lip_timing.timing import later

    phrases = phrases_of(reader, face_of(clip), clip.n_frames)
    return None if phrases is None else later(phrases)
