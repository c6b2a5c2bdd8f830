"""Visual hallucination: does a dub in another language say the phones that the lips show?

Conventions
-----------
Mono float32 at 16 kHz. The phones that the small recogniser hears (phone head, 100 frames per second) are compared with
the phones of what the clip says in its own language, and with those of what other clips of the same language say. A
model that reads words off the lips comes nearer to the own text than to the others; one that keeps to its script is as
far from all of them. Other texts are the `OTHERS` whose number of phones is nearest, so that length tells nothing.
Defined for dubs in another language than the video's. Measure and settings are our choice; the recogniser is small and
learned synthetic voices, so values of other speakers need controls of their own.

Heard phones are runs of the most likely class of at least `SHORTEST_S`. That length was chosen on the clips of
MiniDub's validation split, by the phone error of their own English sound; as an earlier draft of the measure had been
compared on test clips, the study `questions` shows it on validation clips only.

Metrics
-------
hallucination.MODEL  phone error rate against the clip's own text, minus its mean against other clips' texts. 0: the own
                     text is as far as any other; negative: the dub says the source's phones. The clip's own sound shows
                     how low it can be, the same voice saying the translation what 0 looks like.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.files import sha256_of
from syncvoice.metrics.scorer import NotApplicable, Score, ScoreError, Scorer, Sources, Utterance, is_silent
from syncvoice.metrics.words.counting import count_errors
from syncvoice.text.alignment import SILENCE, phones_of_text
from syncvoice.text.grid_grammar import spoken_text

if TYPE_CHECKING:
    from syncvoice.networks.recogniser import CtcRecogniser

SHORTEST_S = 0.03
OTHERS = 8  # texts of other clips; their mean then varies less than the error against the own text


def heard_phones(log_probs: np.ndarray, phones: Sequence[str], frames_per_second: float) -> list[str]:
    """Return the phones that a recogniser hears, without silences; equal neighbours count once.

    Args:
        log_probs: (frames, phones).
        phones: classes in the order of the columns.
        frames_per_second: of `log_probs`.

    >>> best = np.array([1, 1, 1, 2, 1, 1, 1, 0, 0, 0, 1, 1, 1])
    >>> heard_phones(np.eye(3)[best], ["_", "a", "b"], 100.0)
    ['a', 'a']
    """
    shortest = round(SHORTEST_S * frames_per_second)
    runs = [phone for phone, run in groupby(log_probs.argmax(axis=1).tolist()) if len(list(run)) >= shortest]
    return [phones[phone] for phone, _ in groupby(runs) if phones[phone] != SILENCE]


def source_phones(clip: Any) -> tuple[str, ...]:
    """Return the phones of what a clip says: those that its manifest knows, else those of espeak-ng.

    Raises:
        UserError: espeak-ng is needed and missing.
    """
    known = tuple(phone for phone, _, _ in clip.phones if phone != SILENCE)
    return known or tuple(phones_of_text(spoken_text(clip.text, clip.source), clip.language)[0])


def phone_error(text: Sequence[str], heard: Sequence[str]) -> float:
    """Substitutions, deletions and insertions over the phones of a text."""
    return count_errors(" ".join(text), " ".join(heard)).rate


def nearest_in_length(own: Sequence[str], others: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """Return the `OTHERS` texts with the number of phones nearest to the own one's; ties go by the phones."""
    return sorted(others, key=lambda other: (abs(len(other) - len(own)), tuple(other)))[:OTHERS]


def hallucination(heard: Sequence[str], own: Sequence[str], others: Sequence[Sequence[str]]) -> float:
    """Phone error rate of heard phones against the own text, minus the mean of those against other texts.

    >>> hallucination(["a", "b"], ["a", "b"], [["c", "d"], ["a", "c"]])
    -0.75
    """
    return phone_error(own, heard) - float(np.mean([phone_error(other, heard) for other in others]))


class HallucinationScorer(Scorer):
    """Compare what the small recogniser hears with the texts of the videos."""

    NAME = "ctc_phones"
    METRICS = ("hallucination",)

    def __init__(self, recogniser: "CtcRecogniser", clips: Mapping[str, Any], weights_sha256: str = "") -> None:
        """Score with a loaded recogniser; clips: id -> manifest entry with `text`, `language`, `source`, `phones`."""
        self._recogniser: Any = recogniser
        self._clips = clips
        self._phones: dict[str, tuple[str, ...]] = {}
        self.weights_sha256 = weights_sha256

    @classmethod
    def from_sources(cls, sources: Sources) -> "HallucinationScorer":
        """Load the recogniser from the weights folder."""
        from syncvoice.networks.recogniser import CtcRecogniser

        path = sources.weight_file("recogniser")
        return cls(CtcRecogniser.load(path), sources.clips, sha256_of(path))

    def score(self, utterance: Utterance) -> list[Score]:
        """Score one utterance.

        Raises:
            NotApplicable: the dub is in the language of the video, or the clip or another text is unknown.
            ScoreError: the sound is silent.
        """
        clip = self._clips.get(utterance.row["clip"])
        if clip is None:
            raise NotApplicable("the clip is not in the manifest: what the lips say is unknown")
        if clip.language == utterance.row["language"]:
            raise NotApplicable("the dub is in the language of the video: it may well say what the lips say")
        if is_silent(utterance.audio_16k):
            raise ScoreError("sound is silent: no phone to hear")
        own = self._of_text(clip)
        texts = {self._of_text(other) for other in self._clips.values() if other.language == clip.language}
        others = nearest_in_length(own, (text for text in texts if text and text != own))
        if not own or not others:
            raise NotApplicable("no text of the video, or of another video in its language, to compare with")
        log_probs, fps = self._recogniser.phone_log_probs(utterance.audio_16k)
        heard = heard_phones(np.asarray(log_probs), self._recogniser.phones, fps)
        return [Score(f"hallucination.{self.NAME}", hallucination(heard, own, others))]

    def _of_text(self, clip: Any) -> tuple[str, ...]:
        """Phones of a clip's text, worked out once; none where it has no text."""
        if clip.id not in self._phones:
            self._phones[clip.id] = source_phones(clip) if clip.text.strip() else ()
        return self._phones[clip.id]
