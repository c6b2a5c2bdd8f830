"""Read SubRip files: what is said, from when to when."""

import html
import re
from pathlib import Path
from typing import NamedTuple

from syncvoice.errors import UserError

_MARKUP = re.compile(r"</?(?:b|i|u|s|font)(?:\s[^>]*)?>|\{\\[^}]*\}")  # not <zhong1>, which the tokenizer reads


class Entry(NamedTuple):
    """One cue: its number in the file (None without), its text in one line without markup, its times in seconds."""

    number: int | None
    text: str
    start_s: float
    end_s: float


def read_entries(path: Path) -> list[Entry]:
    """Return the cues of a SubRip file as they stand there.

    Raises:
        UserError: no file, no UTF-8, or no SubRip.
    """
    import srt

    try:
        found = list(srt.parse(path.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise UserError(f"subtitles {path} cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError as error:
        raise UserError(f"subtitles {path} are not UTF-8 text; save them as UTF-8") from error
    except (srt.SRTParseError, srt.TimestampParseError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} is no SubRip file ({reason}); expected blocks of number, times and text") from error
    return [Entry(cue.index, _plain(cue.content), cue.start.total_seconds(), cue.end.total_seconds()) for cue in found]


def _plain(content: str) -> str:
    """Return a cue's text in one line, without markup."""
    return " ".join(html.unescape(_MARKUP.sub("", content)).split())
