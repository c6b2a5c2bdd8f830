"""`syncvoice summary`: say what a finished study found and what to open."""

import argparse
import sys
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--study", type=Path, required=True, help="results of a study, e.g. results/mini")


def run(args: argparse.Namespace) -> None:
    """Print short tables, notes and what to open; write cost.md beside the results.

    Raises:
        UserError: there are no results.
    """
    from syncvoice.errors import UserError
    from syncvoice.reporting.summary import summary, write_cost

    if not args.study.is_dir():
        raise UserError(f"{args.study} does not exist; run the study first (make results)")
    write_cost(args.study)
    sys.stdout.write(summary(args.study))
