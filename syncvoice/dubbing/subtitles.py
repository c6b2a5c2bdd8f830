"""From a subtitle file, or the subtitle track of a video, to cues with times and speakers of their own."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from syncvoice import clocks
from syncvoice.dubbing.arranging import apart
from syncvoice.dubbing.script import MAX_SECONDS, Cue, check_frames
from syncvoice.dubbing.speakers import Turn, turns_of
from syncvoice.dubbing.tracks import holds_media, track_entries
from syncvoice.errors import UserError
from syncvoice.text.subtitles import read_entries

TOLD = 5  # sounds that a note names


def read_subtitles(path: Path, n_frames: int, voices: Collection[str] = (), track: str = "",
                   language: str = "en") -> tuple[list[Cue], list[str]]:  # fmt: skip
    """Read cues; markup is removed, lines of a cue are joined, sounds and songs stay silent.

    Args:
        path: SubRip, WebVTT or SubStation in UTF-8 or UTF-16, or a video with a subtitle track.
        n_frames: length of the video; a cue that reaches beyond it is cut.
        voices: names that a voice was given for, see `turns_of`.
        track: number (from 1) or language of a video's track, "" takes the first in `language`, else the first.
        language: of the texts.

    Returns:
        cues in order of time, those that speak apart from each other, and notes.

    Raises:
        UserError: the file cannot be read; a cue is too long or starts after the video.
    """
    notes: list[str] = []
    if holds_media(path):
        entries, told = track_entries(path, track, language)
        notes.append(told)
    else:
        entries = read_entries(path)
    if not entries:
        raise UserError(f"{path} holds no cue; expected subtitles with times and texts")
    check_frames(n_frames)
    turns = turns_of(entries, voices)
    parts, cues = Counter(turn.place for turn in turns), []
    for turn in turns:
        cue = _cue(turn, parts[turn.place] > 1)
        if cue.start >= n_frames:
            raise UserError(
                f"{path}: {cue.where()} starts after the video's end ({n_frames / clocks.FPS:.2f} s); check that the "
                "subtitles belong to this video"
            )
        if cue.stop > n_frames:
            notes.append(f"{cue.where()} reaches beyond the video and is cut at {n_frames / clocks.FPS:.2f} s")
            cue = replace(cue, stop=n_frames)
        cues.append(cue)
    cues, moved = apart(cues, n_frames)
    for cue in cues:
        if cue.seconds > MAX_SECONDS and not cue.silent:
            raise UserError(f"{path}: {cue.where()} is longer than {MAX_SECONDS} s; split it")
    return cues, [*notes, *_told_sounds(turns), *_told_speakers(cues), *moved]


def _cue(turn: Turn, shared: bool) -> Cue:
    """Return a turn as a cue; its name is unique, the printed number is a label for people."""
    place, label = turn.place, turn.entry.number
    name = f"cue {place}{chr(ord('a') + turn.part) if shared and turn.part < 26 else ''}"
    name = name if turn.part < 26 else f"{name} part {turn.part}"
    name = name if label in (None, place) else f"{name} (numbered {label})"
    start, stop = (round(time * clocks.FPS) for time in (turn.entry.start_s, turn.entry.end_s))
    text = turn.text or turn.entry.text
    return Cue(name, text, max(0, start), max(0, stop), (place,), turn.speaker, silent=not turn.text)


def _told_sounds(turns: Sequence[Turn]) -> list[str]:
    """Return a note of the sounds inside texts that are spoken."""
    found = [f"{sound} in cue {turn.place}" for turn in turns if turn.text for sound in turn.sounds]
    if not found:
        return []
    more = f" and {len(found) - TOLD} more" if len(found) > TOLD else ""
    return [f"sounds and songs are not spoken: {', '.join(found[:TOLD])}{more}"]


def _told_speakers(cues: Sequence[Cue]) -> list[str]:
    """Return a note of the speakers that the subtitles name."""
    counts = Counter(cue.speaker for cue in cues if cue.speaker)
    if not counts:
        return []
    return [f"speakers: {', '.join(f'{name} ({count} cues)' for name, count in counts.items())}"]
