"""A study's results as an object, for notebooks: it reads tables, scores, speech and videos, and writes nothing."""

import base64
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from syncvoice.errors import UserError
from syncvoice.files import read_json
from syncvoice.reporting import statistics
from syncvoice.reporting.columns import Column, Columns
from syncvoice.reporting.gallery import choose_clips, video_path
from syncvoice.reporting.scores import in_group, read_scores, read_task, select
from syncvoice.reporting.settings import Bootstrap, Question, Row, TableJob
from syncvoice.reporting.tables import paired_difference, read_csv
from syncvoice.section import read_settings

if TYPE_CHECKING:
    import pandas as pd

INTERVAL = re.compile(r"\S+ \([^()| ]+ to [^()| ]+\)")
VARIABLE = "SYNCVOICE_STUDY"


@dataclass(frozen=True)
class Comparison:
    """Two rows on one metric: `clips` has the columns utterance, voice_seen, baseline, row and difference."""

    column: Column
    clips: "pd.DataFrame"
    difference: statistics.Difference
    text: str


class Study:
    """Results of one study, `results/{study}`."""

    def __init__(self, root: Path | str) -> None:
        """Open the folder of a study.

        Raises:
            UserError: the folder holds no results.
        """
        self.root = Path(root)
        if not (self.root / "tasks").is_dir():
            raise UserError(
                f"{self.root} holds no results; run the study first (snakemake --cores all), or set {VARIABLE} "
                "to the folder of another study"
            )

    @classmethod
    def from_environment(cls, default: str = "results/mini") -> "Study":
        """Open the study that SYNCVOICE_STUDY names, seen from here or from the folder above (a notebook's own)."""
        path = Path(os.environ.get(VARIABLE, default))
        return cls(path if path.exists() else Path("..") / path)

    def about(self) -> str:
        """Return as Markdown: which study, which commit of the code, how to make it again."""
        task_sizes = ", ".join(f"`{task}` ({len(self.task(task))} clips)" for task in self.tasks)
        config = f" --configfile config/{self.root.name}.yaml" if self.root.name != "mini" else ""
        return (
            f"**Study** `{self.root.name}`, code at commit `{_commit()}`. Tasks: {task_sizes}.\n\n"
            f"Made by `snakemake --cores all{config}`. Dubbed speech is synthetic."
        )

    @property
    def tasks(self) -> list[str]:
        """Names of the tasks."""
        return sorted(path.stem for path in (self.root / "tasks").glob("*.csv"))

    @property
    def tables(self) -> list[str]:
        """Names of the tables."""
        names = (path.name for path in (self.root / "tables").glob("*.csv"))
        return sorted(name.removesuffix(".csv") for name in names if not name.endswith(".directions.csv"))

    @property
    def questions(self) -> dict[str, Question]:
        """The study's questions by name; of a study that asks none, one that all tables answer."""
        path = self.root / "settings" / "questions.json"
        if not path.exists():
            return {"all": Question(question="All tables", tables=self.tables)}
        return {name: Question.model_validate(values) for name, values in read_json(path).items()}

    @property
    def columns(self) -> Columns:
        """What the study's tables say about their metrics."""
        return Columns({column.id: column for job in self._jobs() for column in job.columns})

    def _jobs(self) -> list[TableJob]:
        """Return the settings of the tables, the longest first: its order of rows holds."""
        paths = sorted((self.root / "settings" / "tables").glob("*.json"))
        return sorted((read_settings(path, TableJob) for path in paths), key=lambda job: -len(job.rows))

    @property
    def plots(self) -> list[Path]:
        """Files of the plots (PNG)."""
        return sorted((self.root / "plots").glob("*.png"))

    def experiments(self, task: str) -> list[str]:
        """Names of the rows that were scored on a task, in the order of its tables; those in none come last."""
        scored = sorted(path.parent.name for path in (self.root / "metrics").glob(f"*/{task}"))
        shown = [row.experiment for job in self._jobs() if job.task == task for row in job.rows]
        return [name for name in dict.fromkeys([*shown, *scored]) if name in scored]

    def task(self, name: str) -> "pd.DataFrame":
        """Return the utterances of a task."""
        return read_task(self.root / "tasks" / f"{name}.csv")

    def table(self, name: str) -> "pd.DataFrame":
        """Return a table as it was made."""
        return read_csv(self.root / "tables" / f"{name}.csv")

    def power(self, name: str) -> "pd.DataFrame":
        """Return a table's paired differences with what could have been found: one line per row and metric, all clips.

        `found`: the interval leaves out 0. `detectable`: the smallest true difference that is found with 80 % chance.
        """
        table = self.table(name)
        lines = table[(table["group"] == "all") & table["diff_vs_baseline"].notna()]
        kept = lines[["experiment", "metric", "diff_vs_baseline", "diff_low", "diff_high"]].copy()
        kept["found"] = (lines["diff_low"] > 0) | (lines["diff_high"] < 0)
        kept["detectable"] = lines["detectable_difference"]
        return kept[kept["detectable"] > 0].reset_index(drop=True)

    def markdown(self, name: str) -> str:
        """Return the Markdown of a table; intervals do not break across lines."""
        path = self.root / "tables" / f"{name}.md"
        if not path.exists():
            raise UserError(f"{path} does not exist; the tables are {', '.join(self.tables) or 'none'}")
        text = path.read_text(encoding="utf-8")
        return INTERVAL.sub(lambda found: found.group().replace(" ", "\N{NO-BREAK SPACE}"), text)

    def scores(self, task: str) -> "pd.DataFrame":
        """Return all scores of a task: one line per row, clip and metric, with text, speaker and voice_seen."""
        import pandas as pd

        frames = [
            read_scores(self.root / "metrics", experiment, task).assign(experiment=experiment)
            for experiment in self.experiments(task)
        ]
        if not frames:
            raise UserError(f"{self.root / 'metrics'}: no scores of task {task}; the tasks are {', '.join(self.tasks)}")
        about = self.task(task)[["utterance", "text", "speaker", "voice_seen"]]
        return pd.concat(frames, ignore_index=True).merge(about, on="utterance", how="left")

    def troubles(self, task: str) -> "pd.DataFrame":
        """Return the scores that are missing, with the reason: failed clips, and metrics that do not apply."""
        scores = self.scores(task)
        columns = [
            name for name in ("experiment", "utterance", "point", "metric", "status", "message") if name in scores
        ]
        return scores.loc[scores["status"] != "ok", columns].reset_index(drop=True)

    def compare(
        self, task: str, metric: str, row: str, baseline: str, group: str = "all", bootstrap: Bootstrap | None = None
    ) -> Comparison:
        """Compare two rows clip by clip on one metric, with the same numbers as the tables."""
        utterances, bootstrap = self.task(task), bootstrap or Bootstrap()
        pair = []
        for name in (row, baseline):
            experiment, _, point = name.partition("/")
            scores = read_scores(self.root / "metrics", experiment, task)
            pair.append(select(scores, utterances, Row(experiment=experiment, point=point), self.columns[metric]))
        members = in_group(utterances, group)
        difference = paired_difference(pair[0], pair[1], members, bootstrap, (task, group, metric, row, baseline))
        clips = utterances.loc[members, ["utterance", "voice_seen"]].assign(
            baseline=pair[1].value[members], row=pair[0].value[members]
        )
        clips["difference"] = clips["row"] - clips["baseline"]
        column = self.columns[metric]
        sentence = _sentence(column, row, baseline, difference)
        return Comparison(column, clips.reset_index(drop=True), difference, sentence)

    def clips_to_watch(self, task: str, number: int = 4) -> list[str]:
        """Return utterances that have a video, chosen by name, voices seen and unseen in turn."""
        made = {path.stem for path in (self.root / "videos").glob(f"*/{task}/*.mp4")}
        utterances = self.task(task)
        return choose_clips(utterances[utterances["utterance"].isin(made)], number, task)

    def players(self, task: str, utterance: str, rows: list[str] | None = None) -> str:
        """Return HTML that plays one clip in all rows side by side; a row without a video plays its speech alone."""
        cells = []
        for name in rows or self.experiments(task):
            row = Row(experiment=name)
            video = video_path(self.root, row, task, utterance)
            speech = self.root / "speech" / name / task / f"{utterance}.wav"
            if video.exists():
                player = f'<video controls width="180" src="{_data(video, "video/mp4")}"></video>'
            elif speech.exists():
                player = f'<audio controls style="width: 180px" src="{_data(speech, "audio/wav")}"></audio>'
            else:
                continue
            cells.append(f"<div><b>{escape(name)}</b><br>{player}</div>")
        line = self.task(task).set_index("utterance").loc[utterance]
        title = f"<p>{escape(line['text'])} <small>({escape(utterance)}, {escape(line.get('speaker', ''))})</small></p>"
        return f'{title}<div style="display: flex; flex-wrap: wrap; gap: 12px">{"".join(cells)}</div>'


def spectrograms(study: Study, task: str, utterance: str, rows: list[str]) -> Any:
    """Return the figure of spectrograms of a clip with the opening of the lips over them."""
    from syncvoice.reporting.plots.job import PlotJob, draw

    plot = {"kind": "spectrogram", "task": task, "rows": rows, "utterance": utterance}
    shown = tuple(Row(experiment=name) for name in rows)
    title = f"{task}: {utterance}"
    return draw(PlotJob(name=utterance, title=title, study=study.root.name, plot=plot, rows=shown), study.root)


def paired_figure(comparison: Comparison, row: str, baseline: str) -> Any:
    """Return a figure of two rows clip by clip: points off the diagonal are clips that differ."""
    import matplotlib

    from syncvoice.reporting import style

    info = comparison.column
    clips = comparison.clips.dropna()
    with matplotlib.rc_context(style.SETTINGS):
        figure = style.new_figure(5.2, 4.6)
        top = style.titled(figure, info.heading, comparison.text)
        axis = figure.add_axes((0.13, 0.12, 0.8, 0.84 - top))
        for seen, label, colour in (("yes", "voice seen", style.PALETTE[0]), ("no", "unseen", style.PALETTE[1])):
            part = clips[clips["voice_seen"] == seen]
            marker = "o" if seen == "yes" else "D"
            axis.plot(part["baseline"] * info.scale, part["row"] * info.scale, marker, color=colour, ms=5, label=label)
        both = clips[["baseline", "row"]].to_numpy() * info.scale
        if both.size:
            margin = 0.06 * max(float(np.ptp(both)), 10.0**-info.decimals)
            limits = (float(both.min()) - margin, float(both.max()) + margin)
            axis.plot(limits, limits, color=style.SOFT, lw=0.8, zorder=0)
            axis.set(xlim=limits, ylim=limits)
        axis.set(xlabel=f"{baseline}: {info.label}", ylabel=f"{row}: {info.label}")
        axis.grid()
        axis.legend()
    return figure


def png(figure: Any) -> bytes:
    """Return a figure as PNG bytes, for `IPython.display.Image`."""
    import matplotlib

    from syncvoice.reporting import style

    buffer = BytesIO()
    with matplotlib.rc_context(style.SETTINGS):
        figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _sentence(info: Column, row: str, baseline: str, difference: statistics.Difference) -> str:
    low, high = (info.text(value, signed=True) for value in (difference.low, difference.high))
    unit = f" {info.unit}" if info.unit else ""
    p_value = "p < 0.001" if difference.p_value < 0.001 else f"p = {difference.p_value:.3f}"
    return (
        f"{row} minus {baseline}: {info.text(difference.value, signed=True)}{unit} ({low} to {high}),"
        f" {difference.n} pairs, {p_value} (one comparison, not corrected)"
    )


def _data(path: Path, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _commit() -> str:
    """Return the short id of the code's commit, or `unknown` outside a repository."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    command = [git, "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else "unknown"
