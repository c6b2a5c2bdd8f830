"""Forced alignment: when is each phone of a known sequence spoken?

A Viterbi search over the phone sequence, with optional silence at its ends and between words, against log probabilities
of phones per frame. Numpy only; any recogniser that gives phones per frame will do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from syncvoice.text.grid_grammar import spoken_text
from syncvoice.text.language import LANGUAGES

SILENCE = "_"
WORD_SLACK_S = 0.04  # by which a phone may leave its word: word times are whole video frames or coarser (our choice)
FORBIDDEN = -1e6  # log probability of a phone outside its word; finite, so that too narrow words still align


@dataclass(frozen=True)
class AlignedPhone:
    """A phone with its times in seconds."""

    symbol: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class _States:
    """A left-to-right chain: class of every state, whether it may be skipped, index of its phone (-1: silence)."""

    classes: np.ndarray
    optional: np.ndarray
    phone: np.ndarray


def viterbi(emission: np.ndarray, optional: np.ndarray) -> np.ndarray:
    """Best monotone assignment of frames to a chain of states.

    Args:
        emission: (frames, states) log probability of every state's class in every frame, states in order.
        optional: (states,) bool, True where a state may take no frame; two optional states never stand side by side.

    Returns:
        (frames,) int state of every frame: starts in the first state, ends in the last (or the one beside it if that is
        optional), never goes back.

    Raises:
        ValueError: fewer frames than states that must take one.
    """
    needed = int((~optional).sum())
    frames, states = emission.shape
    if frames < needed:
        raise ValueError(f"{frames} frames cannot hold {needed} phones; the sound is too short for its script")
    score = np.full(states, -np.inf)
    score[0] = emission[0, 0]
    if optional[0] and states > 1:
        score[1] = emission[0, 1]
    skippable = np.append(False, optional[:-1])[:states]  # the state before this one may be skipped
    origin = np.zeros((frames, states), np.int64)
    everyone = np.arange(states)
    for frame in range(1, frames):
        step = np.append(-np.inf, score[:-1])
        jump = np.append([-np.inf, -np.inf], score[:-2])[:states]
        choices = np.stack([score, step, np.where(skippable, jump, -np.inf)])
        back = choices.argmax(0)  # 0 stay, 1 next, 2 skip
        origin[frame] = back
        score = choices[back, everyone] + emission[frame]
    return _trace(origin, score, bool(optional[-1]))


def _trace(origin: np.ndarray, score: np.ndarray, last_optional: bool) -> np.ndarray:
    """Follow the back pointers (frames, states) from the better final state."""
    frames, states = origin.shape
    state = states - 1
    if last_optional and states > 1 and score[-2] > score[-1]:
        state = states - 2
    path = np.empty(frames, np.int64)
    for frame in range(frames - 1, -1, -1):
        path[frame] = state
        state -= origin[frame, state]
    return path


def align(
    log_probs: np.ndarray,
    frames_per_second: float,
    symbols: Sequence[str],
    inventory: Sequence[str],
    word_starts: Sequence[int] | None = None,
    windows: Sequence[tuple[float, float]] | None = None,
) -> list[AlignedPhone]:
    """Align a phone sequence to a sound.

    Args:
        log_probs: (frames, classes); frame i covers i / fps to (i + 1) / fps.
        frames_per_second: of `log_probs`.
        symbols: phones in order, without silences.
        inventory: symbol of every class; must hold "_" for silence.
        word_starts: indices of phones before which there may be a pause; None allows one before every phone.
        windows: (start_s, end_s) of every phone, outside which it is not looked for; None looks everywhere.

    Returns:
        One entry per phone, in order.

    Raises:
        ValueError: no phone, an unknown symbol, or a sound that is too short.
    """
    index = {symbol: number for number, symbol in enumerate(inventory)}
    unknown = sorted({symbol for symbol in (*symbols, SILENCE) if symbol not in index})
    if unknown or not symbols:
        raise ValueError(f"cannot align {len(symbols)} phones; symbols that the recogniser does not know: {unknown}")
    chain = _chain([index[symbol] for symbol in symbols], index[SILENCE], word_starts)
    emission = np.asarray(log_probs, np.float64)[:, chain.classes]  # (frames, states)
    if windows is not None:
        emission[outside(len(emission), frames_per_second, chain.phone, np.asarray(windows))] = FORBIDDEN
    path = viterbi(emission, chain.optional)
    phone_of_frame = chain.phone[path]
    aligned = []
    for number, symbol in enumerate(symbols):
        frames = np.flatnonzero(phone_of_frame == number)
        aligned.append(AlignedPhone(symbol, frames[0] / frames_per_second, (frames[-1] + 1) / frames_per_second))
    return aligned


def outside(frames: int, frames_per_second: float, phone: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Which frames, by their centres, lie outside the windows of which states: bool (frames, states).

    Args:
        frames, frames_per_second: of the sound.
        phone: (states,) index of the phone of every state, -1 for silence, which may be anywhere.
        windows: (phones, 2) start and end of every phone's window in seconds.
    """
    centre = ((np.arange(frames) + 0.5) / frames_per_second)[:, None]
    start, end = windows[phone].T  # silences take the last window, which does not count
    return (phone >= 0) & ((centre < start) | (centre > end))


def _chain(classes: Sequence[int], silence: int, word_starts: Sequence[int] | None) -> _States:
    """States of a phone sequence with optional silence at the ends and before the phones in `word_starts`."""
    pauses = set(range(len(classes))) if word_starts is None else {0, *word_starts}
    states: list[tuple[int, bool, int]] = []
    for number, phone in enumerate(classes):
        if number in pauses:
            states.append((silence, True, -1))
        states.append((phone, False, number))
    states.append((silence, True, -1))
    columns = zip(*states, strict=True)
    return _States(*(np.array(column) for column in columns))


def phones_of_text(text: str, language: str) -> tuple[list[str], list[int]]:
    """Phones that a text is spoken with, from espeak-ng.

    Args:
        text: plain words.
        language: "en" or "zh".

    Returns:
        Phones of `syncvoice.text.phones.PHONE_CLASSES` without silences, and the indices of those that begin a word.

    Raises:
        UserError: espeak-ng is missing, or speaks a phoneme that is in no class.
    """
    from xml.sax.saxutils import escape

    from syncvoice.text.espeak import engine
    from syncvoice.text.phones import canonical_phones

    spoken = engine().synthesise(escape(text), LANGUAGES[language].espeak)
    words = sorted(event.sample for event in spoken.words)
    phones: list[str] = []
    starts: set[int] = set()
    for event in spoken.phonemes:
        symbols = canonical_phones(event.symbol)
        if symbols and words and event.sample >= words[0]:
            starts.add(len(phones))
            words = [sample for sample in words if sample > event.sample]
        phones += symbols
    return phones, sorted(starts | {0})


def align_text(recogniser: Any, audio: np.ndarray, text: str, language: str) -> list[AlignedPhone]:
    """When the phones of a known text are spoken in a sound.

    Args:
        recogniser: has `phones` and `phone_log_probs(audio)` (`syncvoice.networks.recogniser.CtcRecogniser`).
        audio: (samples,) at 16 kHz.
        text: what is said.
        language: "en" or "zh".

    Raises:
        ValueError: the text has no phone, or the sound is too short for it.
        UserError: espeak-ng is missing.
    """
    phones, starts = phones_of_text(text, language)
    log_probs, fps = recogniser.phone_log_probs(audio)
    return align(np.asarray(log_probs), fps, phones, recogniser.phones, starts)


def align_clip(recogniser: Any, audio: np.ndarray, clip: Any, use_words: bool = True) -> list[AlignedPhone]:
    """When the phones of a clip's text are spoken in a sound.

    Args:
        recogniser: as in `align_text`.
        audio: (samples,) at 16 kHz, the clip's own sound or another one of the same text.
        clip: has `text`, `language`, `source` and `words` (symbol, start_s, end_s).
        use_words: keep phones inside their words, where the clip's word times are known and espeak-ng speaks as many
            words as the clip has. Only for the clip's own sound.

    Raises:
        ValueError, UserError: as in `align_text`.
    """
    phones, starts = phones_of_text(spoken_text(clip.text, clip.source), clip.language)
    log_probs, fps = recogniser.phone_log_probs(audio)
    words = [word for word in clip.words if word[0] != SILENCE] if use_words else []
    windows = None
    if words and len(words) == len(starts):
        word_of_phone = np.searchsorted(starts, np.arange(len(phones)), side="right") - 1
        windows = [(words[w][1] - WORD_SLACK_S, words[w][2] + WORD_SLACK_S) for w in word_of_phone]
    return align(np.asarray(log_probs), fps, phones, recogniser.phones, starts, windows)


def word_times(aligned: Sequence[AlignedPhone], starts: Sequence[int]) -> list[tuple[float, float]]:
    """Start and end in seconds of every word of an alignment; `starts` are the indices of the words' first phones."""
    ends = [*starts[1:], len(aligned)]
    return [(aligned[first].start_s, aligned[end - 1].end_s) for first, end in zip(starts, ends, strict=True)]
