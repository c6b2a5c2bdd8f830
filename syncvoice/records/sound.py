"""The prepared sound of a clip: checked against what the manifest says."""

from typing import TYPE_CHECKING

from syncvoice.audio import read_wav
from syncvoice.records.clips import Clip

if TYPE_CHECKING:
    import numpy as np


def sound_of(clip: Clip, sample_rate: int) -> "np.ndarray":
    """Return a clip's prepared sound (samples,) at a rate, float32, if it is still what was prepared.

    Raises:
        ChangedFile: the file is another one than the manifest says.
        UserError: it cannot be read as sound.
    """
    return read_wav(clip.audio, sample_rate, clip.audio_sha256)[0]
