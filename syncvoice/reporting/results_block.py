"""A study's results in README and docs, from its kept tables and a description of what to show.

The description is config/shown/STUDY.yaml.

A block is a list of parts: text, a table of means, a table of paired differences, or sentences with numbers from a
file. This module names no row and no study.
"""

import csv
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from syncvoice.errors import UserError
from syncvoice.files import read_json
from syncvoice.reporting.columns import Columns, is_error_rate
from syncvoice.reporting.render import SIGNIFICANCE
from syncvoice.reporting.settings import Group
from syncvoice.section import Section, nearest, validated

Cell = Mapping[str, str]
Table = dict[tuple[str, str, str], Cell]  # (experiment, group, metric) -> row of the table


class Means(Section):
    """Means of chosen metrics; `rows` names rows by table, an empty list takes all."""

    metrics: list[str] = Field(min_length=1)
    rows: dict[str, list[str]] = Field(min_length=1)


class DifferenceRow(Section):
    """One line of paired differences: a row of a table, for all clips or one group."""

    name: str
    table: str
    row: str
    group: Group = "all"


class Differences(Section):
    """Paired differences from each table's baseline; `by_group` adds a column that names the clips."""

    metrics: list[str] = Field(min_length=1)
    rows: list[DifferenceRow] = Field(min_length=1)
    by_group: bool = False


class Facts(Section):
    """Sentences with the numbers of a JSON file, or of each line of a CSV file whose columns have certain values."""

    file: str
    text: str
    where: dict[str, str] = {}
    before: str = ""
    after: str = ""


class Part(Section):
    """One part of a block: exactly one of its kinds."""

    text: str | None = None
    means: Means | None = None
    differences: Differences | None = None
    facts: Facts | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> "Part":
        """Refuse a part of no kind or of several."""
        if sum(getattr(self, name) is not None for name in type(self).model_fields) != 1:
            raise ValueError(f"a part is exactly one of {', '.join(type(self).model_fields)}")
        return self


class Document(Section):
    """A document, and the parts of a study's block in it."""

    file: str
    parts: list[Part] = Field(min_length=1)


class Shown(Section):
    """What is shown of a study, by document."""

    documents: list[Document] = Field(min_length=1)


def read_shown(path: Path) -> dict[str, list[Part]]:
    """Read what each document shows of a study: file -> parts of its block.

    Raises:
        UserError: there is none for this study, or it has a wrong key or value.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        known = ", ".join(sorted(file.stem for file in path.parent.glob("*.yaml"))) or "no study"
        raise UserError(
            f"the documents show results of {known}, not of {path.stem}; write {path}, or leave out --documents"
        ) from error
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no valid YAML: {error}") from error
    shown = validated(Shown, values if isinstance(values, dict) else {}, str(path))
    return {document.file: document.parts for document in shown.documents}


def results_block(parts: Sequence[Part], folder: Path, columns: Columns, command: str, document: str = "") -> str:
    """Return a document's results of a study as Markdown.

    Args:
        parts: what to show.
        folder: kept results, with tables/; as seen from the folder that the document's name starts in.
        columns: what is known of the metrics.
        command: what made the results.
        document: file that shows them: links in it start from its own folder.

    Raises:
        UserError: a table, row or metric is not there.
    """
    source = _Source(folder, columns)
    seen = Path(os.path.relpath(folder, Path(document).parent)).as_posix() if document else str(folder)
    words = {"{folder}": seen, "{command}": command}
    return "\n\n".join(_part(part, source, words) for part in parts)


class _Source:
    """Tables of a study by name, each read once, and the columns of its metrics."""

    def __init__(self, folder: Path, columns: Columns) -> None:
        self.folder, self.columns = folder, columns
        self._tables: dict[str, Table] = {}

    def table(self, name: str) -> Table:
        """Return a table by (experiment, group, metric)."""
        if name not in self._tables:
            path = self.folder / "tables" / f"{name}.csv"
            if not path.is_file():
                hint = nearest(name, sorted(file.stem for file in path.parent.glob("*.csv")))
                raise UserError(f"{path} does not exist; {hint}")
            self._tables[name] = {(row["experiment"], row["group"], row["metric"]): row for row in read_rows(path)}
        return self._tables[name]

    def row(self, table: str, row: str) -> str:
        """Return the name of a row after a check that it is there."""
        known = list(dict.fromkeys(name for name, _, _ in self.table(table)))
        if row not in known:
            raise UserError(f"{self.folder}/tables/{table}.csv has no row {row!r}; {nearest(row, known)}")
        return row


def read_rows(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    """Rows of a CSV or TSV file."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


def _part(part: Part, source: _Source, words: Mapping[str, str]) -> str:
    if part.text is not None:
        text = part.text
        for name, value in words.items():
            text = text.replace(name, value)
        return text
    if part.means is not None:
        return "\n".join([*_means(part.means, source), "", *_notes(part.means, source)]).rstrip()
    if part.differences is not None:
        return "\n".join(_differences(part.differences, source))
    assert part.facts is not None
    return _facts(part.facts, source.folder)


def _means(part: Means, source: _Source) -> list[str]:
    """Markdown of chosen rows and metrics; a cell that holds no value is n/a."""
    heads = [source.columns[metric].heading for metric in part.metrics]
    lines = ["| Row | What it is | " + " | ".join(heads) + " |", "| --- | --- |" + " --- |" * len(heads)]
    for name, rows in part.rows.items():
        table = source.table(name)
        for row in [source.row(name, row) for row in rows] or dict.fromkeys(row for row, _, _ in table):
            cells = [
                _figure(source.columns, metric, table.get((row, "all", metric), {}), "mean") for metric in part.metrics
            ]
            caption = next(cell["caption"] for (known, _, _), cell in table.items() if known == row)
            lines.append(f"| {row} | {caption} | " + " | ".join(cells) + " |")
    return lines


def _notes(part: Means, source: _Source) -> list[str]:
    """Say what each error rate of a table is, and over which clips a metric is, where it is not all of them."""
    lines = []
    for metric in part.metrics:
        cells = [cell for name in part.rows for key, cell in source.table(name).items() if key[1:] == ("all", metric)]
        counts = {(int(cell["n_expected"]), int(cell["n_not_applicable"])) for cell in cells}
        clips = max((expected for expected, _ in counts), default=0)
        everything = max((expected + left_out for expected, left_out in counts), default=0)
        column = source.columns[metric]
        if is_error_rate(metric) or clips != everything:
            number = f"{clips} of {everything} clips" if clips != everything else f"{clips} clips"
            lines.append(f"{column.label}: {number}. {column.caption}")
    return lines


def _figure(columns: Columns, metric: str, cell: Cell, key: str) -> str:
    """A number with the metric's decimals; error rates and shares in %."""
    return columns[metric].text(float(cell[key])) if cell.get(key) else "n/a"


def _differences(part: Differences, source: _Source) -> list[str]:
    """Markdown of paired differences with intervals; † marks those that survive the correction of their table."""
    heads = [source.columns[metric].heading for metric in part.metrics]
    first = ["Row", "Clips"] if part.by_group else ["Row"]
    lines = ["| " + " | ".join([*first, *heads]) + " |", "|" + " --- |" * (len(first) + len(heads))]
    for line in part.rows:
        table, row = source.table(line.table), source.row(line.table, line.row)
        cells = [
            _difference(source.columns, metric, table.get((row, line.group, metric), {})) for metric in part.metrics
        ]
        lines.append("| " + " | ".join([line.name, *[line.group] * part.by_group, *cells]) + " |")
    return lines


def _difference(columns: Columns, metric: str, cell: Cell) -> str:
    if not cell.get("diff_vs_baseline"):
        return "n/a"
    mean, low, high = (_figure(columns, metric, cell, key) for key in ("diff_vs_baseline", "diff_low", "diff_high"))
    survives = bool(cell["p_holm"]) and float(cell["p_holm"]) < SIGNIFICANCE
    return f"{mean} ({low} to {high})" + " †" * survives


def _facts(part: Facts, folder: Path) -> str:
    """Return the sentences of a file's numbers; several lines of a table are joined by commas."""
    path = folder / part.file
    lines: Sequence[Mapping[str, Any]] = [read_json(path)] if path.suffix == ".json" else read_rows(path)
    chosen = [line for line in lines if all(line.get(key) == value for key, value in part.where.items())]
    if not chosen:
        raise UserError(f"{path}: no line has {part.where}; correct config/shown")
    try:
        return part.before + ", ".join(part.text.format(**_numbers(line)) for line in chosen) + part.after
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} does not fit the text {part.text!r} ({error})") from error


def _numbers(line: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a line as numbers where they are some, and 100 times each number as NAME_percent."""
    values: dict[str, Any] = {}
    for name, value in line.items():
        if isinstance(value, bool):
            values[name] = "yes" if value else "no"
            continue
        try:
            values[name] = float(value) if isinstance(value, str) else value
            values[f"{name}_percent"] = 100 * values[name]
        except (TypeError, ValueError):
            values[name] = value
    return values


def markers(study: str) -> tuple[str, str]:
    """Lines of a document between which a study's results stand."""
    return f"<!-- results of {study} -->", f"<!-- /results of {study} -->"


def fill(document: str, study: str, text: str) -> str:
    """Replace what stands between the markers of a study.

    Raises:
        UserError: a marker is missing.
    """
    begin, end = markers(study)
    if begin not in document or end not in document:
        raise UserError(f"the document lacks the markers {begin} and {end}; put them where the results belong")
    return document[: document.index(begin) + len(begin)] + "\n" + text + "\n" + document[document.index(end) :]
