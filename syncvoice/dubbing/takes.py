"""Several takes of a cue, and which is the best: by the likeness of the voice, then by the words that are heard."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.dubbing.script import Cue

TIE = 0.02  # of the cosine: takes that are no further from the best are equally alike, and their words decide


@dataclass(frozen=True)
class Judged:
    """A take: its seed, cosine to the recording (-1 where no voice is heard), and missed words (0 if none listened)."""

    seed: int
    likeness: float
    missed: float = 0.0


def best_take(judged: list[Judged]) -> Judged:
    """Return the best take: among those nearly as alike as the most alike one, the one with the fewest missed words."""
    most = max(one.likeness for one in judged)
    near = [one for one in judged if one.likeness >= most - TIE]
    return min(near, key=lambda one: (one.missed, -one.likeness))


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
        judged = [self._judge(cue, seed, sound) for seed, sound in takes.items()]
        best = best_take(judged)
        heard = "" if self._missed is None else ", {:.0%} missed"
        told = ", ".join(f"seed {one.seed} {one.likeness:.2f}{heard.format(one.missed)}" for one in judged)
        return best.seed, f"{cue.where()}: seed {best.seed} is the best of {len(judged)} (likeness by GE2E: {told})"

    def _judge(self, cue: Cue, seed: int, sound: np.ndarray) -> Judged:
        """Judge one take."""
        found, wanted = self._embed(sound), self._wanted[cue.speaker]
        likeness = -1.0 if found is None or wanted is None else float(found @ wanted)
        return Judged(seed, likeness, 0.0 if self._missed is None else self._missed(sound, cue.text))

    def _embed(self, sound: np.ndarray) -> np.ndarray | None:
        """GE2E embedding of a sound at 24 kHz, None where no voice is found."""
        from syncvoice.networks.ge2e import NoVoice

        try:
            return self._network.embed(resample(np.asarray(sound), clocks.SAMPLE_RATE, clocks.SCORER_SAMPLE_RATE))
        except NoVoice:
            return None
