"""Lip sync over time: distance and confidence of every window of a clip, as a table and a picture.

Conventions
-----------
A window is 5 video frames; its time is that of its first frame. `distance` is taken at the clip's own best delay,
`confidence` is the median of the clip's distance curve minus that distance, `smoothed` its running median over 9
windows (zeros beyond the ends), as SyncNet's own code prints it per frame. `own_offset` is the best delay of the window
alone (frames, positive: the sound leads); single windows are noisy. `speech` is 0 where the window's sound is more
than 35 dB below the loudest window or below -60 dBFS (our choice): there a closed mouth fits any silence, so the
distance says little.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from syncvoice.clocks import FPS
from syncvoice.files import atomic_path
from syncvoice.metrics.lip_sync.distances import SAMPLES_PER_FRAME_16K, LipSync, lip_sync_of
from syncvoice.metrics.lip_sync.tracked import running_median
from syncvoice.metrics.scorer import Utterance

MEDIAN_WINDOWS = 9
WINDOW_FRAMES = 5
BELOW_LOUDEST_DB = 35.0
FLOOR_DBFS = -60.0
COLUMNS = ("window", "time_s", "distance", "confidence", "smoothed", "own_offset", "speech")


@dataclass(frozen=True)
class SyncCurve:
    """The curve of one clip; arrays are (windows,).

    Attributes:
        time_s: start of the windows.
        distance, confidence, smoothed: see the module's conventions.
        own_offset: best delay of each window alone, frames.
        speech: bool, whether there is speech in the window.
        overall: scores of the whole clip.
    """

    time_s: np.ndarray
    distance: np.ndarray
    confidence: np.ndarray
    smoothed: np.ndarray
    own_offset: np.ndarray
    speech: np.ndarray
    overall: LipSync


def sync_curve(distances: np.ndarray, audio: np.ndarray, first_frame: int = 0) -> SyncCurve:
    """Curve of one clip.

    Args:
        distances: (windows, 2 vshift + 1), see `distances.window_distances`.
        audio: (samples,) at 16 kHz; sample 640 v belongs to window v.
        first_frame: video frame of the first window.
    """
    curve = distances.mean(0)
    overall = lip_sync_of(curve)
    vshift = distances.shape[1] // 2
    distance = distances[:, vshift - overall.offset]
    confidence = np.median(curve) - distance
    return SyncCurve(
        time_s=(first_frame + np.arange(len(distances))) / FPS,
        distance=distance,
        confidence=confidence,
        smoothed=running_median(confidence, MEDIAN_WINDOWS),
        own_offset=vshift - distances.argmin(1),
        speech=speech_windows(audio, len(distances)),
        overall=overall,
    )


def speech_windows(audio: np.ndarray, windows: int) -> np.ndarray:
    """Whether each window of 5 frames holds speech, (windows,) bool; the level is that of its loudest frame."""
    size = (windows + WINDOW_FRAMES - 1) * SAMPLES_PER_FRAME_16K
    padded = np.pad(audio[:size].astype(np.float64), (0, max(0, size - len(audio))))
    power = np.square(padded.reshape(-1, SAMPLES_PER_FRAME_16K)).mean(1)
    level = 10 * np.log10(np.lib.stride_tricks.sliding_window_view(power, WINDOW_FRAMES).max(1) + 1e-12)
    return (level > level.max() - BELOW_LOUDEST_DB) & (level > FLOOR_DBFS)


def write_curve(path: Path, curve: SyncCurve) -> None:
    """Write a curve as CSV, atomically."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for v in range(len(curve.time_s)):
            numbers = (curve.distance[v], curve.confidence[v], curve.smoothed[v])
            values = [f"{number:.4f}" for number in numbers]
            writer.writerow([v, f"{curve.time_s[v]:.2f}", *values, int(curve.own_offset[v]), int(curve.speech[v])])


def plot_curve(curve: SyncCurve, title: str = "") -> Any:
    """Draw confidence over time; windows without speech are shaded. Returns a matplotlib figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.6), layout="constrained")
    axis = figure.subplots()
    axis.plot(curve.time_s, curve.confidence, color="0.7", linewidth=1, label="per window")
    axis.plot(curve.time_s, curve.smoothed, color="C0", label=f"median of {MEDIAN_WINDOWS}")
    axis.axhline(curve.overall.lse_c, color="C1", linewidth=1, linestyle="--", label=f"LSE-C {curve.overall.lse_c:.2f}")
    edges = np.diff(np.concatenate([[0], (~curve.speech).astype(int), [0]]))
    for number, (start, end) in enumerate(zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True)):
        shade = (curve.time_s[start], curve.time_s[end - 1] + 1 / FPS)
        axis.axvspan(*shade, color="0.93", zorder=0, label="no speech" if number == 0 else None)
    axis.set(xlabel="time (s)", ylabel="confidence", title=f"{title} offset {curve.overall.offset} frames".strip())
    axis.margins(x=0)
    axis.legend(loc="upper right", fontsize="small", ncols=4)
    return figure


class CurveWriter:
    """Writes the curve of every utterance that a lip-sync scorer has scored as CSV and SVG (its `watch`)."""

    def __init__(self, folder: Path) -> None:
        """Write to `folder`."""
        self._folder = folder

    def __call__(self, utterance: Utterance, distances: np.ndarray, first_frame: int) -> None:
        """Write one curve; arguments as in `sync_curve`."""
        audio = utterance.audio_16k[first_frame * SAMPLES_PER_FRAME_16K :]
        curve = sync_curve(distances, audio, first_frame)
        path = self._folder / f"{utterance.id}.csv"
        write_curve(path, curve)
        with atomic_path(path.with_name(f"{path.stem}.svg")) as temporary:
            plot_curve(curve, utterance.id).savefig(temporary, metadata={"Date": None})
