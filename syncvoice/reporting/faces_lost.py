"""What perturbed videos cost the front-end: clips and frames whose face is lost, and how wrongly the lips are seen.

Conventions
-----------
A clip is lost when `prepare` excludes it; then it has no track, so frames are counted over the clips that are kept. The
gap between the inner lips, over the distance of the outer eye corners, is compared frame by frame with that of the same
clip before it was perturbed, over the frames in which the perturbed face was found or filled: turning and moving in the
plane of the picture leave it as it is. Means are over clips, with bootstrap intervals. Our choice of measures.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from syncvoice.reporting import statistics
from syncvoice.reporting.settings import Bootstrap

COLUMNS = (
    "split", "of", "kind", "amount", "clips", "clips_lost", "reasons", "frames", "frames_lost",
    "gap_error", "gap_error_low", "gap_error_high", "gap_correlation", "gap_correlation_low", "gap_correlation_high",
)  # fmt: skip
LIPS, EYES = (13, 14), (33, 263)  # points of the mesh: inner lips in the middle, outer eye corners


@dataclass(frozen=True)
class Seen:
    """A clip as the front-end sees it: landmarks (frames, 478, 3), and (frames,) whether the face was found."""

    landmarks: np.ndarray
    found: np.ndarray


def lip_gap(landmarks: np.ndarray) -> np.ndarray:
    """Return the gap between the lips (frames,) in outer eye distances, of landmarks (frames, 478, 3)."""
    lips, eyes = (
        np.linalg.norm(landmarks[:, first, :2] - landmarks[:, second, :2], axis=1) for first, second in (LIPS, EYES)
    )
    return np.asarray(lips / eyes)


def compare_gaps(clean: np.ndarray, perturbed: np.ndarray) -> tuple[float, float]:
    """Return mean absolute difference and correlation of two gaps (frames,); no correlation (NaN) if one is constant.

    Raises:
        ValueError: the lengths differ.
    """
    if len(clean) != len(perturbed):
        raise ValueError(f"gaps of {len(clean)} and {len(perturbed)} frames; expected the same number")
    still = min(clean.std(), perturbed.std()) < 1e-9
    correlation = np.nan if still else float(np.corrcoef(clean, perturbed)[0, 1])
    return float(np.abs(clean - perturbed).mean()), correlation


def faces_lost(clean: Mapping[str, Seen], kept: Mapping[str, Seen], reasons: Sequence[str], what: Mapping[str, Any],
               bootstrap: Bootstrap) -> dict[str, object]:  # fmt: skip
    """Return one line of the table, as COLUMNS.

    Args:
        clean: clips before they were perturbed, by id.
        kept: perturbed clips that could be prepared.
        reasons: why each of the others could not.
        what: split, of, kind and amount of the line.
        bootstrap: how intervals are made.

    Raises:
        ValueError: a perturbed clip has another length than the clean one.
    """
    pairs = [compare_gaps(lip_gap(clean[clip].landmarks), lip_gap(seen.landmarks)) for clip, seen in kept.items()]
    found = np.concatenate([seen.found for seen in kept.values()]) if kept else np.zeros(0, bool)
    line = {
        **what,
        "clips": len(kept) + len(reasons),
        "clips_lost": len(reasons),
        "reasons": ", ".join(f"{reason} {n}" for reason, n in sorted(Counter(reasons).items())),
        "frames": len(found),
        "frames_lost": int((~found).sum()),
    }
    for name, values in zip(("gap_error", "gap_correlation"), np.array(pairs).reshape(-1, 2).T, strict=True):
        options: Any = {"seed": bootstrap.seed, "resamples": bootstrap.resamples, "confidence": bootstrap.confidence}
        estimate = statistics.mean_estimate(values[np.isfinite(values)], name, what["split"], **options)
        line |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    return line


def markdown(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return the table for people."""
    text = [
        "# Faces lost in perturbed video", "",
        "A lost clip has no speech in the rows that see through its split. Gap: between the inner lips, against the"
        " same clip unperturbed, mean over clips with 95 % interval; its error in percent of the outer eye distance.",
        "",
        "| Split | Perturbation | Amount | Clips lost | Why | Frames without face | Gap error (%) | Gap correlation |",
        "| --- |" + " --- |" * 7,
    ]  # fmt: skip
    for line in lines:
        share = f" ({100 * line['frames_lost'] / line['frames']:.1f} %)" if line["frames"] else ""
        text.append(
            f"| {line['split']} | {line['kind']} | {line['amount']:g} | {line['clips_lost']} of {line['clips']} |"
            f" {line['reasons'] or '–'} | {line['frames_lost']} of {line['frames']}{share} |"
            f" {_interval(line, 'gap_error', 100, 1)} | {_interval(line, 'gap_correlation', 1, 2)} |"
        )
    return "\n".join(text) + "\n"


def _interval(line: Mapping[str, Any], name: str, scale: float, decimals: int) -> str:
    """Return a mean with its interval."""
    mean, low, high = (scale * line[key] for key in (name, f"{name}_low", f"{name}_high"))
    return "–" if np.isnan(mean) else f"{mean:.{decimals}f} [{low:.{decimals}f}, {high:.{decimals}f}]"
