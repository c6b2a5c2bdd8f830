"""One self-contained HTML page that plays the dubbed clips of all rows side by side.

Clips are chosen by name, never by score: voices seen and unseen in turn, as many different voices as there are.
"""

import base64
import hashlib
import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import soundfile

from syncvoice import clocks
from syncvoice.audio import read_wav
from syncvoice.errors import UserError
from syncvoice.reporting.columns import Column, Columns
from syncvoice.reporting.scores import read_scores, read_task, select
from syncvoice.reporting.settings import GalleryJob, GallerySection, Row
from syncvoice.reporting.style import FONT

if TYPE_CHECKING:
    import pandas as pd

logger = logging.getLogger(__name__)

ASSETS = Path(__file__).with_name("assets")
POLICY = "default-src 'none'; media-src data:; font-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
RESPONSIBLE_USE = (
    "The speech on this page was made by a machine unless it is labelled as original. It is shown to judge a research"
    " system. Do not cut the labels off, do not pass it off as a real recording, and dub a real person's video or"
    " imitate a real voice only with that person's consent."
)
ORIGINAL = "original"
MOST_REFERENCE_S = 8  # of a reference recording that is played


@dataclass(frozen=True)
class Section:
    """One task on the page: its settings, the chosen lines of the task, and the texts of all metric values."""

    settings: GallerySection
    columns: Columns
    lines: list[dict[str, str]]
    values: dict[tuple[str, str, str], str]  # (row key, metric, utterance) -> text
    flagged: dict[tuple[str, str], dict[str, bool]]  # (row key, metric) -> utterance -> beyond the threshold
    left_out: int = 0


@dataclass(frozen=True)
class Material:
    """Where sounds and videos come from: results/{study}, data sets that are synthetic, reference recordings."""

    study_root: Path
    synthetic: frozenset[str]
    references: Mapping[str, Path]


def choose_clips(task: "pd.DataFrame", number: int, name: str) -> list[str]:
    """Return utterances for the gallery, in the order of the task.

    Args:
        task: lines of the task to choose from.
        number: how many.
        name: name of the task, part of the order within a voice.
    """
    lines = task.to_dict("records")
    order = {line["utterance"]: hashlib.sha256(f"{name}/{line['utterance']}".encode()).hexdigest() for line in lines}
    chosen: list[str] = []
    groups: Counter[str] = Counter()
    speakers: Counter[str] = Counter()
    while lines and len(chosen) < number:
        line = min(
            lines,
            key=lambda line: (groups[line["voice_seen"]], speakers[line.get("speaker", "")], order[line["utterance"]]),
        )
        lines.remove(line)
        chosen.append(line["utterance"])
        groups[line["voice_seen"]] += 1
        speakers[line.get("speaker", "")] += 1
        left = {other["voice_seen"] for other in lines}
        for group in list(groups):
            if group not in left:  # an exhausted group must not hold the other one back
                del groups[group]
    return [utterance for utterance in task["utterance"] if utterance in set(chosen)]


def video_path(study_root: Path, row: Row, task: str, utterance: str) -> Path:
    """Return where the dubbed clip of a row lies."""
    return study_root / "videos" / row.experiment / task / row.point / f"{utterance}.mp4"


def _section(settings: GallerySection, columns: Columns, study_root: Path) -> Section:
    """Choose the clips of a task and collect the values under them.

    Raises:
        UserError: no clip has a video, or an utterance asked for is not in the task.
    """
    task = read_task(study_root / "tasks" / f"{settings.task}.csv")
    unknown = [name for name in settings.utterances if name not in set(task["utterance"])]
    if unknown:
        raise UserError(
            f"gallery: utterance {unknown[0]} is not in task {settings.task}; correct the gallery's settings"
        )
    wanted = list(settings.utterances)
    if not wanted:
        made = [
            any(video_path(study_root, row, settings.task, utterance).exists() for row in settings.rows)
            for utterance in task["utterance"]
        ]
        wanted = choose_clips(task[made], settings.clips, settings.task)
    if not wanted:
        folder = study_root / "videos" / settings.rows[0].experiment / settings.task
        raise UserError(
            f"gallery: no row of task {settings.task} has a video (for example in {folder}); run the rule mux"
        )
    lines = [line for line in task.to_dict("records") if line["utterance"] in wanted]
    return Section(settings, columns, lines, *_values(settings, columns, task, study_root))


def _values(
    settings: GallerySection, columns: Columns, task: "pd.DataFrame", study_root: Path
) -> tuple[dict[tuple[str, str, str], str], dict[tuple[str, str], dict[str, bool]]]:
    """Return the text of every value, and which clips a threshold flags."""
    values, flagged = {}, {}
    for row in settings.rows if settings.metrics else ():
        scores = read_scores(study_root / "metrics", row.experiment, settings.task)
        for metric in settings.metrics:
            if metric not in set(scores["metric"]):
                continue  # a row without this score shows a dash
            info = columns[metric]
            chosen = select(scores, task, row, info)
            for utterance, value, status in zip(task["utterance"], chosen.value, chosen.status, strict=True):
                unit = f" {info.unit}" if info.unit and not np.isnan(value) else ""
                text = {"failed": "failed", "not_applicable": "n/a"}.get(status, info.text(value) + unit)
                values[row.key, metric, utterance] = text
            if metric in settings.flags:
                beyond = _is_beyond(chosen.value, settings.flags[metric], info)
                flagged[row.key, metric] = dict(zip(task["utterance"], beyond.tolist(), strict=True))
    return values, flagged


def _is_beyond(values: np.ndarray, threshold: float, info: Column) -> np.ndarray:
    """Tell which values lie on the bad side of a threshold; a missing one does not."""
    values = np.asarray(values, float)
    if info.direction == "higher":
        return values < threshold
    return (np.abs(values) if info.direction == "zero" else values) > threshold


def _flag_note(section: Section) -> str:
    """Say per metric which rows crossed its threshold, and in how many clips; "" if nothing is flagged."""
    notes = []
    for metric, threshold in section.settings.flags.items():
        info = section.columns[metric]
        counts = {row.key: section.flagged.get((row.key, metric), {}) for row in section.settings.rows}
        rows = [
            f"{key} ({sum(clips.values())} of {len(clips)} clips)"
            for key, clips in counts.items()
            if any(clips.values())
        ]
        beyond = f"{info.label} beyond {info.text(threshold)} {info.unit or ''}".strip()
        notes.append(f"{beyond}: {', '.join(rows) or 'no row'}.")
    return f'<p class="notice"><strong>Flagged.</strong> {escape(" ".join(notes))}</p>\n' if notes else ""


def build_page(settings: GalleryJob, study_root: Path | str, references: Mapping[str, Path] | None = None) -> str:
    """Return the page as HTML; clips are left out from the end (and the page says so) if it would grow too large.

    Args:
        settings: the page.
        study_root: results/{study}.
        references: reference recording -> sound file; those that are not there cannot be heard.

    Raises:
        UserError: a task has no video, or one clip alone exceeds the limit.
    """
    study_root = Path(study_root)
    sections = [_section(task, settings.column, study_root) for task in settings.tasks]
    material = Material(study_root, frozenset(settings.synthetic_datasets), references or {})
    page = _page(settings, sections, material)
    while len(page.encode()) > settings.max_megabytes * 1e6:
        longest = max(range(len(sections)), key=lambda index: len(sections[index].lines))
        section = sections[longest]
        if len(section.lines) <= 1:
            raise UserError(
                f"gallery: one clip per task already takes {len(page) / 1e6:.1f} MB, more than max_megabytes "
                f"{settings.max_megabytes:g}; raise it or name fewer rows"
            )
        logger.warning("gallery: left out clip %s to stay below the limit", section.lines[-1]["utterance"])
        sections[longest] = replace(section, lines=section.lines[:-1], left_out=section.left_out + 1)
        page = _page(settings, sections, material)
    return page


def page_head(title: str, style: str) -> str:
    """Start of a self-contained page, up to its body: the policy lets it load nothing from elsewhere."""
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
"""


def _page(settings: GalleryJob, sections: list[Section], material: Material) -> str:
    style = (ASSETS / "gallery.css").read_text(encoding="utf-8")
    script = (ASSETS / "gallery.js").read_text(encoding="utf-8")
    body = "\n".join(_section_html(section, material) for section in sections)
    links = " ".join(f'<a href="#{escape(s.settings.task)}">{escape(s.settings.heading)}</a>' for s in sections)
    font = embedded_font("".join(line["text"] for section in sections for line in section.lines))
    study = f"Study {escape(settings.study)}. " if settings.study else ""
    source = f"url(data:font/woff;base64,{font})"
    face = f'@font-face {{ font-family: "SyncVoice Sans"; unicode-range: U+2E80-FFFF; src: {source}; }}\n'
    return f"""{page_head(settings.heading, face + style)}<body>
<header>
<h1>{escape(settings.heading)}</h1>
<p class="soft">{study}The same clips for every row. Clips were chosen by name, not by score: voices seen and unseen in
training in turn.</p>
<p class="notice"><strong>Synthetic speech.</strong> {RESPONSIBLE_USE}</p>
<p class="soft keys"><kbd>space</kbd> play or pause, <kbd>←</kbd> <kbd>→</kbd> another row, <kbd>↑</kbd> <kbd>↓</kbd>
another clip, <kbd>A</kbd> all rows of the clip in turn, <kbd>Esc</kbd> stop.</p>
<nav aria-label="Tasks">{links}</nav>
</header>
<main>
{body}
</main>
<footer><p>Values under a video belong to that clip alone; means and intervals stand in the tables.
{RESPONSIBLE_USE}</p></footer>
<script>
{script}</script>
</body>
</html>
"""


def _section_html(section: Section, material: Material) -> str:
    task = section.settings
    notes = [
        f"{escape(info.title)}{f' {info.arrow}' if info.arrow else ''}"
        for info in map(section.columns.__getitem__, task.metrics)
    ]
    text = f"Values: {'; '.join(notes)}. " if notes else ""
    if section.left_out:
        text += f"{section.left_out} more clips were left out to keep this page small."
    clips = "\n".join(_clip_html(section, number, line, material) for number, line in enumerate(section.lines, 1))
    return f"""<section id="{escape(task.task)}">
<h2>{escape(task.heading)}</h2>
<p class="soft">{text}</p>
{_flag_note(section)}{clips}
</section>"""


def _clip_html(section: Section, number: int, line: dict[str, str], material: Material) -> str:
    voice = {"yes": "seen in training", "no": "never seen in training"}.get(line["voice_seen"], "")
    seconds = int(line["n_frames"]) / clocks.FPS if line.get("n_frames") else 0
    facts = [f"clip {line['utterance']}", f"voice {line.get('speaker', '?')}, {voice}", f"{seconds:.1f} s"]
    rows = "\n".join(_row_html(section, row, line, material) for row in section.settings.rows)
    language = escape(line["language"])
    return f"""<article class="clip" aria-label="Clip {number}">
<header>
<div><h3 lang="{language}">{escape(line["text"])}</h3><div class="facts">{escape(" · ".join(facts))}</div></div>
<button type="button" aria-pressed="false">Play all rows in turn</button>
</header>{_reference_html(line, material)}
<div class="rows">
{rows}
</div>
</article>"""


def _row_html(section: Section, row: Row, line: dict[str, str], material: Material) -> str:
    utterance = line["utterance"]
    path = video_path(material.study_root, row, section.settings.task, utterance)
    name = escape(f"{row.key}, clip {utterance}", quote=True)
    if path.exists():
        data = base64.b64encode(path.read_bytes()).decode()
        source = f"data:video/mp4;base64,{data}"
        video = f'<video controls preload="metadata" playsinline aria-label="{name}" src="{source}"></video>'
    else:
        video = '<div class="missing">No video: this row has no speech for this clip.</div>'
    values, flags = [], []
    for metric in section.settings.metrics:
        info = section.columns[metric]
        text = section.values.get((row.key, metric, utterance), "–")
        is_flagged = section.flagged.get((row.key, metric), {}).get(utterance, False)
        flags += [f'<span class="label flag">{escape(info.label)}</span>'] * is_flagged
        values.append(
            f'<dt title="{escape(info.title)}">{escape(f"{info.label} {info.arrow}")}</dt><dd>{escape(text)}</dd>'
        )
    return f"""<figure>
{video}
<figcaption><strong>{escape(row.key)}</strong> {_label(row, line, material)}{"".join(flags)}
<span class="what">{escape(row.what)}</span>
<dl>{"".join(values)}</dl></figcaption>
</figure>"""


def _reference_html(line: dict[str, str], material: Material) -> str:
    """Return a player of the voice that a clip's rows should have, if its recording is there."""
    path = material.references.get(line.get("reference", ""))
    if path is None:
        return ""
    audio, rate = read_wav(path)
    buffer = BytesIO()
    soundfile.write(buffer, np.clip(audio[: MOST_REFERENCE_S * rate], -1, 1), rate, format="FLAC", subtype="PCM_16")
    source = f"data:audio/flac;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    name = escape(f"reference voice of clip {line['utterance']}", quote=True)
    return f"""
<div class="reference"><span>Reference voice</span><audio controls aria-label="{name}" src="{source}"></audio></div>"""


def _label(row: Row, line: dict[str, str], material: Material) -> str:
    """Return the label that says whether a row's sound was made by a machine."""
    if not row.original:
        return '<span class="label">synthetic speech</span>'
    own = ", itself synthetic" if line.get("dataset") in material.synthetic else ""
    return f'<span class="label original">{ORIGINAL}{own}</span>'


def embedded_font(text: str) -> str:
    """Return the house font cut down to the Chinese characters of `text`, as base64 WOFF: Mandarin shows everywhere."""
    from fontTools import subset
    from fontTools.ttLib import TTFont

    logging.getLogger("fontTools").setLevel(logging.WARNING)
    characters: set[int] = {ord(character) for character in text if ord(character) > 0x2E7F}
    font = TTFont(FONT, recalcTimestamp=False)
    options = subset.Options()
    options.notdef_outline = True
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=characters | {0x20})
    cutter.subset(font)
    font.flavor = "woff"
    packed = BytesIO()
    font.save(packed)
    return base64.b64encode(packed.getvalue()).decode()
