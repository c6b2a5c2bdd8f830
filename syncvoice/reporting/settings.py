"""Settings files of tables, plots and the gallery: what they hold, and how they are read.

The workflow writes one JSON file per table, plot and gallery from the study's config. A settings file holds
everything that changes the output, so that the same files and the same settings give the same bytes.

A row is {"experiment", "caption", "group", "point"}, or just the experiment's name. `group` (reference, control, ...)
decides the colour in plots. `point` picks one point of a sweep; a sweep without it gives one row per point.
`caption` may stand for `title`.

Table
    {"name", "title", "study", "task", "rows": [row, ...],                   in the order of the table
     "baseline": experiment or null,                                         differences are taken from this row
     "metrics": [metric id, ...],
     "groups": ["all", "seen", "unseen"],                                    (default: these three)
     "bootstrap": {"resamples": 2000, "confidence": 0.95, "seed": 0},        (default)
     "comparisons": [{"id", "metric", "ascending": [experiment, ...], "statement", "source", "verified"}, ...],
                                                                             (default: none) the paper's directions
     "paper_values": [{"experiment", "metric", "dataset", "value", "source", "verified"}, ...],   (default: none)
                     shown only where metric id (scorer and protocol) and data set are those of the table
     "notes": [text, ...]}                                                   (default: none)

Plot
    {"name", "title", "study", "kind", ...}, where kind is
    "metrics" or "differences":  "table", "metrics" (default: all of the table), "group" ("all")
    "guidance_pareto":    "task", "rows": [the sweep, then rows drawn as marks], "y": metric id, "x": [metric id, ...]
    "temporal_ablation":  "task", "rows", "y": metric id, "x": [metric id, ...]     one mark with intervals per row
    "spectrogram":        "task", "rows", "utterance" (null: the first whose speech is complete)
    "training_curves":    "recipes": [recipe, ...] or {recipe: caption}, "value": column of curve.csv ("loss")

Gallery
    {"name", "title", "study", "max_megabytes": 25,
     "tasks": [{"task", "title", "clips": number, "utterances": [id, ...] (optional, instead of clips),
                "rows": [row, ...], "metrics": [metric id, ...]}, ...]}
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from syncvoice.errors import UserError
from syncvoice.files import read_json

GROUPS = ("all", "seen", "unseen")
PLOT_KINDS = ("metrics", "differences", "guidance_pareto", "temporal_ablation", "spectrogram", "training_curves")


@dataclass(frozen=True)
class Row:
    """One row of a table: an experiment, or one point of a sweep."""

    experiment: str
    caption: str
    point: str = ""
    group: str = ""

    @property
    def key(self) -> str:
        """Name of the row in tables: the experiment, with the point of a sweep behind a slash."""
        return f"{self.experiment}/{self.point}" if self.point else self.experiment


@dataclass(frozen=True)
class Bootstrap:
    """How intervals are made: number of resamples, confidence (0..1), seed."""

    resamples: int = 2000
    confidence: float = 0.95
    seed: int = 0


@dataclass(frozen=True)
class Comparison:
    """A direction that the paper reports: `ascending` lists rows from the lowest to the highest value of `metric`."""

    id: str
    metric: str
    ascending: tuple[str, ...]
    statement: str
    source: str = ""
    verified: bool = False


@dataclass(frozen=True)
class PaperValue:
    """A number that the paper (or a paper it cites) reports for a row, a metric id and a data set."""

    experiment: str
    metric: str
    dataset: str
    value: float
    source: str
    verified: bool = False


@dataclass(frozen=True)
class TableSettings:
    """Settings of one table; see the module's docstring."""

    name: str
    title: str
    study: str
    task: str
    rows: tuple[Row, ...]
    baseline: str | None
    metrics: tuple[str, ...]
    groups: tuple[str, ...] = GROUPS
    bootstrap: Bootstrap = Bootstrap()
    comparisons: tuple[Comparison, ...] = ()
    paper_values: tuple[PaperValue, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class GalleryTask:
    """One section of the gallery: the clips of a task, all rows side by side."""

    task: str
    title: str
    rows: tuple[Row, ...]
    metrics: tuple[str, ...]
    clips: int = 6
    utterances: tuple[str, ...] = ()


@dataclass(frozen=True)
class GallerySettings:
    """Settings of the gallery page; `max_megabytes` limits the whole file (10^6 bytes)."""

    name: str
    title: str
    study: str
    tasks: tuple[GalleryTask, ...]
    max_megabytes: float = 25.0


def _fields(where: str, value: Any, required: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, Any]:
    """Return `value` after checking that it is a map with the required keys and no unknown ones."""
    if not isinstance(value, dict):
        raise UserError(f"{where}: found {type(value).__name__}, expected a map with the keys {', '.join(required)}")
    missing = [key for key in required if key not in value]
    unknown = sorted(set(value) - set(required) - set(optional))
    if missing or unknown:
        problem = f"missing {', '.join(missing)}" if missing else f"unknown {', '.join(unknown)}"
        known = ", ".join(required + optional)
        raise UserError(f"{where}: {problem}; the keys are {known} (see syncvoice/reporting/settings.py)")
    return value


def _rows(where: str, value: Any) -> tuple[Row, ...]:
    if not isinstance(value, list) or not value:
        raise UserError(f"{where}: expected a list of at least one row, found {value!r}")
    rows = []
    for index, item in enumerate(value):
        item = {"experiment": item} if isinstance(item, str) else item
        item = _fields(f"{where}[{index}]", item, ("experiment",), ("caption", "point", "group"))
        caption, point, group = (item.get(key) or "" for key in ("caption", "point", "group"))
        rows.append(Row(item["experiment"], caption or item["experiment"], point, group))
    keys = [row.key for row in rows]
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise UserError(f"{where}: row {', '.join(twice)} stands there twice; each row may appear once")
    return tuple(rows)


def read_table_settings(path: Path | str) -> TableSettings:
    """Read the settings of a table.

    Raises:
        UserError: the file is missing, a key is missing or unknown, or the baseline is no row.
    """
    where = str(path)
    required = ("name", "task", "rows", "metrics")
    optional = ("title", "caption", "study", "baseline", "groups", "bootstrap", "comparisons", "paper_values", "notes")
    raw = _fields(where, read_json(path), required, optional)
    rows = _rows(f"{where}: rows", raw["rows"])
    baseline = raw.get("baseline") or None
    if baseline is not None and baseline not in {row.key for row in rows}:
        raise UserError(f"{where}: baseline {baseline} is no row of the table; rows: {', '.join(r.key for r in rows)}")
    groups = tuple(raw.get("groups") or GROUPS)
    if set(groups) - set(GROUPS):
        raise UserError(f"{where}: groups {', '.join(groups)}; known are {', '.join(GROUPS)}")
    bootstrap = raw.get("bootstrap") or {}
    _fields(f"{where}: bootstrap", bootstrap, (), ("resamples", "confidence", "seed"))
    return TableSettings(
        name=raw["name"],
        title=raw.get("title") or raw.get("caption") or raw["name"],
        study=raw.get("study") or "",
        task=raw["task"],
        rows=rows,
        baseline=baseline,
        metrics=tuple(raw["metrics"]),
        groups=groups,
        bootstrap=Bootstrap(**bootstrap),
        comparisons=_comparisons(f"{where}: comparisons", raw.get("comparisons") or []),
        paper_values=_paper_values(f"{where}: paper_values", raw.get("paper_values") or []),
        notes=tuple(raw.get("notes") or ()),
    )


def _paper_values(where: str, value: list[Any]) -> tuple[PaperValue, ...]:
    result = []
    for index, item in enumerate(value):
        required = ("experiment", "metric", "dataset", "value", "source")
        item = _fields(f"{where}[{index}]", item, required, ("verified",))
        texts = (item["experiment"], item["metric"], item["dataset"])
        result.append(PaperValue(*texts, float(item["value"]), item["source"], item.get("verified") in (True, "yes")))
    return tuple(result)


def _comparisons(where: str, value: list[Any]) -> tuple[Comparison, ...]:
    """Return the comparisons of a list of maps."""
    optional = ("id", "statement", "source", "verified")
    result = []
    for index, item in enumerate(value):
        item = _fields(f"{where}[{index}]", item, ("metric", "ascending"), optional)
        ascending = tuple(item["ascending"])
        if len(ascending) < 2:
            raise UserError(f"{where}[{index}]: ascending needs at least two rows, found {list(ascending)}")
        verified = item.get("verified") in (True, "yes")
        name = item.get("id") or "_".join(ascending)
        statement = item.get("statement") or ""
        source = item.get("source") or ""
        result.append(Comparison(name, item["metric"], ascending, statement, source, verified))
    return tuple(result)


def read_plot_settings(path: Path | str) -> dict[str, Any]:
    """Read the settings of a plot; returns them with defaults filled in and rows as `Row`.

    Raises:
        UserError: the file is missing, the kind is unknown, or a key is missing or unknown.
    """
    lse_c, lse_d, dnsmos = "lse_c.syncnet_mini", "lse_d.syncnet_mini", "dnsmos_ovrl.p835"
    kinds: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
        "metrics": (("table",), {"metrics": None, "group": "all"}),
        "differences": (("table",), {"metrics": None, "group": "all"}),
        "guidance_pareto": (("task", "rows"), {"y": lse_c, "x": [dnsmos, "wer.ctc_mini"]}),
        "temporal_ablation": (("task", "rows"), {"y": dnsmos, "x": [lse_d]}),
        "spectrogram": (("task", "rows"), {"utterance": None}),
        "training_curves": (("recipes",), {"value": "loss"}),
    }
    raw = read_json(path)
    kind = raw.get("kind") if isinstance(raw, dict) else None
    if kind not in kinds:
        raise UserError(f"{path}: kind {kind!r} is unknown; the kinds of plots are {', '.join(PLOT_KINDS)}")
    raw = {key: value for key, value in raw.items() if value is not None}  # an unset key is the same as none
    required, defaults = kinds[kind]
    _fields(str(path), raw, ("name", "kind", *required), ("title", "caption", "study", "bootstrap", *defaults))
    settings = {"title": raw.get("caption") or raw["name"], "study": "", **defaults, **raw}
    settings["bootstrap"] = Bootstrap(**(raw.get("bootstrap") or {}))
    if "rows" in settings:
        settings["rows"] = _rows(f"{path}: rows", settings["rows"])
    if isinstance(settings.get("x"), str):
        settings["x"] = [settings["x"]]
    if isinstance(settings.get("recipes"), list):
        settings["recipes"] = {recipe: recipe for recipe in settings["recipes"]}
    return settings


def read_gallery_settings(path: Path | str) -> GallerySettings:
    """Read the settings of the gallery.

    Raises:
        UserError: the file is missing, or a key is missing or unknown.
    """
    raw = _fields(str(path), read_json(path), ("tasks",), ("name", "title", "caption", "study", "max_megabytes"))
    tasks = []
    for index, item in enumerate(raw["tasks"]):
        where = f"{path}: tasks[{index}]"
        item = _fields(where, item, ("task", "rows"), ("title", "caption", "clips", "utterances", "metrics"))
        tasks.append(
            GalleryTask(
                task=item["task"],
                title=item.get("title") or item.get("caption") or item["task"],
                rows=_rows(f"{where}.rows", item["rows"]),
                metrics=tuple(item.get("metrics") or ()),
                clips=int(item.get("clips", 6)),
                utterances=tuple(item.get("utterances") or ()),
            )
        )
    title = raw.get("title") or raw.get("caption") or "SyncVoice: dubbed clips side by side"
    limit = float(raw.get("max_megabytes", 25))
    return GallerySettings(raw.get("name") or "gallery", title, raw.get("study") or "", tuple(tasks), limit)
