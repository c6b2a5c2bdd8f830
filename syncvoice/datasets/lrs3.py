"""Read LRS3 as distributed: PART/VIDEO/NUMBER.mp4 with a NUMBER.txt beside it; PART is pretrain, trainval or test.

The text file begins with "Text:  ..." in capitals; below the header "WORD START END ASDSCORE" each line is one word
with its times in seconds. The speaker is VIDEO: one talk, one voice (Afouras et al. 2018, arXiv 1809.00496). Texts are
taken in small letters, because capitals would be spelled letter by letter; notes in braces ("{NS}") are no words.
"""

from collections.abc import Iterator
from pathlib import Path

from syncvoice import text_files
from syncvoice.datasets import folder as any_folder
from syncvoice.datasets.base import Interval, SourceClip, safe_id
from syncvoice.errors import UserError

PARTS = ("pretrain", "trainval", "test")


def read(folder: Path, dataset: str, split: str, within: tuple[str, ...] = ()) -> Iterator[SourceClip]:
    """Yield the clips of the parts `within` (all three if empty) in the order of their paths.

    A video without text is listed with an empty one and excluded later.

    Raises:
        UserError: no part is there, or a malformed text file (file and line are named).
    """
    parts = within or tuple(part for part in PARTS if (folder / part).is_dir())
    if not parts:
        raise UserError(f"folder {folder} is no LRS3: it has none of the folders {', '.join(PARTS)}")
    for part in parts:
        for media in sorted(any_folder.videos_below(folder / part)):
            text, words = read_text(media.with_suffix(".txt"))
            yield SourceClip(
                id=safe_id(f"{Path(part).name}_{media.parent.name}_{media.stem}"),
                split=split,
                dataset=dataset,
                media=media,
                text=text,
                speaker=media.parent.name,
                source="lrs3",
                words=words,
            )


def read_text(path: Path) -> tuple[str, tuple[Interval, ...]]:
    """Return text and word times (seconds) of an LRS3 text file; "" and () if it does not exist.

    Raises:
        UserError: it does not begin with "Text:", or a word line is malformed.
    """
    if not path.is_file():
        return "", ()
    lines = text_files.read_text(path).split("\n")
    if not lines or not lines[0].startswith("Text:"):
        raise UserError(f"{path} line 1 is {lines[0] if lines else ''!r}; expected 'Text:  ...' as in LRS3")
    text = " ".join(word for word in lines[0].removeprefix("Text:").lower().split() if not word.startswith("{"))
    header = next((number for number, line in enumerate(lines) if line.startswith("WORD START END")), len(lines))
    words = [_word(path, number, line) for number, line in enumerate(lines[header + 1 :], header + 2) if line.strip()]
    return text, tuple(word for word in words if not word[0].startswith("{"))


def _word(path: Path, number: int, line: str) -> Interval:
    """Return one word and its times.

    Raises:
        UserError: the line is not "word start end ...".
    """
    parts = line.split()
    try:
        return parts[0].lower(), float(parts[1]), float(parts[2])
    except (IndexError, ValueError) as error:
        raise UserError(f"{path} line {number} is {line!r}; expected 'WORD START END SCORE' in seconds") from error
