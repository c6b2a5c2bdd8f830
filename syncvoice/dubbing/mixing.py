"""Speech over a background: at 48 kHz, in the background's channels (one or two), as long as the speech.

The background starts with the picture; what is longer is cut, what is missing is silence. Both keep their level; only
when the sum would clip, all of it is turned down, so that their balance stays (our choice).
"""

from itertools import chain
from pathlib import Path

import av
import numpy as np

from syncvoice import clocks
from syncvoice.audio import resample
from syncvoice.errors import UserError
from syncvoice.video.media import ClipProblem, is_cover, opened, stream_of
from syncvoice.video.shown import look_at

RATE = 48_000  # Hz of the mix
PEAK = 0.95  # of a mix that would clip; lossy coding overshoots


def mix(speech: np.ndarray, background: Path) -> tuple[np.ndarray, list[str]]:
    """Lay speech over a background.

    Args:
        speech: (samples,) at 24 kHz.
        background: any file with sound that FFmpeg reads.

    Returns:
        (2 * samples, channels) float32 at 48 kHz within [-1, 1], and warnings.

    Raises:
        UserError: the background cannot be used.
    """
    voice = resample(speech, clocks.SAMPLE_RATE, RATE)
    under, warnings = read_background(background), []
    if len(under) < len(voice):
        seconds = [len(sound) / RATE for sound in (under, voice)]
        warnings.append(f"background {background} lasts {seconds[0]:.2f} of {seconds[1]:.2f} s; silence follows it")
    under = np.pad(under[: len(voice)], ((0, max(0, len(voice) - len(under))), (0, 0)))
    mixed = under + voice[:, None]
    peak = float(np.abs(mixed).max())
    if peak > 1:
        gain = PEAK / peak
        warnings.append(
            f"speech and background together would clip; both are turned down by {-20 * np.log10(gain):.1f} dB"
        )
        mixed *= gain
    return mixed.astype(np.float32), warnings


def read_background(path: Path) -> np.ndarray:
    """Return the first sound stream as (samples, channels) float32 at 48 kHz, more than two channels mixed to two.

    Raises:
        UserError: no sound, or values that are not finite.
    """
    pieces: list[np.ndarray] = []
    try:
        with opened(path) as container:
            if not container.streams.audio:
                raise UserError(f"background {path} holds no sound; give a file with music or noises")
            stream = stream_of(container.streams.audio, path, "no_audio", "sound")
            layout = "mono" if stream.codec_context.layout.nb_channels == 1 else "stereo"
            resampler = av.AudioResampler(format="fltp", layout=layout, rate=RATE)
            late = round(late_seconds(path) * RATE)  # the background starts with its picture, as players show it
            pieces.append(np.zeros((1 if layout == "mono" else 2, max(late, 0)), np.float32))
            for frame in chain(container.decode(stream), [None]):  # None: what the resampler still holds
                if frame is not None:
                    frame.pts = None  # sound without holes
                pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
    except ClipProblem as problem:
        raise UserError(f"background {path}: {problem.message}") from problem
    sound = np.concatenate(pieces, axis=1).T[max(-late, 0) :]
    if len(pieces) == 1 or not len(sound) or not np.isfinite(sound).all():
        raise UserError(f"background {path} holds no sound or values that are not finite; export it again")
    return sound


def late_seconds(path: Path) -> float:
    """Return how long after the first picture a file's sound starts (negative: before), 0 for a file without picture.

    Raises:
        ClipProblem: the file cannot be used.
    """
    with opened(path) as container:
        pictures = [stream for stream in container.streams.video if not is_cover(stream)]
        if not pictures:
            return 0.0
        first = next(container.decode(container.streams.audio[0]), None)
    if first is None or first.time is None:
        return 0.0
    return float(first.time - look_at(path).start)
