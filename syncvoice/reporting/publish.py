"""Keeping the results of a run: tables and plots go to results/reference/, the main figures into the README.

Every number of the README's results block comes from here, so a reader can trace it to a table of a named run.
"""

import csv
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.files import atomic_path, read_json
from syncvoice.metrics.registry import METRICS
from syncvoice.records.clips import clips_of

KEPT = (
    "tables/*.csv", "tables/*.md", "plots/*.svg", "plots/*.png", "plots/contact_sheet/*/test.jpg",
    "metrics/syncnet_check.json", "networks/*.json",
)  # fmt: skip

Cell = Mapping[str, str]
Table = dict[tuple[str, str, str], Cell]  # (experiment, group, metric) -> row of the table


def keep(study: Path, out: Path) -> list[Path]:
    """Copy tables, plots, the check of the small SyncNet, what models and networks learned from, and the stages' cost.

    The names of all clips are kept for recordings, which a reader can find again: clips/{split}.txt.

    Returns:
        what was written.

    Raises:
        UserError: the study has no tables.
    """
    if not list(study.glob("tables/*.csv")):
        raise UserError(f"{study} has no tables; run the study first (make results)")
    shutil.rmtree(out, ignore_errors=True)
    copies = {path: out / path.relative_to(study) for pattern in KEPT for path in study.glob(pattern)}
    copies |= {path: out / "models" / f"{path.parent.name}.json" for path in study.glob("models/*/metadata.json")}
    for path, target in sorted(copies.items()):
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    texts = {out / "cost.md": cost(study)}
    for manifest in sorted(study.glob("manifests/*/*.cuts.jsonl.gz")):
        if not (study / "corpus" / manifest.parent.name).is_dir():
            names = sorted(clip.id for clip in clips_of(manifest))
            texts[out / "clips" / f"{manifest.name.split('.')[0]}.txt"] = "".join(f"{name}\n" for name in names)
    for path, text in texts.items():
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return sorted([*copies.values(), *texts])


def cost(study: Path) -> str:
    """Wall time, CPU time and peak memory of each stage, from the jobs' benchmark files, as Markdown."""
    lines = ["| Stage | Jobs | CPU seconds | Longest job (s) | Peak memory of a job (GB) |", "| --- |" + " --- |" * 4]
    for stage in sorted(p for p in (study / "benchmarks").iterdir() if p.is_dir()):
        rows = [row for path in sorted(stage.rglob("*.tsv")) for row in read_rows(path, delimiter="\t")]
        seconds, cpu, memory = (
            [float(row[key]) for row in rows if row[key] not in ("-", "NA")] or [0.0]
            for key in ("s", "cpu_time", "max_rss")
        )
        cells = (stage.name, len(rows), f"{sum(cpu):.0f}", f"{max(seconds):.0f}", f"{max(memory) / 1024:.2f}")
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def read_rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Rows of a CSV or TSV file."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def read_table(path: Path) -> Table:
    """Read a table of results."""
    return {(row["experiment"], row["group"], row["metric"]): row for row in read_rows(path)}


def figure(metric: str, value: str) -> str:
    """A number with the metric's decimals; error rates and shares in %."""
    if not value:
        return "n/a"
    info = METRICS[metric]
    return f"{float(value) * info.scale:.{info.decimals}f}"


def block(table: Table, rows: Sequence[str], metrics: Sequence[str], group: str = "all") -> list[str]:
    """Markdown of chosen rows and metrics: means."""
    arrows = {"higher": " ↑", "lower": " ↓"}
    heads = [head(m) + arrows.get(METRICS[m].direction, "") for m in metrics]
    lines = ["| Row | What it is | " + " | ".join(heads) + " |", "| --- | --- |" + " --- |" * len(metrics)]
    for row in rows:
        cells = [figure(m, table[row, group, m]["mean"]) if (row, group, m) in table else "n/a" for m in metrics]
        caption = next(cell["caption"] for (name, _, _), cell in table.items() if name == row)
        lines.append(f"| {row} | {caption} | " + " | ".join(cells) + " |")
    return lines


def head(metric: str) -> str:
    """Label of a metric with its unit."""
    info = METRICS[metric]
    return f"{info.label} ({info.unit})" if info.unit else info.label


def difference(table: Table, row: str, group: str, metric: str) -> str:
    """Paired difference with its interval."""
    cell = table[row, group, metric]
    mean, low, high = (figure(metric, cell[k]) for k in ("diff_vs_baseline", "diff_low", "diff_high"))
    return f"{mean} ({low} to {high})"


def results_block(folder: Path, command: str) -> str:
    """The README's results of a study, from the tables kept in `folder`, whose name is the study's.

    Raises:
        UserError: the README shows no results of this study.
    """
    if folder.name not in BLOCKS:
        raise UserError(f"the README shows results of {', '.join(BLOCKS)}, not of {folder.name}; leave out --readme")
    return BLOCKS[folder.name](folder, command)


def mini_block(folder: Path, command: str) -> str:
    """The default study: rows, paired differences and what they mean."""
    en, zh = read_table(folder / "tables/en_en.csv"), read_table(folder / "tables/en_zh.csv")
    encoders = read_table(folder / "tables/speaker_encoders.csv")
    uncoupled = read_table(folder / "tables/en_en_uncoupled.csv")
    sync = ["lse_d.syncnet_mini", "lse_c.syncnet_mini", "in_sync.syncnet_mini", "phone_time_error.ctc_aligned"]
    voice = ["sim_o.ge2e_resemblyzer", "sim_o_other.ge2e_resemblyzer", "dnsmos_ovrl.p835"]
    rows = ["ground_truth", "vocoder_copy", "zero_shot_tts", "M1", "M3", "lip_only", "face_only"]
    rows += ["M3_other_video", "M3_shuffled_text", "noise"]
    lines = [
        f"Means over test clips, from `{command}`; intervals, all rows and both groups of voices stand in",
        f"[`{folder}/tables`]({folder}/tables).", "", "**English video, English text**", "",
        *block(en, rows, [*sync, "wer.pocketsphinx_grid", *voice]), "",
        "Paired differences from M1 (95 % interval):", "",
        "| Row | Clips | " + " | ".join(map(head, sync)) + " |", "| --- | --- |" + " --- |" * len(sync),
    ]  # fmt: skip
    for name, table, row, group in (
        ("M3", en, "M3", "all"), ("M3", en, "M3", "unseen"), ("M3, another clip's video", en, "M3_other_video", "all"),
        ("face_only", en, "face_only", "all"), ("face_only, uncoupled set", uncoupled, "face_only", "all"),
    ):  # fmt: skip
        cells = [difference(table, row, group, m) if m in {k[2] for k in table} else "n/a" for m in sync]
        lines.append(f"| {name} | {group} | " + " | ".join(cells) + " |")
    lines += ["", "**English video, Mandarin text**", ""]
    cross = ["cer.ctc_mini", "lse_c.syncnet_mini", "sim_o.ge2e_resemblyzer", "dnsmos_ovrl.p835"]
    lines += block(zh, ["zero_shot_tts", "M1", "M2", "M4", "M5"], cross)
    lines += block(encoders, ["dse_pretrained_only", "dse_learnable_only"], cross)[2:]
    lines += ["", f"![Guidance scales]({folder}/plots/guidance_pareto.svg)"]
    return "\n".join(lines)


def grid_s1_block(folder: Path, command: str) -> str:
    """The study on recordings of one GRID speaker: rows, paired differences, checks of its scorers."""
    table = read_table(folder / "tables/dub_2.csv")
    sync = ["lse_d.syncnet_mini", "lse_c.syncnet_mini", "in_sync.syncnet_mini", "phone_time_error.ctc_forced"]
    rest = ["wer.pocketsphinx_grid", "sim_o.ge2e_resemblyzer", "dnsmos_ovrl.p835"]
    check = read_json(folder / "metrics/syncnet_check.json")
    start = {
        row["recogniser"]: row for row in read_rows(folder / "tables/forced_alignment.csv") if row["edge"] == "start"
    }
    shares = [100 * check[key] for key in ("offset_within_1", "own_beats_other", "delays_recovered")]
    lines = [
        f"Means over test clips, from `{command}`; intervals stand in [`{folder}/tables`]({folder}/tables).", "",
        *block(table, list(dict.fromkeys(row for row, _, _ in table)), [*sync, *rest]), "",
        "Paired differences from M1 (95 % interval):", "",
        "| Row | " + " | ".join(map(head, [*sync, rest[0]])) + " |", "| --- |" + " --- |" * (len(sync) + 1),
    ]  # fmt: skip
    for name, row in (
        ("M3", "M3"),
        ("M3, another clip's video", "M3_other_video"),
        ("shuffled text", "M3_shuffled_text"),
    ):
        lines.append(f"| {name} | " + " | ".join(difference(table, row, "all", m) for m in [*sync, rest[0]]) + " |")
    lines += [
        "",
        f"The small SyncNet on the {check['clips']} test clips, which it never saw: own sound within one frame "
        f"{shares[0]:.1f} %, own sound beats another's {shares[1]:.1f} %, delays recovered {shares[2]:.1f} % "
        f"({'passed' if check['passed'] else 'NOT passed'}, 95 % asked for). Forced alignment against GRID's own word "
        "times, starts of words: " + ", ".join(
            f"{name} recogniser {float(row['mean_abs_ms']):.0f} ms (median {float(row['median_abs_ms']):.0f})"
            for name, row in start.items()
        ) + ".",
    ]  # fmt: skip
    return "\n".join(lines)


BLOCKS = {"mini": mini_block, "grid_s1": grid_s1_block}


def markers(study: str) -> tuple[str, str]:
    """Lines of the README between which a study's results stand."""
    return f"<!-- results of {study} -->", f"<!-- /results of {study} -->"


def fill(readme: str, study: str, text: str) -> str:
    """Replace what stands between the markers of a study.

    Raises:
        UserError: a marker is missing.
    """
    begin, end = markers(study)
    if begin not in readme or end not in readme:
        raise UserError(f"README lacks the markers {begin} and {end}; put them where the results belong")
    return readme[: readme.index(begin) + len(begin)] + "\n" + text + "\n" + readme[readme.index(end) :]
