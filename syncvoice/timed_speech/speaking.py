"""Drive the TTS model: phrases with set word times, placed into silence of the video's length.

A phrase is a run of words without a pause. Inside a word the voice keeps its own proportions; only the word is
stretched. The phrase is spoken alone and laid where its first word begins: the sound of the model comes EARLY_S before
the time that its durations state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from syncvoice import clocks
from syncvoice.networks.kokoro import FRAME_S, MAX_SYMBOLS, Kokoro, Prediction
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

    def natural(self) -> np.ndarray:
        """Own durations of the words in seconds; a space is shared by its neighbours."""
        frames = self.prediction.frames
        seconds = np.array([frames[self.word_of == word].sum() for word in range(self.last - self.first)])
        for place in np.flatnonzero(self.word_of == -2):
            before = self.word_of[place - 1]
            seconds[before : before + 2] += frames[place] / 2
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
        return self.speak(script, spans, int(np.ceil((ends[-1] + EARLY_S) * clocks.FPS)))

    def speak(self, script: Sequence[ScriptWord], spans: Sequence[Span], n_frames: int) -> np.ndarray:
        """Speak a script at the wanted times of its words.

        Args:
            script: the words.
            spans: start and end of every word in seconds, rising.
            n_frames: length of the video at 25 fps.

        Returns:
            (960 * n_frames,) float64 at 24 kHz, level as the model gives it.
        """
        starts = np.array([start for start, _ in spans])
        ends = np.array([end for _, end in spans])
        pauses = [word for word in range(1, len(script)) if starts[word] - ends[word - 1] >= PAUSE_S]
        sound = np.zeros(clocks.samples(n_frames))
        limit = 0.0
        for plan in self.plan(script, pauses):
            wanted = np.append(starts[plan.first : plan.last], ends[plan.last - 1])
            wanted = _rising(np.maximum(wanted, limit))
            bounds = relaxed(wanted, plan.natural())
            bounds += max(0.0, limit - bounds[0])
            limit = self._lay(plan, bounds, sound)
        return sound

    def _lay(self, plan: PhrasePlan, bounds: np.ndarray, sound: np.ndarray) -> float:
        """Add a phrase to a sound; returns where its last word ends."""
        frames = frames_of(plan, bounds)
        audio = self.network.speak(plan.letters, self.style, plan.prediction, frames.tolist()).astype(np.float64)
        lead = int(frames[0]) * FRAME_S - EARLY_S  # where the first word sounds in `audio`
        offset = round((bounds[0] - lead) * clocks.SAMPLE_RATE)
        first = max(0, -offset)
        part = faded(audio[first : first + len(sound) - max(0, offset)])
        sound[max(0, offset) : max(0, offset) + len(part)] += part
        return float(bounds[0] + frames[1 : _last_symbol(plan) + 1].sum() * FRAME_S)


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


def _last_symbol(plan: PhrasePlan) -> int:
    """Place of the last symbol that belongs to a word."""
    return int(np.flatnonzero(plan.word_of >= 0)[-1])


def frames_of(plan: PhrasePlan, bounds: np.ndarray) -> np.ndarray:
    """Whole frames of every symbol, so that words lie between `bounds` (words + 1,), to half a frame.

    Boundaries are rounded, not durations; every symbol keeps at least one frame.
    """
    frames, last = plan.prediction.frames, _last_symbol(plan)
    factor = np.diff(bounds) / plan.natural()
    spoken = np.zeros(last)
    for place in range(1, last + 1):
        word = plan.word_of[place]
        if word == -2:
            before = plan.word_of[place - 1]
            spoken[place - 1] = frames[place] * (factor[before] + factor[before + 1]) / 2
        else:
            spoken[place - 1] = frames[place] * factor[word]
    edges = np.concatenate([[0.0], np.cumsum(spoken)])
    whole = np.zeros(last + 1, np.int64)
    for number in range(1, last + 1):
        whole[number] = max(whole[number - 1] + 1, round(float(edges[number])))
    rest = np.maximum(1, np.rint(frames[last + 1 :])).astype(np.int64)
    return np.concatenate([[max(1, round(float(frames[0])))], np.diff(whole), rest])


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
