"""How far forced alignment is from known word times: the error bar of every phone time that it yields.

Every clip with known word times (GRID's `.align` files) is aligned from its sound and text alone
(`align_clip` without the word times), and the starts and ends of its words are compared with the known
ones. Those were forced-aligned too, by the makers of the corpus, to 40 ms or finer; they are the reference, not the
truth. Values are milliseconds; `bias_ms` is the mean of found minus known. Our choice of figures.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from syncvoice.clocks import SCORER_SAMPLE_RATE
from syncvoice.errors import UserError
from syncvoice.records.clips import Clip
from syncvoice.records.sound import sound_of
from syncvoice.text.alignment import SILENCE, align_clip, phones_of_text, word_times
from syncvoice.text.grid_grammar import spoken_text

COLUMNS = (
    "recogniser", "edge", "clips", "clips_failed", "words", "mean_abs_ms", "median_abs_ms", "p90_abs_ms",
    "within_50_ms", "bias_ms", "weights_sha256",
)  # fmt: skip
EDGES = ("start", "end")


def word_errors(recogniser: Any, clip: Clip) -> np.ndarray:
    """Found minus known times of a clip's words, seconds (words, 2): start and end.

    Raises:
        ValueError: the text cannot be aligned, or espeak-ng speaks another number of words than the clip has.
    """
    known = np.array([(start, end) for symbol, start, end in clip.words if symbol != SILENCE])
    _, starts = phones_of_text(spoken_text(clip.text, clip.source), clip.language)
    if len(starts) != len(known):
        raise ValueError(f"{len(known)} known words, espeak-ng speaks {len(starts)}")
    sound = sound_of(clip, SCORER_SAMPLE_RATE)
    return np.array(word_times(align_clip(recogniser, sound, clip, use_words=False), starts)) - known


def alignment_report(recognisers: Mapping[str, tuple[Any, str]], clips: Sequence[Clip]) -> list[dict[str, object]]:
    """Errors of every recogniser; rows as COLUMNS, one per recogniser and edge.

    Args:
        recognisers: name -> (recogniser, digest of its weights).
        clips: of a split that no recogniser learned from; those without word times are passed over.

    Raises:
        UserError: no clip has word times.
    """
    known = [clip for clip in clips if clip.words]
    if not known:
        raise UserError(f"none of {len(clips)} clips has word times; the alignment report needs them")
    rows = []
    for name, (recogniser, digest) in recognisers.items():
        found: list[np.ndarray] = []
        failed = 0
        for clip in known:
            try:
                found.append(word_errors(recogniser, clip))
            except ValueError:
                failed += 1  # a column of the table
        errors = 1000 * np.concatenate(found) if found else np.full((1, 2), np.nan)
        shared = {"recogniser": name, "clips": len(known), "clips_failed": failed, "weights_sha256": digest}
        rows += [{**shared, "edge": edge, **figures(errors[:, k])} for k, edge in enumerate(EDGES)]
    return rows


def figures(errors: np.ndarray) -> dict[str, float]:
    """Figures of errors in milliseconds (words,)."""
    size = np.abs(errors)
    return {
        "words": len(errors),
        "mean_abs_ms": float(size.mean()),
        "median_abs_ms": float(np.median(size)),
        "p90_abs_ms": float(np.quantile(size, 0.9)),
        "within_50_ms": float((size <= 50).mean()),
        "bias_ms": float(errors.mean()),
    }


def markdown(rows: Sequence[Mapping[str, Any]]) -> str:
    """The table for people."""
    lines = [
        "# Forced alignment against known word times", "",
        "Words of clips that no recogniser learned from, aligned from sound and text alone.", "",
        "| Recogniser | Edge | Clips (failed) | Words | Mean abs (ms) | Median abs (ms) | 90 % below (ms) |"
        " Within 50 ms | Bias (ms) |",
        "| --- |" + " --- |" * 8,
    ]  # fmt: skip
    for row in rows:
        lines.append(
            f"| {row['recogniser']} | {row['edge']} | {row['clips']} ({row['clips_failed']}) | {row['words']} |"
            f" {row['mean_abs_ms']:.0f} | {row['median_abs_ms']:.0f} | {row['p90_abs_ms']:.0f} |"
            f" {100 * row['within_50_ms']:.0f} % | {row['bias_ms']:+.0f} |"
        )
    return "\n".join(lines) + "\n"
