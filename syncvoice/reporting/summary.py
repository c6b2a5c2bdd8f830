"""What a finished study says in a terminal: what to open, short tables, and what to know before believing them."""

from collections.abc import Iterator
from pathlib import Path

from syncvoice.reporting.columns import Columns
from syncvoice.reporting.publish import cost
from syncvoice.reporting.render import coarse_tests
from syncvoice.reporting.settings import TableJob
from syncvoice.reporting.tables import read_csv
from syncvoice.section import read_settings

SHOWN_METRICS = 6  # of a table, so that a line fits a terminal
OPENED = (
    ("gallery/index.html", "all rows side by side, in a browser"),
    ("tables", "every table as .md, .csv and .tex"),
    ("plots", "every plot as .svg, .pdf and .png"),
    ("report.zip", "all of it with the settings of every job"),
    ("cost.md", "processor time and memory per stage"),
)


def summary(study: Path) -> str:
    """Return the end of a run for people; a study without tables says what is there all the same."""
    jobs = [read_settings(path, TableJob) for path in sorted((study / "settings" / "tables").glob("*.json"))]
    made = [job for job in jobs if (study / "tables" / f"{job.name}.csv").exists()]
    parts = [_short_table(study, job) for job in made]
    notes = [note for job in made for note in _notes(study, job)]
    parts += ["\n".join(notes)] if notes else []
    there = [(study / name, what) for name, what in OPENED if (study / name).exists()]
    width = max((len(str(path)) for path, _ in there), default=0)
    parts.append("\n".join(["Open:", *(f"  {str(path).ljust(width)}  {what}" for path, what in there)]))
    return "\n\n".join(part for part in parts if part) + "\n"


def write_cost(study: Path) -> None:
    """Write cost.md beside the results, if jobs left benchmarks."""
    from syncvoice.files import atomic_path

    if (study / "benchmarks").is_dir():
        with atomic_path(study / "cost.md") as temporary:
            temporary.write_text(cost(study), encoding="utf-8")


def _short_table(study: Path, job: TableJob) -> str:
    """Return the means of a table's first metrics, all clips; nothing for a sweep, which a plot shows better."""
    table = read_csv(study / "tables" / f"{job.name}.csv")
    table = table[table["group"] == "all"]
    rows = list(dict.fromkeys(table["experiment"]))
    if any("/" in row for row in rows):
        return ""
    columns = Columns({column.id: column for column in job.columns[:SHOWN_METRICS]})
    means = {(line.experiment, line.metric): line.mean for line in table.itertuples()}
    lines = [["", *(column.heading for column in columns.values())]]
    lines += [[row, *(column.text(means[row, metric]) for metric, column in columns.items())] for row in rows]
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    cells = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([f"{job.heading} ({job.name})", *cells])


def _notes(study: Path, job: TableJob) -> Iterator[str]:
    """Say which scores are missing, and where no difference could have survived the correction."""
    table = read_csv(study / "tables" / f"{job.name}.csv")
    everything = table[table["group"] == "all"]
    failed = int(everything["n_failed"].sum())
    if failed:
        yield f"Table {job.name}: {failed} scores failed; the cells say how many, results/*/metrics say why."
    for group in job.groups:
        found = coarse_tests(job, table[table["group"] == group])
        if found:
            yield f"Table {job.name}, group {group}: {found}"
