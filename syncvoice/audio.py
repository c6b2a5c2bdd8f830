"""Reading, writing and resampling sound: mono float32 arrays in [-1, 1]."""

import io
from pathlib import Path

import numpy as np

from syncvoice.errors import UserError, raise_if_passing
from syncvoice.files import atomic_path, check_digest


def read_wav(path: Path | str, sample_rate: int | None = None, sha256: str = "") -> tuple[np.ndarray, int]:
    """Read a sound file as mono float32 (channels averaged), resampled to `sample_rate` when given.

    Args:
        path: the file.
        sample_rate: wanted, Hz.
        sha256: digest that was recorded when the file was written, "" where none was.

    Raises:
        ChangedFile: the file is not the one of the digest.
        UserError: the file cannot be read as sound.
        OSError: the system could not read it.
    """
    import soundfile

    try:
        content = Path(path).read_bytes()
        check_digest(path, content, sha256)
        audio, found = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise_if_passing(error, path)
        raise UserError(f"{path} cannot be read as sound ({error}); expected WAV or FLAC") from error
    mono = audio.mean(axis=1, dtype=np.float32) if audio.shape[1] != 1 else audio[:, 0]
    if sample_rate is None or sample_rate == found:
        return mono, found
    return resample(mono, found, sample_rate), sample_rate


def write_wav(path: Path | str, audio: np.ndarray, sample_rate: int) -> None:
    """Write mono float audio as 16-bit PCM, atomically; values outside [-1, 1] are clipped."""
    import soundfile

    content = io.BytesIO()  # libsndfile tells of a full disk as "System error."
    soundfile.write(content, np.clip(audio, -1.0, 1.0), sample_rate, format="WAV", subtype="PCM_16")
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())


def resample(audio: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Resample (samples,) without delay; length is ceil(n * to / from)."""
    import soxr  # a second less to import than scipy.signal, and every scoring job resamples

    if from_hz == to_hz:
        return audio.astype(np.float32, copy=False)
    length = -(-len(audio) * to_hz // from_hz)
    resampled = soxr.resample(audio.astype(np.float32, copy=False), from_hz, to_hz)[:length]
    return np.pad(resampled, (0, length - len(resampled)))
