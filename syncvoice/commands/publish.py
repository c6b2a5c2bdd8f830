"""`syncvoice publish`: keep a run's tables and plots, and put its main figures into the README."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--study", type=Path, required=True, help="results of a study, e.g. results/mini")
    parser.add_argument("--out", type=Path, required=True, help="folder to keep them in, e.g. results/reference/mini")
    parser.add_argument("--readme", type=Path, help="README whose results block is replaced")
    parser.add_argument(
        "--blocks", type=Path, default=Path("config/readme"), help="folder with STUDY.yaml: what the README shows"
    )
    parser.add_argument("--made-by", default="make results", help="the command that made the results")


def run(args: argparse.Namespace) -> None:
    """Copy, then rewrite the block."""
    import logging

    from syncvoice.commands.columns import all_columns
    from syncvoice.files import atomic_path
    from syncvoice.reporting.publish import keep
    from syncvoice.reporting.readme_block import fill, read_block, results_block

    block = read_block(args.blocks / f"{args.out.name}.yaml") if args.readme else None
    written = keep(args.study, args.out)
    logging.getLogger(__name__).info("%d files in %s", len(written), args.out)
    if block is not None:
        results = results_block(block, args.out, all_columns(), args.made_by)
        text = fill(args.readme.read_text(encoding="utf-8"), args.out.name, results)
        with atomic_path(args.readme) as temporary:
            temporary.write_text(text, encoding="utf-8")
