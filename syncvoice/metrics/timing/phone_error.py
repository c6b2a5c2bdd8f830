"""The difference of phone start times, which both timing scorers report."""

from collections.abc import Sequence

import numpy as np

from syncvoice.text.alignment import AlignedPhone

Interval = tuple[str, float, float]  # symbol, start in seconds, end in seconds


def phone_time_error(aligned: Sequence[AlignedPhone], shown: Sequence[Interval]) -> float:
    """Mean absolute difference of start times in milliseconds.

    Args:
        aligned: phones of the sound.
        shown: (symbol, start_s, end_s) of the video, without silences, same length.

    Raises:
        ValueError: lengths differ or there is no phone.
    """
    if len(aligned) != len(shown) or not shown:
        raise ValueError(
            f"{len(aligned)} aligned and {len(shown)} shown phones; expected the same number, at least one"
        )
    differences = [abs(phone.start_s - start) for phone, (_, start, _) in zip(aligned, shown, strict=True)]
    return float(1000 * np.mean(differences))
