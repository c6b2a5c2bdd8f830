"""Open media files of strangers: what is read at all, how large it may be, and why a clip cannot be used.

Every trouble with a file is a `ClipProblem` with one of `REASONS`, never a crash: the caller writes it to excluded.csv.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.stream

from syncvoice.errors import raise_if_passing

REASONS = (
    "broken_file",
    "no_video",
    "no_audio",
    "no_face",
    "face_lost",
    "several_faces",
    "no_speaking_face",
    "scene_cut",
    "profile",
    "small_face",
    "length_mismatch",
    "too_short",
    "too_long",
    "too_large",
    "no_text",
    "no_pause",
)
# Containers whose content lies in the file itself. Playlists (concat, HLS, DASH) would open other files and addresses.
CONTAINERS = (
    "mov,mp4,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,mxf,nut,ogg,wav,w64,flac,mp3,aac,aiff,au,caf,amr,h264,hevc"
)


class ClipProblem(Exception):
    """A clip cannot be used; `reason` is one of `REASONS`, `message` a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        """Keep reason and message."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


@dataclass(frozen=True)
class Limits:
    """What a file may unfold to; a few bytes can claim any size or length.

    Attributes:
        max_pixels: of a frame; the default is cinema's 4K with a little room.
        max_seconds: of picture and sound; the default lets films pass.
    """

    max_pixels: int = 4096 * 2304
    max_seconds: float = 4 * 3600.0


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a media file; every FFmpeg or system error inside the block becomes a `broken_file` problem.

    Raises:
        ClipProblem: the data cannot be decoded.
        OSError: the system could not read them (a disk, a network file system, permissions, memory): no fault of the
            clip, which must not be left out for it.
    """
    try:
        if path.exists() and not path.is_file():
            raise ClipProblem("broken_file", f"{path.name} is a folder, pipe or device; put a file there")
        # "file:" keeps a name that starts with a dash or holds a colon from being read as an option or a protocol
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": "file"}
        with av.open(f"file:{path}", metadata_errors="replace", options=options) as container:
            yield container
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise_if_passing(error, path)
        raise ClipProblem("broken_file", f"{path.name} cannot be decoded ({_first_line(error)}); replace it") from error


def _first_line(error: BaseException) -> str:
    """Return the error's text without the file's path (which would differ between machines)."""
    return str(getattr(error, "strerror", None) or error).splitlines()[0]


def stream_of(streams: Any, path: Path, reason: str, kind: str) -> Any:
    """Return the first stream of a kind, to be decoded in one thread; pictures of a cover are none.

    Raises:
        ClipProblem: there is none, or nothing here decodes it.
    """
    streams = [stream for stream in streams if not is_cover(stream)]
    if not streams:
        raise ClipProblem(reason, f"{path.name} holds no {kind} stream; a clip needs both picture and sound")
    stream = streams[0]
    if stream.codec_context is None:
        raise ClipProblem("broken_file", f"{path.name} holds {kind} of an unknown kind; convert or replace it")
    stream.codec_context.thread_count = 1  # same bytes and predictable load, whatever the machine
    return stream


def is_cover(stream: Any) -> bool:
    """Tell whether a stream is a single picture attached to the file (cover art), which no player shows as video."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def check_size(picture: Any, limits: Limits) -> None:
    """Refuse a picture (codec context or frame) that is too large.

    Raises:
        ClipProblem: too_large.
    """
    if picture.width * picture.height > limits.max_pixels:
        raise ClipProblem(
            "too_large",
            f"the picture has {picture.width} x {picture.height} pixels, at most {limits.max_pixels} are taken; shrink "
            "it, or let a study take larger ones (prepare: max_pixels)",
        )


def check_length(container: Any, limits: Limits) -> None:
    """Refuse a file that says it is too long, before anything is decoded.

    Raises:
        ClipProblem: too_long.
    """
    seconds = (container.duration or 0) / 1e6
    if seconds > limits.max_seconds:
        raise too_long("file", limits, f"says that it lasts {seconds:.0f} s,")


def too_long(what: str, limits: Limits, lasts: str = "lasts") -> ClipProblem:
    """Return the problem of a file that exceeds the limit."""
    return ClipProblem(
        "too_long",
        f"the {what} {lasts} more than {limits.max_seconds:g} s; cut it into clips, or let a study take longer ones "
        "(prepare: max_seconds)",
    )
