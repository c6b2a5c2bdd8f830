"""Mel spectrogram and lip curve of one clip, as several pictures draw them."""

from typing import TYPE_CHECKING

import numpy as np

from syncvoice import clocks

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UPPER_LIP, LOWER_LIP, RIGHT_EYE, LEFT_EYE = 13, 14, 33, 263  # inner lip middles, outer eye corners of the mesh
TICKS_HZ = (250, 1000, 2000, 4000, 8000)


def lip_opening(landmarks: np.ndarray) -> np.ndarray:
    """Return the distance of the inner lips over the distance of the outer eye corners.

    Args:
        landmarks: (frames, 478, 3) MediaPipe mesh, pixels.

    Returns:
        (frames,) float64, no unit; about 0 for closed lips.
    """
    points = np.asarray(landmarks, dtype=np.float64)[..., :2]
    opening = np.linalg.norm(points[:, LOWER_LIP] - points[:, UPPER_LIP], axis=-1)
    eyes = np.linalg.norm(points[:, LEFT_EYE] - points[:, RIGHT_EYE], axis=-1)
    return opening / np.maximum(eyes, 1e-6)


def draw_mel(axis: "Axes", mel: np.ndarray, high: float, n_frames: int) -> None:
    """Draw a mel spectrogram (bands, mel frames) over the seconds of `n_frames` video frames; 70 dB below `high`."""
    low = high - 0.1 * 70 / (20 / np.log(10))  # features are 0.1 * natural logarithm of the magnitude
    seconds = n_frames / clocks.FPS
    extent = (0, seconds, 0, mel.shape[0])
    axis.imshow(mel, origin="lower", aspect="auto", cmap="magma", vmin=low, vmax=high, extent=extent)
    axis.set_yticks([_mel_band(hz, mel.shape[0]) for hz in TICKS_HZ], [f"{hz / 1000:g}k" for hz in TICKS_HZ])
    axis.set_xlim(0, seconds)


def _mel_band(frequency: float, n_bands: int) -> float:
    """Return the (fractional) band of a frequency in Hz: HTK mel scale from 0 to 12 kHz, as ZipVoice's features."""

    def mel(hz: float) -> float:
        return 2595 * np.log10(1 + hz / 700)

    return mel(frequency) / mel(clocks.SAMPLE_RATE / 2) * n_bands


def draw_lips(axis: "Axes", opening: np.ndarray) -> None:
    """Draw the opening of the lips at the frame centres, on an axis of its own without ticks."""
    lips = axis.twinx()
    times = clocks.frame_centres(len(opening))
    lips.plot(times, opening, color="black", lw=3.0, alpha=0.6)
    lips.plot(times, opening, color="white", lw=1.4)
    lips.set_ylim(0, max(0.05, 1.15 * float(opening.max())))
    lips.set_yticks([])
    lips.spines[:].set_visible(False)
