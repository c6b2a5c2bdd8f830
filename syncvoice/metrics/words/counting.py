"""Counting of word and character errors between two normalised texts.

Errors are the substitutions, deletions and insertions of the cheapest word alignment (Mandarin: characters). Every row
keeps its counts; the table shows the corpus rate, all errors over all words; the rate per utterance serves paired
tests. Lower is better; insertions can lift a rate above 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ErrorCounts:
    """Counts of one utterance or, added up, of a corpus; `words` is the length of the script."""

    errors: int
    words: int
    substitutions: int
    deletions: int
    insertions: int

    @property
    def rate(self) -> float:
        """Errors per word of the script."""
        return self.errors / self.words


def count_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Count word errors between two normalised texts; words are separated by spaces.

    >>> counts = count_errors("bin blue at f two now", "bin blue at f too now please")
    >>> counts.substitutions, counts.insertions, round(counts.rate, 3)
    (1, 1, 0.333)

    Raises:
        ValueError: the reference has no word, so a rate is not defined.
    """
    import jiwer

    words = reference.split()
    if not words:
        raise ValueError("the script has no word left after normalisation; an error rate is not defined")
    found = jiwer.process_words(" ".join(words), " ".join(hypothesis.split()))
    errors = found.substitutions + found.deletions + found.insertions
    return ErrorCounts(errors, len(words), found.substitutions, found.deletions, found.insertions)


def count_character_errors(reference: str, hypothesis: str) -> ErrorCounts:
    """Count character errors; spaces do not count. Raises ValueError for an empty reference."""
    return count_errors(" ".join("".join(reference.split())), " ".join("".join(hypothesis.split())))


def corpus_rate(counts: Sequence[ErrorCounts]) -> float:
    """All errors over all words.

    Raises:
        ValueError: there is no utterance.
    """
    if not counts:
        raise ValueError("a corpus rate needs at least one utterance")
    return sum(count.errors for count in counts) / sum(count.words for count in counts)
