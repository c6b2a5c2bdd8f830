"""Drive the TTS model: phrases with set word times, placed into silence of the video's length.

A phrase is a run of words without a pause. Inside a word the voice keeps its own proportions; only the word is
stretched. The phrase is spoken alone and laid where its first word begins: the sound of the model comes EARLY_S before
the time that its durations state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from syncvoice import clocks
from syncvoice.networks.kokoro import FRAME, FRAME_S, MAX_SYMBOLS, Kokoro, Prediction, whole_frames
from syncvoice.timed_speech.boundaries import relaxed
from syncvoice.timed_speech.script import ScriptWord

Span = tuple[float, float]
EARLY_S = 0.055
PAUSE_S = 0.16  # gaps between words from here on are real silence
SHORTEST_S = 0.04  # of a word that is wanted
LEVEL_RMS = 0.065  # of speech for a silent source
QUIET = 0.03  # of the loudest 20 ms: below is no speech (-30 dB)
PEAK = 0.95
FADE_S = 0.02
# The last symbol of a phrase swallows the silence after it. This share of its frames, within limits, is sound (measured
# on four voices and five sentences).
LAST_SHARE, LAST_FRAMES = 0.28, (2.0, 6.0)


class Spoken(NamedTuple):
    """Sound (960 * n_frames,) float64 at 24 kHz, level as the model gives it, and when each word sounds (seconds)."""

    sound: np.ndarray
    spans: list[Span]


@dataclass(frozen=True)
class PhrasePlan:
    """Words first .. last - 1 of a script, the symbols they are spoken from, and what the model says of them.

    Attributes:
        first, last: of the script.
        letters: symbols, marks and spaces.
        word_of: (symbols + 2,) word of the phrase that a symbol belongs to, -1 for the ends and -2 for a space.
        prediction: durations at the voice's own rate.
    """

    first: int
    last: int
    letters: str
    word_of: np.ndarray
    prediction: Prediction

    @property
    def last_symbol(self) -> int:
        """Place of the last symbol that belongs to a word."""
        return int(np.flatnonzero(self.word_of >= 0)[-1])

    def sounding(self) -> np.ndarray:
        """Own frames of every symbol, without the silence that the last one swallows."""
        frames = self.prediction.frames.astype(np.float64)
        last = frames[self.last_symbol]
        frames[self.last_symbol] = min(last, float(np.clip(LAST_SHARE * last, *LAST_FRAMES)))
        return frames

    def natural(self) -> np.ndarray:
        """Own durations of the words in seconds; a space belongs to the word before it."""
        frames = self.sounding()
        seconds = np.array([frames[self.word_of == word].sum() for word in range(self.last - self.first)])
        for place in np.flatnonzero(self.word_of == -2):
            seconds[self.word_of[place - 1]] += frames[place]
        return np.asarray(seconds * FRAME_S)


class NaturalSpeaker:
    """A voice that speaks scripts; the model stays loaded."""

    def __init__(self, network: Kokoro, style: np.ndarray) -> None:
        """Speak with `style` (256,) through `network`."""
        self.network, self.style = network, style

    def plan(self, script: Sequence[ScriptWord], pauses: Sequence[int] = ()) -> list[PhrasePlan]:
        """Cut a script before the words in `pauses` and where it is longer than the model reads; predict durations."""
        edges = sorted({0, *pauses, len(script)})
        plans = []
        for first, last in zip(edges, edges[1:], strict=False):
            for begin, end in _short_enough(script, first, last):
                letters, word_of = _symbols(script[begin:end], last == len(script) and end == last)
                plans.append(PhrasePlan(begin, end, letters, word_of, self.network.predict(letters, self.style)))
        return plans

    def natural(self, script: Sequence[ScriptWord]) -> np.ndarray:
        """Own durations (words,) of a script spoken without pauses, in seconds."""
        return np.concatenate([plan.natural() for plan in self.plan(script)])

    def plainly(self, script: Sequence[ScriptWord]) -> np.ndarray:
        """Speak a script at the voice's own rate, without silence around it: float64 (samples,) at 24 kHz."""
        ends = np.cumsum(self.natural(script)) + EARLY_S
        spans = list(zip(np.concatenate([[EARLY_S], ends[:-1]]).tolist(), ends.tolist(), strict=True))
        return self.speak(script, spans, int(np.ceil((ends[-1] + EARLY_S) * clocks.FPS))).sound

    def filling(self, script: Sequence[ScriptWord], n_frames: int) -> Spoken:
        """Speak a script, its own silences around it included, at the one speed that fills a video.

        Raises:
            ValueError: the video is too short for the script.
        """
        plans = self.plan(script)
        own = np.concatenate([plan.prediction.frames for plan in plans])
        frames = whole_frames(own, total=clocks.samples(n_frames) // FRAME)
        edges = np.cumsum([0, *(len(plan.prediction.frames) for plan in plans)])
        sound, spans, begun = np.zeros(clocks.samples(n_frames)), [], 0
        for plan, first, last in zip(plans, edges[:-1], edges[1:], strict=True):
            part = frames[first:last]
            audio = self.network.speak(plan.letters, self.style, plan.prediction, part.tolist())
            sound[begun : begun + len(audio)] = audio
            spans += spans_of(plan, part, begun / clocks.SAMPLE_RATE)
            begun += len(audio)
        return Spoken(sound, spans)

    def speak(self, script: Sequence[ScriptWord], spans: Sequence[Span], n_frames: int) -> Spoken:
        """Speak a script at the wanted times of its words.

        Args:
            script: the words.
            spans: start and end of every word in seconds, rising.
            n_frames: length of the video at 25 fps.
        """
        starts = np.array([start for start, _ in spans])
        ends = np.array([end for _, end in spans])
        pauses = [word for word in range(1, len(script)) if starts[word] - ends[word - 1] >= PAUSE_S]
        sound, found, limit = np.zeros(clocks.samples(n_frames)), [], 0.0
        for plan in self.plan(script, pauses):
            wanted = np.append(starts[plan.first : plan.last], ends[plan.last - 1])
            bounds = relaxed(_rising(np.maximum(wanted, limit)), plan.natural())
            bounds += max(0.0, limit - bounds[0])
            found += self._lay(plan, bounds, sound)
            limit = found[-1][1]
        return Spoken(sound, found)

    def _lay(self, plan: PhrasePlan, bounds: np.ndarray, sound: np.ndarray) -> list[Span]:
        """Add a phrase to a sound; returns when its words sound."""
        frames = frames_of(plan, bounds)
        audio = self.network.speak(plan.letters, self.style, plan.prediction, frames.tolist()).astype(np.float64)
        begins = float(bounds[0]) - (int(frames[0]) * FRAME_S - EARLY_S)
        offset = round(begins * clocks.SAMPLE_RATE)
        first = max(0, -offset)
        part = faded(audio[first : first + max(0, len(sound) - max(0, offset))])
        sound[max(0, offset) : max(0, offset) + len(part)] += part
        return spans_of(plan, frames, begins)


def _short_enough(script: Sequence[ScriptWord], first: int, last: int) -> list[tuple[int, int]]:
    """Cut words into pieces that the model reads, after marks where that is possible."""
    pieces: list[tuple[int, int]] = []
    begin = first
    while begin < last:
        end, size, mark = begin, 0, begin
        while end < last and size + len(script[end].letters) + 2 <= MAX_SYMBOLS:
            size += len(script[end].letters) + 2
            end += 1
            mark = end if script[end - 1].mark else mark
        end = mark if end < last and mark > begin else max(end, begin + 1)
        pieces.append((begin, end))
        begin = end
    return pieces


def _symbols(words: Sequence[ScriptWord], is_end: bool) -> tuple[str, np.ndarray]:
    """Symbols of a phrase and the word of each, ends included; the last mark closes it."""
    letters, word_of = "", [-1]
    for number, word in enumerate(words):
        final = number == len(words) - 1
        letters += word.letters
        word_of += [number] * len(word.letters)
        if final:
            letters += word.mark or ("." if is_end else ",")
            word_of.append(-1)
        else:
            letters += word.mark + " "
            word_of += [number] * len(word.mark) + [-2]
    return letters, np.array([*word_of, -1])


def frames_of(plan: PhrasePlan, bounds: np.ndarray) -> np.ndarray:
    """Whole frames of every symbol, so that words lie between `bounds` (words + 1,), to half a frame.

    Boundaries are rounded, not durations; every symbol keeps at least one frame.
    """
    frames, last = plan.sounding(), plan.last_symbol
    factor = np.diff(bounds) / plan.natural()
    spoken = np.zeros(last)
    for place in range(1, last + 1):
        word = plan.word_of[place]
        spoken[place - 1] = frames[place] * factor[plan.word_of[place - 1] if word == -2 else word]
    edges = np.concatenate([[0.0], np.cumsum(spoken)])
    whole = np.zeros(last + 1, np.int64)
    for number in range(1, last + 1):
        whole[number] = max(whole[number - 1] + 1, round(float(edges[number])))
    spoken_frames = np.diff(whole)
    spoken_frames[-1] += round(float(plan.prediction.frames[last] - frames[last]))
    rest = np.maximum(1, np.rint(frames[last + 1 :])).astype(np.int64)
    return np.concatenate([[max(1, round(float(frames[0])))], spoken_frames, rest])


def spans_of(plan: PhrasePlan, frames: np.ndarray, begins: float) -> list[Span]:
    """When the words of a phrase sound (seconds), from the frames of its symbols and where its audio begins."""
    edges = np.concatenate([[0.0], np.cumsum(frames)]) * FRAME_S - EARLY_S + begins
    excess = float(plan.prediction.frames[plan.last_symbol] - plan.sounding()[plan.last_symbol])
    swallowed = min(excess, float(frames[plan.last_symbol]) - 1)
    spans = []
    for word in range(plan.last - plan.first):
        symbols = np.flatnonzero(plan.word_of == word)
        spans.append((float(edges[symbols[0]]), float(edges[symbols[-1] + 1])))
    spans[-1] = (spans[-1][0], spans[-1][1] - swallowed * FRAME_S)
    return spans


def _rising(wanted: np.ndarray) -> np.ndarray:
    """Move boundaries apart where one does not come after the other."""
    rising = wanted.copy()
    for number in range(1, len(rising)):
        rising[number] = max(rising[number], rising[number - 1] + SHORTEST_S)
    return rising


def faded(audio: np.ndarray) -> np.ndarray:
    """Fade both ends, so that silence beside them makes no click."""
    size = min(round(FADE_S * clocks.SAMPLE_RATE), len(audio) // 2)
    if not size:
        return audio
    ramp = np.linspace(0, 1, size)
    audio = audio.copy()
    audio[:size] *= ramp
    audio[-size:] *= ramp[::-1]
    return audio


def speech_level(audio: np.ndarray) -> float:
    """RMS of the loud stretches (20 ms) of a sound (samples,) at 24 kHz; 0 for silence."""
    window = clocks.SAMPLE_RATE // 50
    windows = audio[: len(audio) // window * window].reshape(-1, window).astype(np.float64)
    if not len(windows):
        return 0.0
    power = np.mean(windows**2, axis=1)
    return float(np.sqrt(power[power >= QUIET**2 * power.max()].mean()))


def levelled(sound: np.ndarray, level: float) -> np.ndarray:
    """Bring speech to a level (RMS of its loud stretches), as far as it does not clip; float32."""
    own = speech_level(sound)
    if own <= 0:
        return sound.astype(np.float32)
    gain = min(level / own, PEAK / float(np.abs(sound).max()))
    return (gain * sound).astype(np.float32)
