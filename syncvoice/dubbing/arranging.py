"""Give every cue a time of its own: short and overlapping ones are moved or joined, hurried ones borrow silence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from syncvoice import clocks
from syncvoice.dubbing.pace import Pace
from syncvoice.dubbing.script import MAX_SECONDS, MIN_FRAMES, Cue

GAP_FRAMES = 2  # kept between a cue that borrows silence and its neighbour


def apart(cues: Sequence[Cue], n_frames: int) -> tuple[list[Cue], list[str]]:
    """Return cues that are long enough and do not overlap, and notes of what was done for it.

    Short cues are lengthened, or joined with a touching one of the same speaker; of overlapping ones each takes its
    part by the length of its text. Cues that stay silent are passed on as they are.

    Args:
        cues: that begin before the video ends, in any order.
        n_frames: length of the video, at least MIN_FRAMES.

    Returns:
        cues in order of time; two that became one have both names.
    """
    short = {cue.name for cue in cues if cue.n_frames < MIN_FRAMES and not cue.silent}
    notes: list[str] = []
    long = sorted((_lengthened(cue, n_frames) for cue in cues if not cue.silent), key=lambda cue: cue.start)
    done: list[Cue] = []
    for cue in long:
        if not done or done[-1].stop <= cue.start:
            done.append(cue)
            continue
        pair, note = _parted(done.pop(), cue, short)
        done += pair
        notes.append(note)
    before = {cue.name: cue for cue in cues}
    for cue in done:
        if cue.name in short:
            notes.append(
                f"{before[cue.name].where()} is shorter than {MIN_FRAMES / clocks.FPS:.1f} s; it is spoken {_time(cue)}"
            )
    return sorted([*done, *(cue for cue in cues if cue.silent)], key=lambda cue: cue.start), notes


def _lengthened(cue: Cue, n_frames: int) -> Cue:
    """Return a cue of at least MIN_FRAMES: it ends later, or begins earlier where the video ends."""
    if cue.n_frames >= MIN_FRAMES:
        return cue
    start = min(cue.start, n_frames - MIN_FRAMES)
    return replace(cue, start=start, stop=start + MIN_FRAMES)


def _parted(first: Cue, second: Cue, short: set[str]) -> tuple[list[Cue], str]:
    """Return what two overlapping cues become, and a sentence about it."""
    stop = max(first.stop, second.stop)
    names = f"{first.where()} and {second.where()}"
    alone = first.speaker == second.speaker
    if alone and first.text == second.text:
        return [replace(first, stop=stop)], f"{names} say the same at the same time; it is spoken once"
    if stop - first.start < 2 * MIN_FRAMES or (alone and short & {first.name, second.name}):
        both = joined(first, second, stop)
        who = "" if alone else f", by {first.speaker or 'the first voice'}"
        return [both], f"{names} are too close for two pieces of speech; they are spoken as one{who}"
    share = _letters(first.text) / (_letters(first.text) + _letters(second.text))
    middle = first.start + round((stop - first.start) * share)
    middle = min(max(middle, second.start), first.stop, second.stop)
    middle = min(max(middle, first.start + MIN_FRAMES), stop - MIN_FRAMES)
    pair = [replace(first, stop=middle), replace(second, start=middle, stop=stop)]
    return pair, f"{names} overlap; the first is spoken {_time(pair[0])}, the second {_time(pair[1])}"


def joined(first: Cue, second: Cue, stop: int) -> Cue:
    """Return two cues as one, with the first one's speaker."""
    name = f"{first.name} + {second.name.removeprefix('cue ')}"
    text = f"{first.text} {second.text}"
    return replace(first, name=name, text=text, stop=stop, places=first.places + second.places)


def _letters(text: str) -> int:
    """Count letters and digits, at least one."""
    return max(1, sum(letter.isalnum() for letter in text))


def _time(cue: Cue) -> str:
    """Return from when to when, for notes."""
    return f"from {cue.start / clocks.FPS:.2f} to {cue.stop / clocks.FPS:.2f} s"


def paced(cues: Sequence[Cue], needed: Mapping[str, int], n_frames: int, language: str, pace: Pace,
          borrow: bool = True) -> tuple[list[Cue], list[str]]:  # fmt: skip
    """Return cues at a pace inside the limits where silence allows it, and notes of what was moved.

    Args:
        cues: of `apart`.
        needed: syllables by the cue's name, 0 for silent ones.
        n_frames: length of the video.
        language: of the texts.
        pace: limits; a cue that is too fast takes silence after itself, then before, up to `borrow_s` each. One that
            is too slow ends earlier, and silence follows.
        borrow: False leaves the times as they are.
    """
    done, notes = list(cues), []
    speaking = [place for place, cue in enumerate(done) if needed[cue.name]]
    for number, place in enumerate(speaking if borrow else ()):
        cue = done[place]
        floor = done[speaking[number - 1]].stop + GAP_FRAMES if number else 0
        ceiling = done[speaking[number + 1]].start - GAP_FRAMES if number + 1 < len(speaking) else n_frames
        done[place] = moved = _moved(cue, needed[cue.name], (floor, ceiling), language, pace)
        if moved.n_frames > cue.n_frames:
            late, early = ((moved.stop - cue.stop) / clocks.FPS, (cue.start - moved.start) / clocks.FPS)
            sides = [f"{seconds:.2f} s {side} it" for seconds, side in ((late, "after"), (early, "before")) if seconds]
            notes.append(f"{cue.where()} borrows silence: {' and '.join(sides)}")
        elif moved.n_frames < cue.n_frames:
            notes.append(f"{cue.where()} has few words; they are spoken {_time(moved)}, silence follows")
    return done, notes


def _moved(cue: Cue, needed: int, room: tuple[int, int], language: str, pace: Pace) -> Cue:
    """Return a cue of `needed` syllables with the time that its pace wants, within frames `room`."""
    least = math.ceil(needed / pace.fastest(language) * clocks.FPS - 1e-6)
    most = max(MIN_FRAMES, math.floor(needed / pace.slowest(language) * clocks.FPS + 1e-6))
    if cue.n_frames > most:
        return replace(cue, stop=cue.start + most)
    bound = math.floor(pace.borrow_s * clocks.FPS + 1e-6)
    missing = min(least, MAX_SECONDS * clocks.FPS) - cue.n_frames
    late = max(0, min(missing, bound, room[1] - cue.stop))
    early = max(0, min(missing - late, bound, cue.start - room[0]))
    return replace(cue, start=cue.start - early, stop=cue.stop + late)
