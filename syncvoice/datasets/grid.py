"""Read GRID as distributed: a folder per speaker, clips whose names spell their sentence, `.align` files with times."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from syncvoice.datasets import folder as any_folder
from syncvoice.datasets.base import SourceClip, safe_id
from syncvoice.text.grid_grammar import sentence_of


def read(folder: Path, dataset: str, split: str, within: tuple[str, ...] = ()) -> Iterator[SourceClip]:
    """Yield the clips of a GRID folder in the order of their paths.

    The speaker is the innermost folder named s1 ... s34. Word times come from NAME.align beside the video, in `align/`
    beside it or beside its folder, or in `alignments/SPEAKER/`; the sentence comes from the name where there is none.

    Raises:
        UserError: no video, or a malformed .align file.
    """
    for clip in any_folder.read(folder, dataset, split, within):
        parts = clip.media.relative_to(folder).parts[:-1] or (folder.name,)
        speaker = next((part for part in reversed(parts) if re.fullmatch(r"s\d+", part)), clip.speaker)
        words = clip.words or _distant_words(clip.media, folder, speaker)
        text = clip.text or " ".join(word for word, _, _ in words) or sentence_of(clip.media.stem)
        identity = safe_id(f"{speaker}_{clip.media.stem}")
        yield replace(clip, id=identity, speaker=speaker, words=words, text=text, source="grid")


def _distant_words(media: Path, root: Path, speaker: str) -> tuple[tuple[str, float, float], ...]:
    """Return the words of the first .align file found where the public archives put it."""
    name = media.with_suffix(".align").name
    for place in (media.parent / "align", media.parent.parent / "align", root / "alignments" / speaker):
        words = any_folder.read_align(place / name)
        if words:
            return words
    return ()
