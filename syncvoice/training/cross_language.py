"""Lips of another language over a clip's own speech: pairs that teach timing from the lips, and words from the text.

At inference in translation the lips say another text in another language. A model that saw only lips which belong to
its words takes phones from them. In these pairs the lips of a clip in another language stand in the place of the
clip's own, retimed so that syllable falls on syllable and a pause shows a mouth at rest; what they tell is when
somebody speaks, and nothing that is true of what. Our choice throughout, for the study `questions`.
"""

from collections.abc import Sequence

import numpy as np

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.records.clips import Clip
from syncvoice.seeding import rng

# Of `text.phones.PHONE_CLASSES`: what can be the middle of a syllable, and silence.
VOWELS = frozenset("a ɑ ʌ aɪ aʊ æ ɛ eɪ ɪ i ɨ y u ʊ ɔ oʊ ɔɪ ə ɤ ɚ ɜ".split())
SILENCE = frozenset(("_", ""))
REST_S = 0.12  # a silence that lasts this long shows a mouth at rest


class CrossLanguagePairs:
    """Whose lips a clip is shown with."""

    def __init__(self, clips: Sequence[Clip], share: float, seed: int) -> None:
        """Group clips by language.

        Args:
            clips: of the training, with phone times.
            share: of the clips of an epoch that see another clip's lips.
            seed: of the recipe.

        Raises:
            UserError: all clips are in one language, or a language has no clip whose phone times are known.
        """
        self.share, self.seed = share, seed
        known = [clip for clip in clips if nuclei_of(clip)]
        self._others = {
            language: [clip for clip in known if clip.language != language]
            for language in sorted({clip.language for clip in clips})
        }
        lacking = [language for language, others in self._others.items() if not others]
        if lacking:
            raise UserError(
                f"cross_language: no training clip in another language than {lacking[0]!r} has phone times; the pairs "
                "need clips in two languages whose phones are known"
            )

    def lips_for(self, clip: Clip, epoch: int) -> Clip | None:
        """Return the clip whose lips stand in for those of `clip` in an epoch; None: it keeps its own."""
        draw = rng(self.seed, "cross language", epoch, clip.id)
        if draw.random() >= self.share or not nuclei_of(clip):
            return None
        others = self._others[clip.language]
        return others[int(draw.integers(len(others)))]


def nuclei_of(clip: Clip) -> list[float]:
    """Return the middles of a clip's vowels in seconds."""
    return [(start + end) / 2 for symbol, start, end in clip.phones if symbol in VOWELS]


def retimed(features: np.ndarray, shown: Clip, spoken: Clip) -> np.ndarray:
    """Retime the lips of one clip to the syllables of another.

    Vowel k of `spoken` gets the lips of vowel k of `shown`; where that has fewer, its vowels are gone through to and
    fro. Between vowels time runs evenly, before the first and after the last at its own pace. In silences of `spoken`
    the lips are the mean of those that `shown` has in its own.

    Args:
        features: of the lips of `shown` (frames, dim).
        shown: whose lips; it has a vowel.
        spoken: whose speech; it has a vowel.

    Returns:
        (frames of spoken, dim), float32.
    """
    theirs, ours = np.array(nuclei_of(shown)), np.array(nuclei_of(spoken))
    to_and_fro = np.concatenate([theirs, theirs[-2:0:-1]])
    places = to_and_fro[np.arange(len(ours)) % len(to_and_fro)]
    times = _frame_times(spoken.n_frames)
    source = np.interp(times, ours, places) + np.minimum(times - ours[0], 0) + np.maximum(times - ours[-1], 0)
    moved = np.stack([np.interp(source, _frame_times(len(features)), column) for column in features.T], axis=1)
    resting = features[_silent(shown, len(features))]
    if len(resting):
        moved[_silent(spoken, spoken.n_frames)] = resting.mean(axis=0)
    return moved.astype(np.float32)


def _frame_times(n_frames: int) -> np.ndarray:
    """Middles of video frames in seconds, (n_frames,)."""
    return (np.arange(n_frames) + 0.5) / clocks.FPS


def _silent(clip: Clip, n_frames: int) -> np.ndarray:
    """Frames whose middle lies in a silence of at least REST_S, bool (n_frames,)."""
    last = clip.phones[-1][2]
    silences = [*clip.phones, ("_", last, n_frames / clocks.FPS)]  # manifests leave out the silence at the end
    times, silent = _frame_times(n_frames), np.zeros(n_frames, bool)
    for symbol, start, end in silences:
        if symbol in SILENCE and end - start >= REST_S:
            silent |= (times >= start) & (times < end)
    return silent
