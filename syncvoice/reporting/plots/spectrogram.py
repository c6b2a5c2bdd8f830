"""Plot `spectrogram`: mel spectrograms of one clip, row by row, with the opening of the lips drawn over them."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.reporting import style
from syncvoice.reporting.mel_picture import draw_lips, draw_mel, lip_opening
from syncvoice.reporting.plots.job import Plot, PlotJob, Shown
from syncvoice.reporting.scores import read_task
from syncvoice.reporting.settings import Row
from syncvoice.section import Name

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Settings(Plot):
    """Which rows of which task; `utterance` null: the first whose speech is complete."""

    task: Name
    rows: list[Name] = Field(min_length=1)
    utterance: str | None = None

    def shows(self) -> Shown:
        """Return what of the study is drawn."""
        return Shown(task=self.task, rows=tuple(self.rows), speech=True)


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


def choose_utterance(job: PlotJob, plot: Settings, study_root: Path) -> dict[str, str]:
    """Return the task row to show: the one asked for, or the first whose speech every row of the plot has."""
    task = read_task(study_root / "tasks" / f"{plot.task}.csv")
    wanted = plot.utterance
    for line in task.to_dict("records"):
        if wanted in (None, line["utterance"]):
            missing = [row.key for row in job.rows if not _wav(study_root, plot.task, row, line).exists()]
            if not missing:
                return line
            if wanted is not None:
                raise UserError(f"plot {job.name}: utterance {wanted} has no speech in {', '.join(missing)}")
    what = f"no utterance {wanted}" if wanted else "no utterance whose speech all rows have"
    raise UserError(f"plot {job.name}: task {plot.task} has {what}; generate the speech first")


def _wav(study_root: Path, task: str, row: Row, line: dict[str, str]) -> Path:
    return study_root / "speech" / row.experiment / task / row.point / f"{line['utterance']}.wav"


def draw(job: PlotJob, plot: Settings, root: Path) -> "Figure":
    """Return one spectrogram per row over the same time axis, with the curve of the lips over each."""
    from syncvoice.audio import read_wav
    from syncvoice.features.mel import log_mel

    line = choose_utterance(job, plot, root)
    n_frames = int(line["n_frames"])
    opening = lip_opening(find_landmarks(root, line["dataset"], line["split"], line["clip"]))[:n_frames]
    rows = job.rows
    width, panel = 8.2, 1.45
    height = 1.35 + len(rows) * (panel + 0.12)
    figure = style.new_figure(width, height)
    voice = {"yes": ", voice seen in training", "no": ", voice not seen in training"}.get(line["voice_seen"], "")
    subtitle = f"{line['text']}\nClip {line['clip']}{voice}. White line: opening of the lips in the video."
    top = style.titled(figure, job.heading, subtitle)
    mels = []
    for row in rows:
        audio, _ = read_wav(_wav(root, plot.task, row, line), clocks.SAMPLE_RATE)
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
        figure.text(0.1 / width, edge - 0.24 / height, _wrapped(row.what), **soft)
        if index < len(rows) - 1:
            axis.tick_params(labelbottom=False)
    axis.set_xlabel("time (s)")
    return figure


def _wrapped(caption: str) -> str:
    return "\n".join(textwrap.wrap(caption, 18)[:5])
