"""Parts of a table for people, and their Markdown: made from the CSV's contents alone, never from the scores."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syncvoice.reporting.columns import Column
from syncvoice.reporting.settings import TableJob
from syncvoice.reporting.spread import deviation_factors, is_within_spread

if TYPE_CHECKING:
    import pandas as pd

GROUP_TITLES = {
    "all": "All clips",
    "seen": "Voices seen in training",
    "unseen": "Voices never seen by any weight",
    "grid": "Sentences of the GRID grammar",
    "open": "Sentences of no fixed grammar",
    "slow": "The third of the clips that are spoken slowest",
    "medium": "The third of the clips that are spoken neither fast nor slowly",
    "fast": "The third of the clips that are spoken fastest",
    "quiet": "The third of the clips that are spoken most quietly",
    "moderate": "The third of the clips that are spoken neither loudly nor quietly",
    "loud": "The third of the clips that are spoken loudest",
}
SIGNIFICANCE = 0.05
UNCHECKED = (
    "The mini SyncNet did not pass its own check on held-out ground truth (figures in the notes): its LSE-C, LSE-D and"
    " offset below must not be read as lip sync. The phone time error needs no lip-sync network."
)


@dataclass(frozen=True)
class Block:
    """One part of a rendered table: a heading, and either a grid with column heads or notes.

    `prose` names columns of the grid that hold sentences, which no printed page has room for.
    """

    title: str
    head: Sequence[str] = ()
    lines: Sequence[Sequence[str]] = ()
    notes: Sequence[str] = ()
    prose: Sequence[str] = ()


def escape_markdown(text: str) -> str:
    """Return text that shows as it is in a cell of a Markdown table."""
    for character in "\\`*_{}[]<>|#":
        text = text.replace(character, "\\" + character)
    return text.replace("\n", " ")


def blocks(
    settings: TableJob, table: "pd.DataFrame", directions: "pd.DataFrame", check: dict[str, Any] | None = None
) -> list[Block]:
    """Return the parts of a rendered table, in order.

    Args:
        settings: the table's settings.
        table: as `tables.build_table` makes it.
        directions: the paper's directions and ours.
        check: contents of `metrics/syncnet_check.json`, shown if the table holds a score of the mini SyncNet.
    """
    infos = settings.columns
    groups = [group for group in settings.groups if (table["group"] == group).any()]
    cells = {(line.experiment, line.group, line.metric): line for line in table.itertuples()}
    result = []
    if check and not check.get("passed") and any("syncnet_mini" in info.id for info in infos):
        result.append(Block("Warning", notes=(UNCHECKED,)))
    for group in groups:
        head, lines = ["Row", "What it is"], [[experiment, caption] for experiment, caption in _rows(table)]
        for info in infos:
            head += [_head(info, table, group), *([f"± {info.label}"] if settings.trainings else [])]
            for line in lines:
                cell = cells[line[0], group, info.id]
                line += [_value(info, cell), *([_spread(info, cell)] if settings.trainings else [])]
        result.append(Block(f"{GROUP_TITLES[group]} ({_clips(table, group)})", head, lines, prose=head[1:2]))
    if settings.baseline:
        result += [_differences(settings, table, infos, cells, group) for group in groups]
    if settings.external:
        result.append(_external_block(settings, infos))
    if len(directions):
        result.append(_direction_block(settings, directions))
    result.append(Block("Notes", notes=_notes(settings, table, infos, check)))
    return result


def _clips(table: "pd.DataFrame", group: str) -> str:
    chosen = table[table["group"] == group]
    everything = int((chosen["n_expected"] + chosen["n_not_applicable"]).max())
    number = int(chosen["n_expected"].max())
    return f"{number} clip{'s' * (number != 1)}" + (f" of {everything}" if number != everything else "")


def _head(info: Column, table: "pd.DataFrame", group: str) -> str:
    """Return the heading of a column, with its number of clips where a metric does not exist for all of them."""
    return f"{info.heading}{clips_of_metric(table, group, info.id)}"


def clips_of_metric(table: "pd.DataFrame", group: str, metric: str) -> str:
    """Return ", 48 of 64 clips" if a metric exists for a part of a group's clips, else nothing."""
    chosen = table[table["group"] == group]
    own = int(chosen.loc[chosen["metric"] == metric, "n_expected"].max())
    everybody = int((chosen["n_expected"] + chosen["n_not_applicable"]).max())
    return f", {own} of {everybody} clips" if 0 < own < everybody else ""


def _value(info: Column, line: Any) -> str:
    """Return a cell: value, interval, counts when not every clip was scored, the paper's value where comparable."""
    if not line.n_expected:
        return "n/a"
    text = info.text(line.mean)
    if not math.isnan(line.ci_low):
        text += f" ({info.text(line.ci_low)} to {info.text(line.ci_high)})"
    if line.n_scored != line.n_expected:
        text += f" {line.n_scored} of {line.n_expected}"
    if not math.isnan(line.paper_value):
        text += f" [paper: {info.text(line.paper_value)}]"
    return text


def _spread(info: Column, line: Any) -> str:
    """Return a cell: standard deviation of a row's mean over trainings, lowest and highest of the means."""
    if math.isnan(line.spread):
        return "–"
    return f"{info.text(line.spread)} ({info.text(line.trainings_low)} to {info.text(line.trainings_high)})"


def _rows(table: "pd.DataFrame") -> list[tuple[str, str]]:
    """Return (experiment, caption) of the rows, in the order of the table."""
    return list(dict.fromkeys(zip(table["experiment"], table["caption"], strict=True)))


def _differences(
    settings: TableJob, table: "pd.DataFrame", infos: Sequence[Column], cells: dict[Any, Any], group: str
) -> Block:
    lines = []
    for experiment, _ in _rows(table):
        if experiment != settings.baseline:
            lines.append([experiment, *(_difference(info, cells[experiment, group, info.id]) for info in infos)])
    title = f"Difference from {settings.baseline}, paired by clip: {GROUP_TITLES[group].lower()}"
    return Block(title, ["Row", *(info.heading for info in infos)], lines)


def _difference(info: Column, line: Any) -> str:
    if math.isnan(line.diff_vs_baseline):
        return "–"
    text = info.text(line.diff_vs_baseline, signed=True)
    text += f" ({info.text(line.diff_low, signed=True)} to {info.text(line.diff_high, signed=True)})"
    if line.n_paired != line.n_expected:
        text += f" {line.n_paired} pairs"
    return text + " †" * (line.p_holm < SIGNIFICANCE) + " ‡" * is_within_spread(line)


def _external_block(settings: TableJob, infos: Sequence[Column]) -> Block:
    """Published numbers of other systems on the same data and task."""
    values = {(value.system, value.metric): value for value in settings.external}
    lines = []
    for system in dict.fromkeys(value.system for value in settings.external):
        found = [values.get((system, info.id)) for info in infos]
        sources = {value.source + ("" if value.verified else " (not verified)") for value in found if value}
        cells = [info.text(value.value) if value else "–" for info, value in zip(infos, found, strict=True)]
        lines.append([system, *cells, "; ".join(sorted(sources))])
    head = ["System", *(info.heading for info in infos), "source"]
    return Block(
        "Published for other systems on these data and this task; not computed here", head, lines, prose=head[-1:]
    )


def _direction_block(settings: TableJob, directions: "pd.DataFrame") -> Block:
    head = ["The paper's direction", "measure here", "ours", "agrees", "every step beyond chance", "source"]
    lines = []
    for line in directions.itertuples():
        statement = line.statement or line.order
        source = line.source + ("" if line.verified == "yes" else " (not verified)")
        measure = settings.column[line.metric].label
        lines.append([statement, measure, line.ours, line.agrees, line.every_step_clear, source])
    notes = (
        "Directions only: data, scorer or metric differ from the paper's, so its numbers do not stand beside ours."
        f' "Every step beyond chance" means that each paired difference along the order is above 0 at {SIGNIFICANCE:g}'
        " after Holm's correction over all steps of this table, the standard of the mark † above.",
    )
    return Block("The paper's direction and ours", head, lines, notes, prose=head)


def _notes(
    settings: TableJob, table: "pd.DataFrame", infos: Sequence[Column], check: dict[str, Any] | None
) -> list[str]:
    percent = f"{settings.bootstrap.confidence * 100:g}"
    notes = [
        f"In brackets: {percent} % bootstrap percentile intervals over clips"
        f" ({settings.bootstrap.resamples} resamples, seed {settings.bootstrap.seed})."
        " ↑ higher is better, ↓ lower is better. Error rates are corpus rates: all errors over all words, and a clip"
        " that failed counts as all wrong."
        ' For the other metrics a failed clip is left out; "n of m" then gives scored and expected clips.'
    ]
    if settings.baseline:
        notes.append(
            f"† differs from the baseline at {SIGNIFICANCE:g} after Holm's correction over all rows and metrics of a"
            " group (paired randomisation test). A difference without the mark is not evidence of no effect: "
            + _detectable(table, infos)
        )
        for group in settings.groups:
            coarse = coarse_tests(settings, table[table["group"] == group])
            notes += [f"Attention, {GROUP_TITLES[group].lower()}: {coarse}."] if coarse else []
    if settings.trainings:
        notes += spread_notes(settings, table)
    for info in infos:
        notes.append(
            f"{info.title}{f' {info.arrow}' if info.arrow else ''}: {info.caption} {_scorer(table, info.id)}".strip()
        )
    if check and any("syncnet_mini" in info.id for info in infos):
        notes.append(syncnet_check_note(check))
    sources = sorted({str(source) for source in table["paper_source"] if source})
    if sources:
        notes.append(f'Values marked "paper" have the same metric, scorer and data set; source: {"; ".join(sources)}.')
    return notes + list(settings.notes)


def spread_notes(settings: TableJob, table: "pd.DataFrame") -> list[str]:
    """Return what a reader must know of the spread between trainings, and of differences that are smaller."""
    by_seeds: dict[tuple[int, ...], list[str]] = {}
    for row, known in settings.trainings.items():
        by_seeds.setdefault(tuple(training.seed for training in known), []).append(row)
    seeds = "; ".join(f"{', '.join(rows)}: seeds {', '.join(map(str, known))}" for known, rows in by_seeds.items())
    fewest = min(map(len, by_seeds))
    confidence = settings.bootstrap.confidence
    low, high = deviation_factors(fewest, confidence)
    notes = [
        "±: standard deviation of a row's mean over trainings of its recipe with several seeds, in brackets the lowest"
        f" and highest of these means ({seeds}). Clips, voices and the noise that speech starts from are the same, so"
        " that training alone differs. The values beside it are those of the first seed, and their intervals over clips"
        f" know nothing of this spread. {fewest} trainings say little of it: the true standard deviation lies between"
        f" {low:.2f} and {high:.1f} times the one shown ({confidence * 100:g} %, chi-square)."
    ]
    if settings.baseline:
        compared = [line for line in table.itertuples() if not math.isnan(line.difference_spread)]
        within = sum(map(is_within_spread, compared))
        notes.append(
            "‡ the difference is smaller than its own standard deviation over trainings (row and baseline of the same"
            " seed, where both have several): it may come from these two trainings alone, whatever † says. Here:"
            f" {within} of {len(compared)} differences."
        )
    return notes


def coarse_tests(settings: TableJob, lines: "pd.DataFrame") -> str:
    """Return a sentence if no p-value of these resamples can survive the correction over a group, else nothing."""
    resamples, comparisons = settings.bootstrap.resamples, int(lines["p_value"].notna().sum())
    floor = comparisons / (resamples + 1)
    if floor < SIGNIFICANCE:
        return ""
    return (
        f"with {resamples} resamples no p-value of {comparisons} comparisons falls below {floor:.3f} after correction,"
        f" so no † can appear; raise bootstrap.resamples above {round(comparisons / SIGNIFICANCE)} or split the table"
    )


def _detectable(table: "pd.DataFrame", infos: Sequence[Column]) -> str:
    """Return what the table could have found: the median detectable difference of each metric, all clips."""
    parts = []
    for info in infos:
        chosen = table[(table["group"] == "all") & (table["metric"] == info.id)]
        value = chosen["detectable_difference"].median()
        if not math.isnan(value):
            unit = f" {info.unit}" if info.unit else ""
            parts.append(f"{info.label} {info.text(value)}{unit}")
    clips = _clips(table, "all") if (table["group"] == "all").any() else "these clips"
    if not parts:
        return f"with {clips} no detectable difference can be given."
    return f"with {clips} a true difference is found with 80 % chance only from about {', '.join(parts)}."


def _scorer(table: "pd.DataFrame", metric: str) -> str:
    chosen = table[table["metric"] == metric]
    names = sorted({str(name) for name in chosen["scorer"] if name})
    versions = sorted({str(name) for name in chosen["scorer_version"] if name})
    digests = sorted({str(name)[:12] for name in chosen["weights_sha256"] if name})
    text = f"Scorer: {', '.join(names) or 'unknown'}"
    text += f", version {', '.join(versions)}" if versions else ""
    return text + (f", weights sha256 {', '.join(digests)}…" if digests else "") + "."


CHECKED = {
    "offset_within_1": "own sound found within one frame in {} of clips",
    "own_beats_other": "own sound beats another clip's in {} of pairs",
    "delays_recovered": "delays of -8 to +8 frames recovered within one frame in {}",
}


def syncnet_check_note(check: dict[str, Any]) -> str:
    """Return the mini SyncNet's own check on held-out ground truth as a sentence.

    Args:
        check: contents of syncnet_check.json: the shares of `CHECKED`, `clips`, `threshold`, `passed`.
    """
    parts = [text.format(f"{check[name] * 100:.1f} %") for name, text in CHECKED.items() if name in check]
    clips = f" ({check['clips']} clips)" if "clips" in check else ""
    verdict = "passed" if check.get("passed") else "NOT passed"
    needed = f"; each must reach {check['threshold'] * 100:g} %" if "threshold" in check else ""
    return f"Check of the mini SyncNet on held-out ground truth{clips}: {'; '.join(parts)}{needed}: {verdict}."


def markdown(settings: TableJob, parts: list[Block]) -> str:
    """Return the table as Markdown."""
    lines = [f"# {escape_markdown(settings.heading)}", ""]
    for block in parts:
        lines += [f"## {escape_markdown(block.title)}", ""]
        if block.head:
            lines.append(_markdown_line(block.head))
            lines.append("|" + " --- |" * len(block.head))
            lines += [_markdown_line(cells) for cells in block.lines] + [""]
        lines += [f"- {escape_markdown(note)}" for note in block.notes] + [""] * bool(block.notes)
    return "\n".join(lines).rstrip() + "\n"


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(escape_markdown(cell) for cell in cells) + " |"
