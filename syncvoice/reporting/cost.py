"""The table of cost: CSV with plain units, Markdown and LaTeX for people. No run repeats timings exactly."""

import csv
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from syncvoice.files import atomic_path
from syncvoice.reporting.latex import latex
from syncvoice.reporting.render import Block
from syncvoice.reporting.settings import Page

TITLE = "Cost of the parts of dubbing"
COLUMNS = (
    "part", "real_time_factor", "peak_bytes", "flop_per_s", "parameters",
    "full_flop_per_s", "full_parameters", "full_real_time_factor",
)  # fmt: skip
HEAD = (
    "Part", "Real-time factor", "Peak memory (MB)", "Operations (GFLOP per s of speech)", "Parameters (M)",
    "Full size: operations (GFLOP per s of speech)", "Full size: parameters (M)",
    "Full size: real-time factor (extrapolated)",
)  # fmt: skip


def write_cost(path: Path, rows: Sequence[Mapping[str, Any]], threads: int, steps: int) -> list[Path]:
    """Write `path` (.csv), and beside it .md and .tex; returns all three.

    Args:
        path: of the CSV file.
        rows: one per part, with the keys of COLUMNS; None is empty.
        threads: that every part computed with.
        steps: of the sampler.
    """
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    block = Block(TITLE, list(HEAD), [_cells(row) for row in rows], [*_notes(threads, steps)])
    page = Page(name="cost", title=TITLE)
    texts = {".md": markdown(block), ".tex": latex(page, [block])}
    for suffix, text in texts.items():
        with atomic_path(path.with_suffix(suffix)) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return [path, *(path.with_suffix(suffix) for suffix in texts)]


def _cells(row: Mapping[str, Any]) -> list[str]:
    """Cells of one part for people."""

    def text(key: str, scale: float, form: str) -> str:
        return "–" if row[key] is None else f"{row[key] * scale:{form}}"

    return [
        str(row["part"]),
        text("real_time_factor", 1, ".3g"),
        text("peak_bytes", 1e-6, ".0f"),
        text("flop_per_s", 1e-9, ".3g"),
        text("parameters", 1e-6, ".2f") if row["parameters"] else "–",
        text("full_flop_per_s", 1e-9, ".4g"),
        text("full_parameters", 1e-6, ".1f"),
        text("full_real_time_factor", 1, ".3g"),
    ]


def _notes(threads: int, steps: int) -> list[str]:
    """What a reader must know of the figures."""
    return [
        f"Measured on {_processor()} with {threads} thread(s), parts one after the other, each in a process of its own:"
        " median over clips and runs of seconds of computing per second of speech; highest resident memory of the"
        " process, Python and torch included. These are timings, no scores: no run repeats them exactly, and no"
        " comparison of results reads them.",
        f"Guidance and rows: {steps} Euler steps, one clip at a time; a row is sampling and vocoder together. Tracking,"
        " front-ends and speaker encoders run once per clip or voice, for all rows.",
        "Operations are counted (torch.utils.flop_counter; a multiplication and an addition are two). It counts no"
        " Fourier transform, which the small vocoder spends most of its time in. Full size: counted on networks of"
        " the public sizes without values (ZipVoice base, CAM++, Vocos; lips by the ResNet-18 of LRW, face by EmoNet"
        " in place of the mesh), for the same clip and as many steps.",
        "The full size's real-time factor is extrapolated, not measured: the small one times the ratio of operations,"
        " as if the machine did as many per second. Small networks reach a lower rate, so it is a high guess.",
    ]


def _processor() -> str:
    """What the machine says of its processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return f"{named or platform.processor() or platform.machine()} ({os.cpu_count()} cores)"


def markdown(block: Block) -> str:
    """Return the table as Markdown."""
    lines = [f"# {block.title}", "", "| " + " | ".join(block.head) + " |"]
    lines += ["| --- |" + " ---: |" * (len(block.head) - 1)]
    lines += ["| " + " | ".join(cells) + " |" for cells in block.lines]
    return "\n".join([*lines, "", *(f"- {note}" for note in block.notes)]) + "\n"
