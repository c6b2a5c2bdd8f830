"""Several takes of a cue, and which is the best: by the likeness of the voice, then by the words that are heard."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.dubbing.script import Cue

TIE = 0.02  # of the cosine: takes that are no further from the best are equally alike, and their words decide


@dataclass(frozen=True)
class Judged:
    """A take: its seed, cosine to the recording (-1 where no voice is heard), missed words (None if none listened)."""

    seed: int
    likeness: float
    missed: float | None = None

    def told(self) -> str:
        """Return the take with its numbers."""
        heard = "" if self.missed is None else f" with {self.missed:.0%} of the words missed"
        return f"seed {self.seed} {self.likeness:.2f}{heard}"


def nearly_best(judged: Sequence[Judged]) -> list[Judged]:
    """Return the takes that are nearly as alike as the most alike one."""
    most = max(one.likeness for one in judged)
    return [one for one in judged if one.likeness >= most - TIE]


def best_take(judged: Sequence[Judged]) -> Judged:
    """Return the best take: among the most alike ones that with the fewest missed words."""
    return min(nearly_best(judged), key=lambda one: (one.missed or 0.0, -one.likeness))


class Jury:
    """Judges takes: GE2E, which no model of ours hears through, and Whisper where its weights are."""

    def __init__(self, references: Mapping[str, np.ndarray], language: str,
                 missed: Callable[[np.ndarray, str], float] | None = None) -> None:  # fmt: skip
        """Embed the recordings.

        Args:
            references: by speaker, (samples,) at 24 kHz.
            language: of the texts.
            missed: share of words that are not heard in a sound at 24 kHz of a text; None leaves the words out.
        """
        from syncvoice.networks.ge2e import Ge2eNetwork

        self._network, self._missed, self.language = Ge2eNetwork.installed(), missed, language
        self._wanted = {speaker: self._embed(sound) for speaker, sound in references.items()}

    def choose(self, cue: Cue, takes: Mapping[int, np.ndarray]) -> tuple[int, str]:
        """Return the seed of the best take, and a sentence with all of them."""
        judged = [Judged(seed, self._likeness(cue.speaker, sound)) for seed, sound in takes.items()]
        near = {one.seed for one in nearly_best(judged)}
        if self._missed is not None and len(near) > 1:  # listening takes seconds: only where it decides
            judged = [
                replace(one, missed=self._missed(takes[one.seed], cue.text)) if one.seed in near else one
                for one in judged
            ]
        best, told = best_take(judged), ", ".join(one.told() for one in judged)
        return best.seed, f"{cue.where()}: seed {best.seed} is the best of {len(judged)} (likeness by GE2E: {told})"

    def _likeness(self, speaker: str, sound: np.ndarray) -> float:
        """Cosine of a take to the speaker's recording; -1 where no voice is heard."""
        found, wanted = self._embed(sound), self._wanted[speaker]
        return -1.0 if found is None or wanted is None else float(found @ wanted)

    def _embed(self, sound: np.ndarray) -> np.ndarray | None:
        """GE2E embedding of a sound at 24 kHz, None where no voice is found."""
        from syncvoice.networks.ge2e import NoVoice

        try:
            return self._network.embed(resample(np.asarray(sound), clocks.SAMPLE_RATE, clocks.SCORER_SAMPLE_RATE))
        except NoVoice:
            return None
