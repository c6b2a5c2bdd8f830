"""Read SubRip files: what is said, from when to when."""

import html
import re
from pathlib import Path
from typing import NamedTuple

from syncvoice.errors import UserError
from syncvoice.text_files import one_line, read_text

_BREAK = re.compile(r"<br\s*/?>|\\[Nnh]", re.IGNORECASE)  # line breaks and hard spaces of HTML and SubStation
# Tags with their classes and attributes, times of karaoke, styles in braces; not <zhong1>, which the tokenizer reads,
# and no sign of comparison.
_MARKUP = re.compile(
    r"<(?![a-zêü:]+[1-5]>)/?[a-z][^<>]*>|</>|<\d+(?::\d+)*(?:\.\d+)?>|\{\\[^}]*\}|\{/?[a-z](?::[^}]*)?\}", re.IGNORECASE
)


class Entry(NamedTuple):
    """One cue: its number in the file (None without), its text in one line without markup, its times in seconds."""

    number: int | None
    text: str
    start_s: float
    end_s: float


def read_entries(path: Path) -> list[Entry]:
    """Return the cues of a SubRip file as they stand there.

    Raises:
        UserError: no file, another encoding than UTF-8 and UTF-16, or no SubRip.
    """
    import srt

    try:
        found = list(srt.parse(read_text(path, "subtitles")))
    except (srt.SRTParseError, srt.TimestampParseError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"{path} is no SubRip file ({reason}); expected blocks of number, times and text") from error
    return [Entry(cue.index, _plain(cue.content), cue.start.total_seconds(), cue.end.total_seconds()) for cue in found]


def _plain(content: str) -> str:
    """Return a cue's text in one line, without markup."""
    return one_line(html.unescape(_MARKUP.sub("", _BREAK.sub(" ", content))))
