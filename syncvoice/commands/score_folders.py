"""`syncvoice score --generated DIR`: score a folder with several metrics, write the rows, print a table."""

import argparse
import logging
import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from syncvoice.commands.named_weights import networks_of
from syncvoice.errors import UserError

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
            self.words.append(float(row.get("words") or 1))
            self.errors.append(float(row.get("errors") or 1))

    @property
    def nowhere(self) -> bool:
        """Whether the metric is defined for no utterance."""
        return not self.scored and self.not_applicable > 0

    def estimate(self) -> Any:
        """Mean, or corpus rate, with its bootstrap interval."""
        from syncvoice.commands.columns import column_of
        from syncvoice.reporting.statistics import mean_estimate, rate_estimate

        if column_of(self.metric).errors_over_words:
            return rate_estimate(self.errors, self.words, self.metric)
        return mean_estimate(self.values, self.metric)


def score_folders(args: argparse.Namespace) -> None:
    """Score a folder of files.

    Raises:
        UserError: an argument is missing or contradicts another, an input is missing, a metric is unknown.
    """
    from syncvoice.metrics.folders import Folder, chosen_files
    from syncvoice.metrics.registry import METRICS
    from syncvoice.records.scores import write_rows

    if args.metric is None:
        raise UserError("syncvoice score --generated needs --metric, for instance lse,wer,sim,mos")
    if args.task or args.speech or args.manifest:
        raise UserError("--generated scores a folder without a study; leave out --task, --speech, --manifest")
    if len(args.references) > 1:
        raise UserError("--references takes one folder or one recording together with --generated")
    references = args.references[0] if args.references else None
    folder = Folder.open(args.generated, args.videos, args.texts, references, args.subset)
    overrides = networks_of(args.network)
    options = {"jpeg": args.jpeg, "dtype": args.dtype}
    sources = folder.sources(args.weights, assets=args.assets, overrides=overrides, options=options)
    files = chosen_files(args.metric, folder, sources)
    log.info("scoring %d utterances with %s", len(folder.names), ", ".join(files))
    tallies: dict[str, Tally] = {}
    problems: dict[str, str] = {}
    rows = _all_rows(files, folder, sources, args.curves)
    counts = any(METRICS[name].errors_over_words for name in METRICS if METRICS[name].file in files)
    write_rows(args.out, _tallied(rows, tallies, problems), counts)
    sys.stdout.write(report(folder, tallies, problems))
    log.info("wrote %s", args.out)


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
        notes.append("other means leave them out. The first ones:")
        notes += [f"  {name}: {message}" for name, message in problems.items()]
    return "\n".join([*table, "", *notes]) + "\n"
