"""Mel spectrograms of one clip, row by row, with the opening of the lips that the video shows drawn over them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.scores import read_task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

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


def find_landmarks(study_root: Path, dataset: str, split: str, clip: str) -> np.ndarray:
    """Return the landmarks (frames, 478, 3) of a clip from the study's track shards.

    Raises:
        UserError: no shard holds the clip.
    """
    from syncvoice.video.store import TrackReader

    folder = study_root / "prepared" / dataset / split
    for path in sorted(folder.glob("shard-*/tracks.h5")):
        with TrackReader(path) as reader:
            if clip in set(reader.clips()):
                return reader.track(clip).landmarks
    raise UserError(f"{folder}: no track shard holds clip {clip}; run the prepare step first")


def choose_utterance(settings: dict[str, Any], study_root: Path) -> dict[str, str]:
    """Return the task row to show: the one asked for, or the first whose speech every row of the plot has."""
    task = read_task(study_root / "tasks" / f"{settings['task']}.csv")
    wanted = settings["utterance"]
    for line in task.to_dict("records"):
        if wanted in (None, line["utterance"]):
            missing = [
                row.key for row in settings["rows"] if not _wav(study_root, settings["task"], row, line).exists()
            ]
            if not missing:
                return line
            if wanted is not None:
                raise UserError(f"plot {settings['name']}: utterance {wanted} has no speech in {', '.join(missing)}")
    what = f"no utterance {wanted}" if wanted else "no utterance whose speech all rows have"
    raise UserError(f"plot {settings['name']}: task {settings['task']} has {what}; generate the speech first")


def _wav(study_root: Path, task: str, row: Any, line: dict[str, str]) -> Path:
    return study_root / "speech" / row.experiment / task / row.point / f"{line['utterance']}.wav"


def spectrogram_figure(settings: dict[str, Any], root: Path) -> "Figure":
    """Return one spectrogram per row over the same time axis, with the curve of the lips over each."""
    from syncvoice.audio import read_wav
    from syncvoice.features.mel import log_mel

    line = choose_utterance(settings, root)
    n_frames = int(line["n_frames"])
    opening = lip_opening(find_landmarks(root, line["dataset"], line["split"], line["clip"]))[:n_frames]
    rows = settings["rows"]
    width, panel = 8.2, 1.45
    height = 1.35 + len(rows) * (panel + 0.12)
    figure = style.new_figure(width, height)
    voice = {"yes": ", voice seen in training", "no": ", voice not seen in training"}.get(line["voice_seen"], "")
    subtitle = f"{line['text']}\nClip {line['clip']}{voice}. White line: opening of the lips in the video."
    top = style.titled(figure, settings["title"], subtitle)
    mels = []
    for row in rows:
        audio, _ = read_wav(_wav(root, settings["task"], row, line), clocks.SAMPLE_RATE)
        mels.append(np.asarray(log_mel(audio, n_frames)).T)
    high = max(float(mel.max()) for mel in mels)
    for index, (row, mel) in enumerate(zip(rows, mels, strict=True)):
        bottom = 1 - top - (index + 1) * (panel + 0.12) / height
        axis = figure.add_axes((1.8 / width, bottom, (width - 2.0) / width, panel / height))
        draw_mel(axis, mel, high, n_frames)
        axis.set_ylabel("Hz", labelpad=1)
        draw_lips(axis, opening)
        edge = bottom + panel / height
        figure.text(0.1 / width, edge, row.key, va="top", fontsize=10)
        soft: dict[str, Any] = {"va": "top", "fontsize": 7, "color": style.SOFT}
        figure.text(0.1 / width, edge - 0.24 / height, _wrapped(row.caption), **soft)
        if index < len(rows) - 1:
            axis.tick_params(labelbottom=False)
    axis.set_xlabel("time (s)")
    return figure


def _wrapped(caption: str) -> str:
    import textwrap

    return "\n".join(textwrap.wrap(caption, 18)[:5])


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
