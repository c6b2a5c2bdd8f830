"""Subtitle tracks that lie in a video file, read with FFmpeg."""

from pathlib import Path
from typing import Any

from syncvoice.errors import UserError
from syncvoice.text.language import language_code
from syncvoice.text.subtitles import TEXT_CODECS, Entry, entry_of_packet
from syncvoice.video.media import ClipProblem, opened

SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mks", ".3gp", ".mpg", ".mpeg", ".flv", ".wmv")


def holds_media(path: Path) -> bool:
    """Whether a file of subtitles is by its name a video."""
    return path.suffix.lower() in SUFFIXES


def track_entries(path: Path, track: str, language: str) -> tuple[list[Entry], str]:
    """Return the cues of a video's subtitle track, and a note that says which one it is.

    Args:
        path: the video.
        track: number (from 1) or language of the track as the video writes it, "" takes the first one in `language`,
            else the first.
        language: wanted if `track` is "".

    Raises:
        UserError: no such track, or it holds pictures instead of text.
    """
    try:
        with opened(path) as container:
            streams = list(container.streams.subtitles)
            if not streams:
                raise UserError(f"{path} holds no subtitle track; give a subtitle file (.srt, .vtt, .ass)")
            number = _chosen(path, streams, track, language)
            stream = streams[number]
            codec = stream.codec_context.name if stream.codec_context is not None else "an unknown kind"
            if codec not in TEXT_CODECS:
                raise UserError(
                    f"{path}: subtitle track {number + 1} holds pictures or no text ({codec}); choose another with "
                    "--subtitle-track, or give a subtitle file"
                )
            entries = [entry_of_packet(codec, packet) for packet in container.demux(stream) if packet.size]
    except ClipProblem as problem:
        raise UserError(f"{path}: {problem.message}") from problem
    spoken = [entry for entry in entries if entry.text]  # MP4 writes pauses as empty cues
    return spoken, f"subtitle track {_named(number, stream)} of {len(streams)} is spoken"


def _chosen(path: Path, streams: list[Any], track: str, language: str) -> int:
    """Return the number of the wanted track, from 0.

    Raises:
        UserError: there is none.
    """
    if track.isdecimal() and 1 <= int(track) <= len(streams):
        return int(track) - 1
    there = [language_code(stream.language or "", f"{path}: language of a track") for stream in streams]
    wanted = language_code(track or language, "--subtitle-track")
    texts = [stream.codec_context is not None and stream.codec_context.name in TEXT_CODECS for stream in streams]
    order = sorted(range(len(streams)), key=lambda number: (there[number] != wanted, not texts[number]))
    if track and there[order[0]] != wanted:
        names = ", ".join(_named(number, stream) for number, stream in enumerate(streams))
        raise UserError(f"{path} has no subtitle track {track!r}; it has {names}")
    best = [number for number in order if texts[number]]
    return best[0] if best and not track else order[0]


def _named(number: int, stream: Any) -> str:
    """Return the number and language of a track, for people."""
    return f"{number + 1} ({stream.language or 'no language'})"
