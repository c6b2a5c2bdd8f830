"""`syncvoice publish`: keep a run's tables and plots, and put its main figures into the README."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--study", type=Path, required=True, help="results of a study, e.g. results/mini")
    parser.add_argument("--out", type=Path, required=True, help="folder to keep them in, e.g. results/reference/mini")
    parser.add_argument("--readme", type=Path, help="README whose results block is replaced")
    parser.add_argument("--made-by", default="make results", help="the command that made the results")


def run(args: argparse.Namespace) -> None:
    """Copy, then rewrite the block."""
    import logging

    from syncvoice.files import atomic_path
    from syncvoice.reporting.publish import fill, keep, results_block

    written = keep(args.study, args.out)
    logging.getLogger(__name__).info("%d files in %s", len(written), args.out)
    if args.readme:
        block = results_block(args.out, args.made_by)
        text = fill(args.readme.read_text(encoding="utf-8"), args.out.name, block)
        with atomic_path(args.readme) as temporary:
            temporary.write_text(text, encoding="utf-8")
