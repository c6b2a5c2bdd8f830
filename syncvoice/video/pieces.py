"""Cut a long video at pauses of its sound into pieces, each with the text that is said in it. Our choice throughout.

Texts with times (subtitles or words) say what belongs together: no piece begins or ends inside one. Between two texts
the cut falls into the middle of the longest quiet stretch near the border; where none is long enough they stay
together. Pieces are as long as the limit allows, and what lies between texts with much silence is left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from syncvoice import clocks
from syncvoice.video.decode import FrameSource, Limits, fit, opened, read_sound
from syncvoice.video.media import ClipProblem
from syncvoice.video.mux import write_clip

Said = tuple[str, float, float]  # text, start in seconds, end in seconds
PAUSE_FRAMES = 5  # 0.2 s: shorter quiet stretches are stops of consonants
SLACK_FRAMES = 8  # by which subtitles may be early or late
MARGIN_FRAMES = 12  # of sound before the first and after the last text of a piece
QUIET_SHARE = 0.25  # of the way from the floor to loud speech, in decibels; what is below is a pause
FLOOR_DECIBELS = 40.0  # below loud speech; digital silence would set the floor much lower
QUIET_DECIBELS = 10.0  # that a pause is at least below loud speech: sound without pauses has none


@dataclass(frozen=True)
class Piece:
    """Frames [start, stop) of a video, what is said in them, and what is wrong with the piece."""

    start: int
    stop: int
    said: tuple[Said, ...]
    problem: ClipProblem | None = None

    @property
    def text(self) -> str:
        """The texts in one line."""
        return " ".join(text for text, _, _ in self.said)

    def shifted(self, items: Sequence[Said]) -> tuple[Said, ...]:
        """Return those of `items` that lie in the piece, with times from its start."""
        start, stop = self.start / clocks.FPS, self.stop / clocks.FPS
        return tuple((text, round(a - start, 6), round(b - start, 6)) for text, a, b in items if start <= a < stop)


def seconds_of(media: Path, limits: Limits) -> float:
    """Return how long a video says it is; one that says nothing is decoded.

    Raises:
        ClipProblem: the file cannot be used.
    """
    with opened(media) as container:
        seconds = (container.duration or 0) / 1e6
    return seconds or FrameSource(media, cache_bytes=0, limits=limits).count() / clocks.FPS


def cut_video(media: Path, said: Sequence[Said], folder: Path, name: str, longest_s: float, limits: Limits,
              ) -> Iterator[tuple[str, Path, Piece]]:  # fmt: skip
    """Write the pieces of a video to folder/NAME_000.mkv and so on; yield id, file and piece of each.

    A piece with a problem has no file.

    Raises:
        ClipProblem: the video cannot be used, or nothing says what is said when.
    """
    if not said:
        raise ClipProblem(
            "too_long",
            f"the video is longer than {longest_s:g} s and has no texts with times; put subtitles as "
            f"{media.stem}.srt beside it, or cut it into clips",
        )
    frames = FrameSource(media, cache_bytes=0, limits=limits)
    n_frames = frames.count()
    sound = fit(read_sound(media, frames.start_s, limits), clocks.samples(n_frames))
    stream, position = iter(frames), 0
    for number, piece in enumerate(plan_pieces(said, sound, round(longest_s * clocks.FPS))):
        clip = f"{name}_{number:03d}"
        path = folder / f"{clip}.mkv"
        if piece.problem is None:
            shown = islice(stream, piece.start - position, piece.stop - position)
            write_clip(path, shown, sound[slice(*map(clocks.samples, (piece.start, piece.stop)))], frames.pixel_shape)
            position = piece.stop
        yield clip, path, piece


def plan_pieces(said: Sequence[Said], sound: np.ndarray, longest: int) -> list[Piece]:
    """Group texts into pieces of at most `longest` frames that begin and end in pauses.

    Args:
        said: texts with times, in any order; what starts after the sound's end is left out.
        sound: (960 * frames,) at 24 kHz.
        longest: frames; a piece without a pause in time becomes longer and gets the problem no_pause.
    """
    n_frames = len(sound) // clocks.SAMPLES_PER_FRAME
    texts = [entry for entry in sorted(said, key=lambda entry: entry[1]) if _frames(entry)[0] < n_frames]
    if not texts:
        return []
    cuts = _cuts(texts, sound)
    pieces, first = [], 0
    while first < len(texts):
        ends = (k for k in range(first + 1, len(cuts)) if cuts[k] is not None)
        last = next(ends)
        piece = _piece(texts[first:last], cuts[first], cuts[last])
        for end in ends:
            longer = _piece(texts[first:end], cuts[first], cuts[end])
            if longer.stop - longer.start > longest:
                break
            last, piece = end, longer
        pieces.append(piece if piece.stop - piece.start <= longest else _too_long(piece, longest))
        first = last
    return pieces


def quiet_frames(sound: np.ndarray) -> np.ndarray:
    """Tell for every video frame of (960 * frames,) sound whether it is quiet, (frames,) bool."""
    power = (sound.reshape(-1, clocks.SAMPLES_PER_FRAME).astype(np.float64) ** 2).mean(axis=1)
    level = 10 * np.log10(power + 1e-12)
    loud = np.percentile(level, 95)
    floor = max(np.percentile(level, 5), loud - FLOOR_DECIBELS)
    return level < min(floor + QUIET_SHARE * (loud - floor), loud - QUIET_DECIBELS)


def _cuts(texts: Sequence[Said], sound: np.ndarray) -> list[int | None]:
    """Return the frame of the cut before each text, and of the end; None where no pause lies between two texts."""
    quiet = quiet_frames(sound)
    ends = np.maximum.accumulate([_frames(entry)[1] for entry in texts])
    between = [_cut(int(end), _frames(after)[0], quiet) for end, after in zip(ends, texts[1:], strict=False)]
    return [0, *between, len(quiet)]


def _cut(end: int, start: int, quiet: np.ndarray) -> int | None:
    """Return the middle of the longest pause around the border of two texts, None if there is none or they overlap."""
    if start < end - SLACK_FRAMES:
        return None
    low, high = max(min(end, start) - SLACK_FRAMES, 0), min(max(end, start) + SLACK_FRAMES, len(quiet))
    edges = np.diff(np.concatenate([[0], quiet[low:high], [0]]).astype(int))
    starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    if not len(starts) or (stops - starts).max() < PAUSE_FRAMES:
        return None
    longest = int((stops - starts).argmax())
    return low + int(starts[longest] + stops[longest]) // 2


def _piece(texts: Sequence[Said], low: int | None, high: int | None) -> Piece:
    """Return the piece of some texts between two cuts, with little silence around."""
    assert low is not None and high is not None
    start = max(low, min(_frames(entry)[0] for entry in texts) - MARGIN_FRAMES)
    stop = min(high, max(_frames(entry)[1] for entry in texts) + MARGIN_FRAMES)
    return Piece(start, stop, tuple(texts))


def _too_long(piece: Piece, longest: int) -> Piece:
    """Return the piece with its problem."""
    problem = ClipProblem(
        "no_pause",
        f"no pause of {PAUSE_FRAMES / clocks.FPS:g} s between {piece.start / clocks.FPS:.2f} and "
        f"{piece.stop / clocks.FPS:.2f} s, and a piece may last {longest / clocks.FPS:g} s; raise cut_above_seconds "
        "or cut the video by hand",
    )
    return Piece(piece.start, piece.stop, piece.said, problem)


def _frames(entry: Said) -> tuple[int, int]:
    """Return first frame and end of a text."""
    return round(entry[1] * clocks.FPS), round(entry[2] * clocks.FPS)
