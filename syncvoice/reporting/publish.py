"""Keeping the results of a run in results/reference/, where README and docs take their numbers from."""

import logging
import shutil
from pathlib import Path

from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.records.clips import clips_of
from syncvoice.reporting.results_block import read_rows

log = logging.getLogger(__name__)

KEPT = (
    "tables/*.csv", "tables/*.md", "plots/*.svg", "plots/*.png", "plots/contact_sheet/*/test.jpg",
    "metrics/syncnet_check.json", "networks/*.json", "benchmarks/cost.*",
)  # fmt: skip


def keep(study: Path, out: Path) -> list[Path]:
    """Copy tables, plots, the check of the small SyncNet, what models and networks learned from, and the stages' cost.

    The names of all clips are kept for recordings, which a reader can find again: clips/{split}.txt. Everything else in
    `out` goes, but for tables that the study folder has not: an overlay made them, and a sentence names them.

    Returns:
        what was written.

    Raises:
        UserError: the study has no tables.
    """
    if not list(study.glob("tables/*.csv")):
        raise UserError(f"{study} has no tables; run the study first (make results)")
    _clear(study, out)
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


def _clear(study: Path, out: Path) -> None:
    """Remove what was kept before, except tables that the study folder cannot replace."""
    left = [path for path in sorted(out.glob("tables/*")) if not (study / "tables" / path.name).exists()]
    for path in sorted(out.rglob("*"), reverse=True):
        if path.is_dir():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in left:
            path.unlink()
    if left:
        log.warning(
            "%s stay in %s as they were: %s has no such tables, as when an overlay made them elsewhere; delete them if "
            "they no longer belong to the study", ", ".join(path.name for path in left), out / "tables", study,
        )  # fmt: skip


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
