"""Read subtitles: what is said, from when to when, by whom. SubRip, WebVTT and SubStation (ASS, SSA).

SubRip is read by the library `srt`, which keeps the printed numbers; the others by FFmpeg, as are the tracks of a
video, so that a file and a track say the same. Kinds are told by their first line, never by a file's name.
"""

import html
import io
import re
from collections.abc import Iterator
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
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]+)>", re.IGNORECASE)  # WebVTT's voice span
_DRAWING = re.compile(r"\{[^}]*\\p[1-9][^}]*\}.*?(?=\{[^}]*\\p0|$)", re.DOTALL)  # shapes of SubStation, no text
_BRACES = re.compile(r"\{[^}]*\}")  # in SubStation all of them are styles or remarks
TEXT_CODECS = ("subrip", "srt", "webvtt", "ass", "ssa", "mov_text", "text")


class Entry(NamedTuple):
    """One cue.

    Attributes:
        number: printed in the file, None without.
        text: in one line without markup.
        start_s, end_s: in seconds.
        turns: (speaker or "", text) of its lines or voice spans.
        style: of SubStation, "" elsewhere.
    """

    number: int | None
    text: str
    start_s: float
    end_s: float
    turns: tuple[tuple[str, str], ...] = ()
    style: str = ""


def read_entries(path: Path) -> list[Entry]:
    """Return the cues of a subtitle file as they stand there.

    Raises:
        UserError: no file, another encoding than UTF-8 and UTF-16, or no subtitles.
    """
    text = read_text(path, "subtitles")
    first = text.lstrip("\ufeff \n\t").split("\n", 1)[0].strip()
    if first.startswith("WEBVTT"):
        return list(_by_ffmpeg(path, text, "webvtt", "WebVTT"))
    if first.lower() == "[script info]":
        return list(_by_ffmpeg(path, text, "ass", "SubStation"))
    return _subrip(path, text)


def _subrip(path: Path, text: str) -> list[Entry]:
    """Return the cues of a SubRip file.

    Raises:
        UserError: it is none.
    """
    import srt

    try:
        found = list(srt.parse(text))
    except (srt.SRTParseError, srt.TimestampParseError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"{path} is no SubRip file ({reason}); expected blocks of number, times and texts, or WebVTT or SubStation"
        ) from error
    return [
        entry_of("srt", cue.content, cue.start.total_seconds(), cue.end.total_seconds(), cue.index) for cue in found
    ]


def _by_ffmpeg(path: Path, text: str, kind: str, name: str) -> Iterator[Entry]:
    """Yield the cues of a text by FFmpeg's reader of a kind.

    Raises:
        UserError: it cannot be read.
    """
    import av

    lines = text.lstrip("\ufeff \n\t")
    try:
        with av.open(io.BytesIO(lines.encode("utf-8")), format=kind) as container:
            (stream,) = container.streams.subtitles
            for packet in container.demux(stream):
                if packet.size:
                    yield entry_of_packet(kind, packet)
    except (av.error.FFmpegError, ValueError) as error:
        raise UserError(f"{path} is no {name} file that FFmpeg reads ({error}); save it again, or as SubRip") from error


def entry_of_packet(codec: str, packet: "object") -> Entry:
    """Return a cue from a packet (`av.Packet`) of a subtitle stream with a codec of TEXT_CODECS."""
    data = bytes(packet)  # type: ignore[call-overload]
    base = packet.time_base  # type: ignore[attr-defined]
    start = float((packet.pts or 0) * base)  # type: ignore[attr-defined]
    end = start + float((packet.duration or 0) * base)  # type: ignore[attr-defined]
    if codec == "mov_text":  # two bytes tell the length; styles follow the text
        data = data[2 : 2 + int.from_bytes(data[:2], "big")]
    return entry_of(codec, data.decode("utf-8", "replace"), start, end, None)


def entry_of(codec: str, content: str, start_s: float, end_s: float, number: int | None) -> Entry:
    """Return a cue from its raw text."""
    actor = style = ""
    if codec in ("ass", "ssa"):  # read order, layer, style, name, three margins, effect, text
        _, _, style, actor, *_, content = [*content.split(",", 8), *[""] * 9][:9]
        content = _BRACES.sub("", _DRAWING.sub("", content))
    turns = []
    parts = _VOICE.split(content)
    for name, part in zip([actor, *parts[1::2]], parts[::2], strict=True):
        lines = [_plain(line) for line in _BREAK.sub("\n", part).split("\n")]
        turns += [(one_line(name), line) for line in lines if line]
    return Entry(number, _plain(content), start_s, end_s, tuple(turns), style)


def _plain(content: str) -> str:
    """Return a cue's text in one line, without markup."""
    return one_line(html.unescape(_MARKUP.sub("", _BREAK.sub(" ", content))))
