"""The start weights speak without fine-tuning, their text spread over the word times that the lips tell.

Does a pretrained text-to-speech model follow lips for nothing? Only where its text lies over the frames differs from
the row `zero_shot`; the model itself sees no lips.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.generation.mouths import face_of
from syncvoice.generation.settings import SampledSettings
from syncvoice.generation.work import Row, Work, failed

if TYPE_CHECKING:
    from syncvoice.lip_timing.network import LipReader
    from syncvoice.lip_timing.timing import Span
    from syncvoice.records.clips import Clip

NEEDS_RECIPE = False
USES_CARD = True
CLIP_FEATURES: tuple[str, ...] = ()
REFERENCE_FEATURES: tuple[str, ...] = ("mel", "speaker")


class Settings(SampledSettings):
    """Sampling, the start weights and the lip timing networks."""

    backbone: str
    reading: Literal["own", "public"]
    lip_timing: str


def speak(settings: Settings, work: Work) -> list[Row]:
    """Speak every utterance.

    Raises:
        UserError: weights or features are missing, or do not fit together.
    """
    from syncvoice.generation.requests import requests_of
    from syncvoice.generation.speech import speak_points
    from syncvoice.lip_timing.network import LipReader
    from syncvoice.model.start import model_from_start
    from syncvoice.model.text_path import text_of_start
    from syncvoice.records.clips import clips_of

    model = model_from_start(Path(settings.backbone), {}, 1, ("pretrained", "learnable")).eval()
    reader, tokenizer = (
        LipReader.load(Path(settings.lip_timing)),
        text_of_start(Path(settings.backbone)).read(settings.reading).tokenizer(),
    )
    clips, of_row = {clip.id: clip for clip in clips_of(work.manifest)}, {row.utterance: row for row in work.utterances}
    requests, rows = requests_of(settings, work, {}, tokenizer)
    timed = []
    for request in requests:
        row = of_row[request.name]
        try:
            words = _word_times(reader, clips[row.clip])
        except (UserError, ValueError) as error:
            rows.append(failed(row.utterance, "", str(error)))
            continue
        tokens = tokenizer.tokens(row.text, row.language)
        timed.append(replace(request, parts=parts_of(tokens, words, request.n_frames)))
    sampling = settings.sampling()
    return speak_points(model, settings, timed, [("", sampling)], work, rows)


def _word_times(reader: "LipReader", clip: "Clip") -> "list[Span]":
    """When the words of a clip's own text sound.

    Raises:
        UserError: the clip has no tracked face.
        ValueError: it is too short for its text.
    """
    from syncvoice.lip_timing.timing import later, time_phones
    from syncvoice.text.alignment import phones_of_text
    from syncvoice.text.grid_grammar import spoken_text

    phones, starts = phones_of_text(spoken_text(clip.text, clip.source), clip.language)
    return later(time_phones(reader, face_of(clip), clip.n_frames, phones, starts).words)


def parts_of(tokens: Sequence[str], words: "Sequence[Span]", n_frames: int) -> tuple[tuple[int, int], ...]:
    """Cut a text into (tokens, mel frames): silence, words with the space after them, silence.

    Where the tokens have another number of words than times are known for, all lie between first start and last end.

    Args:
        tokens: symbols of the text, words apart by " ".
        words: start and end of every word in seconds.
        n_frames: length of the video at 25 fps.
    """
    total = clocks.mel_frames(n_frames)
    counts = [1]
    for before, token in zip(tokens, tokens[1:], strict=False):
        counts = [*counts, 1] if before == " " and token != " " else [*counts[:-1], counts[-1] + 1]
    starts = [start for start, _ in words]
    if len(counts) != len(words):
        counts, starts = [len(tokens)], starts[:1]
    edges = [min(total, max(0, round(time * clocks.MEL_FPS))) for time in (*starts, words[-1][1])]
    spoken = [(count, b - a) for count, a, b in zip(counts, edges[:-1], edges[1:], strict=True)]
    return ((0, edges[0]), *spoken, (0, total - edges[-1]))
