"""`syncvoice compare`: which differences between rows survive correction, and what could have been detected."""

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "inputs", type=Path, nargs="+", help="score files or folders of them, one per row; or one table or its folder"
    )
    parser.add_argument("--baseline", help="row that the others are compared with (default: the first)")
    parser.add_argument("--all-pairs", action="store_true", help="compare every row with every other one")
    parser.add_argument("--metric", nargs="+", default=[], help="only these metrics")
    parser.add_argument("--group", default="all", choices=("all", "seen", "unseen"), help="voices, for tables")
    parser.add_argument("--resamples", type=int, default=10_000, help="of intervals and tests (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of the resamples (default: 0)")
    parser.add_argument("--json", action="store_true", help="print the comparisons as JSON instead of a table")
    parser.add_argument("--out", type=Path, help="CSV file to write as well")


def run(args: argparse.Namespace) -> None:
    """Compare, print, and write a CSV if asked to.

    Raises:
        UserError: an input cannot be read, or there is nothing to compare.
    """
    from syncvoice.commands.columns import all_columns
    from syncvoice.errors import UserError
    from syncvoice.reporting import comparison
    from syncvoice.reporting.settings import Bootstrap
    from syncvoice.reporting.tables import write_csv

    columns = all_columns()
    if args.resamples < 1:
        raise UserError(f"--resamples is {args.resamples}; at least 1 is needed, 1000 or more make sense")
    finished = [path for path in args.inputs if comparison.is_table(path)]
    if finished and len(args.inputs) > 1:
        raise UserError(f"{finished[0]} is a finished table; name one table or folder of tables, or only score files")
    if finished:
        frame = comparison.read_tables(args.inputs[0], columns, args.group, args.metric)
    else:
        frame = comparison.compare(
            comparison.read_scored(args.inputs),
            columns,
            baseline=args.baseline,
            all_pairs=args.all_pairs,
            metrics=args.metric,
            bootstrap=Bootstrap(resamples=args.resamples, seed=args.seed),
        )
    text = comparison.text(frame, columns, None if finished else args.resamples)
    sys.stdout.write(as_json(frame) if args.json else text)
    if args.out:
        write_csv(args.out, frame)
        log.info("wrote %s: %d comparisons", args.out, len(frame))


def as_json(frame: "pd.DataFrame") -> str:
    """Return comparisons as JSON: one object per metric and pair; rates are fractions, what is not known is null."""
    return str(frame.to_json(orient="records", indent=1, force_ascii=False, double_precision=10)) + "\n"
