"""Sound of real recordings for the metric tests, which skip where the recordings are not there."""

from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from syncvoice.audio import read_wav, resample
from tests.unit.clip_files import real_data


@lru_cache(maxsize=16)
def grid_sound(speaker: str, name: str, rate: int = 16_000) -> np.ndarray:
    """Sound of a GRID clip, (samples,) float32 at `rate`."""
    from syncvoice.video.decode import decode_sound

    path = real_data("grid") / speaker / f"{name}.mpg"
    if not path.exists():
        pytest.skip("no GRID clips beside the checkout")
    return resample(decode_sound(path)[0], 24_000, rate)


def grid_clips(speaker: str) -> list[str]:
    """Names of a speaker's GRID clips."""
    names = sorted(path.stem for path in (real_data("grid") / speaker).glob("*.mpg"))
    return names or pytest.skip("no GRID clips beside the checkout")


def recording(name: str, rate: int = 16_000) -> np.ndarray:
    """A file of the folder `speech`, (samples,) float32 at `rate`."""
    path: Path = real_data("speech") / name
    if not path.exists():
        pytest.skip("no recordings beside the checkout")
    return read_wav(path, rate)[0]
