"""Scoring a folder: `syncvoice score --generated DIR` and, in Python, `syncvoice.score(DIR, ...)`."""

import argparse
import csv
import io
import json
import logging
import math
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from syncvoice.commands.named_weights import networks_of
from syncvoice.errors import UserError
from syncvoice.places import ASSETS, SHIPPED

log = logging.getLogger(__name__)

SHOWN_PROBLEMS = 5  # failed utterances that are named under the table; the CSV holds all


@dataclass
class Tally:
    """What a metric's rows add up to: numbers only, so that memory does not depend on messages and names."""

    metric: str
    scorer: str = ""
    values: array = field(default_factory=lambda: array("d"))
    errors: array = field(default_factory=lambda: array("d"))
    words: array = field(default_factory=lambda: array("d"))
    scored: int = 0
    failed: int = 0
    not_applicable: int = 0
    uncounted: int = 0  # failed, and nobody knows how many words they have

    def add(self, row: Mapping[str, str]) -> None:
        """Count a row by the policy of `syncvoice.reporting.scores`."""
        from syncvoice.commands.columns import column_of

        info = column_of(self.metric)
        self.scorer = row["scorer"]
        status = row["status"]
        self.scored += status == "ok"
        self.failed += status == "failed"
        self.not_applicable += status == "not_applicable"
        if status == "ok":
            self.values.append(float(row["value"]))
        elif status == "failed" and info.failed_value is not None:
            self.values.append(info.failed_value)
        if info.errors_over_words and status != "not_applicable":
            if not row.get("words"):
                self.uncounted += 1
                return
            self.words.append(float(row["words"]))
            self.errors.append(float(row["errors"]))

    @property
    def nowhere(self) -> bool:
        """Whether the metric is defined for no utterance."""
        return not self.scored and self.not_applicable > 0

    def estimate(self) -> Any:
        """Mean, or corpus rate, with its bootstrap interval; nothing where every utterance failed."""
        from syncvoice.commands.columns import column_of
        from syncvoice.reporting.statistics import NO_ESTIMATE, mean_estimate, rate_estimate

        if not self.scored:
            return NO_ESTIMATE
        if column_of(self.metric).errors_over_words:
            return rate_estimate(self.errors, self.words, self.metric)
        return mean_estimate(self.values, self.metric)


@dataclass(frozen=True)
class FolderScores:
    """What scoring a folder found; `print` shows the table.

    Attributes:
        metrics: one summary per metric, as in the JSON of `syncvoice score --json`.
        text: the table for people.
        rows: one score row per utterance and metric; empty if they were written to a file.
    """

    metrics: list[dict[str, Any]]
    text: str
    rows: list[Mapping[str, str]]

    def __str__(self) -> str:
        return self.text

    @property
    def scored(self) -> int:
        """How many scores there are, over all metrics."""
        return sum(metric["scored"] for metric in self.metrics)

    def as_json(self) -> str:
        """Return the summary as JSON; what is not known is null."""
        from syncvoice import __version__

        return json.dumps({"syncvoice": __version__, "metrics": self.metrics}, indent=1, ensure_ascii=False) + "\n"

    def as_csv(self) -> str:
        """Return the summary as CSV, one line per metric with the fields of the JSON; what is not known is empty."""
        written = io.StringIO()
        writer = csv.DictWriter(written, list(self.metrics[0]) if self.metrics else ["metric"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.metrics)
        return written.getvalue()


def score(
    generated: Path | str,
    metrics: str | Sequence[str] = ("lse", "wer", "sim", "mos"),
    *,
    videos: Path | str | None = None,
    texts: Path | str | None = None,
    references: Path | str | None = None,
    subset: bool = False,
    out: Path | str | None = None,
    curves: Path | str | None = None,
    weights: Path | str = SHIPPED,
    assets: Path | str = ASSETS,
    networks: Mapping[str, Path] | None = None,
    options: Mapping[str, Any] | None = None,
) -> FolderScores:
    """Score a folder of sounds or videos.

    Args:
        generated: folder of what was generated.
        metrics: ids or aliases (`lse`, `wer`, `sim`, `mos`: the best scorer whose weights are here).
        videos: folder of the videos, same names (None: the generated videos).
        texts: table with the columns utterance and text.
        references: folder of reference recordings, or one recording for all.
        subset: do not expect texts that have no generated file.
        out: CSV file for the rows (None: they are returned).
        curves: folder for the lip-sync curve of every clip.
        weights, assets: folders of shipped weights and of weights made by others.
        networks: weights that replace the shipped ones, by name.
        options: switches of single scorers, see `Sources`.

    Raises:
        UserError: an input is missing, or a metric is unknown or lacks its input or weights.
    """
    from syncvoice.metrics.folders import Folder, chosen_files
    from syncvoice.metrics.registry import METRICS
    from syncvoice.records.scores import write_rows

    inputs = [Path(path) if path else None for path in (videos, texts, references)]
    folder = Folder.open(Path(generated), inputs[0], inputs[1], inputs[2], subset)
    sources = folder.sources(Path(weights), assets=Path(assets), overrides=networks or {}, options=options or {})
    names = metrics if isinstance(metrics, str) else ",".join(metrics)
    files = chosen_files(names, folder, sources)
    log.info("scoring %d utterances with %s", len(folder.names), ", ".join(files))
    tallies: dict[str, Tally] = {}
    problems: dict[str, str] = {}
    found = _tallied(_all_rows(files, folder, sources, Path(curves) if curves else None), tallies, problems)
    kept: list[Mapping[str, str]] = []
    if out is None:
        kept.extend(found)
    else:
        counts = any(entry.errors_over_words for entry in METRICS.values() if entry.file in files)
        write_rows(Path(out), found, counts)
        log.info("wrote %s", out)
    return FolderScores([summary(tally) for tally in tallies.values()], report(folder, tallies, problems), kept)


def score_folders(args: argparse.Namespace) -> None:
    """Score a folder of files and print what was found.

    Raises:
        UserError: an argument is missing or contradicts another, an input is missing, a metric is unknown, or nothing
            could be scored (the rows are written all the same).
    """
    if args.metric is None:
        raise UserError("syncvoice score --generated needs --metric, for instance lse,wer,sim,mos")
    if args.task or args.speech or args.manifest:
        raise UserError("--generated scores a folder without a study; leave out --task, --speech, --manifest")
    if len(args.references) > 1:
        raise UserError("--references takes one folder or one recording together with --generated")
    found = score(
        args.generated,
        args.metric,
        videos=args.videos,
        texts=args.texts,
        references=args.references[0] if args.references else None,
        subset=args.subset,
        out=args.out,
        curves=args.curves,
        weights=args.weights,
        assets=args.assets,
        networks=networks_of(args.network),
        options={"jpeg": args.jpeg, "dtype": args.dtype},
    )
    written = {"table": found.__str__, "csv": found.as_csv, "json": found.as_json}
    sys.stdout.write(written[args.format]())
    if not found.scored:
        raise UserError(f"nothing in {args.generated} could be scored; the messages say why")


def summary(tally: Tally) -> dict[str, Any]:
    """Return what one metric adds up to; value and interval are in `unit`, None where nothing was scored."""
    from syncvoice.commands.columns import column_of
    from syncvoice.metrics.registry import METRICS, VALIDITY

    info, estimate = column_of(tally.metric), tally.estimate()
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {
        "metric": tally.metric,
        "title": info.title,
        "scorer": tally.scorer,
        "unit": info.unit,
        "better": info.direction,
        **{name: None if math.isnan(number) else number * info.scale for name, number in numbers.items()},
        "confidence": 0.95,
        "scored": tally.scored,
        "failed": tally.failed,
        "failed_without_text": tally.uncounted,
        "not_applicable": tally.not_applicable,
        "validity": VALIDITY.get(METRICS[tally.metric].file),
    }


def _all_rows(files: Iterable[str], folder: Any, sources: Any, curves: Any) -> Iterator[Mapping[str, str]]:
    """Rows of one scorer after the other, so that only one network is in memory."""
    from tqdm import tqdm

    from syncvoice.metrics.folders import scorer_of
    from syncvoice.metrics.lip_sync.curve import CurveWriter
    from syncvoice.metrics.lip_sync.distances import LipSyncScorer
    from syncvoice.metrics.scoring import scored

    for file in files:
        scorer = scorer_of(file, sources)
        if curves is not None and isinstance(scorer, LipSyncScorer):
            scorer.watch = CurveWriter(curves / file)
        work = tqdm(folder.work(file), scorer.NAME, total=len(folder.names), unit="utterance", disable=None)
        yield from scored(scorer, work)


def _tallied(
    rows: Iterable[Mapping[str, str]], tallies: dict[str, Tally], problems: dict[str, str]
) -> Iterator[Mapping[str, str]]:
    """Pass rows on and count them."""
    for row in rows:
        tallies.setdefault(row["metric"], Tally(row["metric"])).add(row)
        if row["status"] == "failed" and len(problems) < SHOWN_PROBLEMS:
            problems.setdefault(f"{row['utterance']} ({row['scorer']})", row["message"])
        yield row


def report(folder: Any, tallies: Mapping[str, Tally], problems: Mapping[str, str]) -> str:
    """The table for people: one line per metric, then what was found and what failed."""
    from syncvoice.commands.columns import column_of
    from syncvoice.metrics.registry import METRICS, validity_of

    lines = [("metric", "mean", "95 % interval", "scored / expected", "not applicable")]
    nowhere = [column_of(metric).title for metric, tally in tallies.items() if tally.nowhere]
    for metric, tally in tallies.items():
        if tally.nowhere:
            continue
        info, estimate = column_of(metric), tally.estimate()
        unit = f" {info.unit}" if info.unit else ""
        expected = tally.scored + tally.failed
        interval = f"{info.text(estimate.low)} to {info.text(estimate.high)}" if estimate.n else ""
        value = info.text(estimate.value) + unit if estimate.n else ""
        lines.append((info.title, value, interval, f"{tally.scored} / {expected}", str(tally.not_applicable or "")))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    table.insert(1, "  ".join("-" * width for width in widths))
    found = [f"{len(folder.generated)} generated"]
    found += [f"{len(folder.videos)} videos"] if folder.videos is not None else []
    found += [f"{len(folder.texts)} texts"] if folder.texts is not None else []
    found += [f"{len(folder.references)} references"] if folder.references else []
    notes = [f"Names found: {', '.join(found)}; {len(folder.names)} expected."]
    notes += [f"Not defined for any of these utterances: {', '.join(nowhere)}."] if nowhere else []
    notes += [f"{folder.unused} videos have no generated speech and were not scored."] if folder.unused else []
    notes += validity_of(METRICS[metric].file for metric in tallies)
    failed = sum(tally.failed for tally in tallies.values())
    notes.insert(0, f"Scored with {', '.join(dict.fromkeys(METRICS[metric].file for metric in tallies))}.")
    if failed:
        notes.append(f"{failed} rows failed; error rates count them as all wrong, shares in sync as not in sync,")
        notes.append("other means leave them out.")
        uncounted = max(tally.uncounted for tally in tallies.values())
        notes += [f"{uncounted} without a text are in no error rate: nobody knows their words."] if uncounted else []
        empty = [column_of(metric).title for metric, tally in tallies.items() if tally.failed and not tally.scored]
        notes += [f"Every utterance failed, so there is no value: {', '.join(empty)}."] if empty else []
        notes.append("The first ones:")
        notes += [f"  {name}: {message}" for name, message in problems.items()]
    return "\n".join([*table, "", *notes]) + "\n"
