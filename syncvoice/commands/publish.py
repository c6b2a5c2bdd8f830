"""`syncvoice publish`: keep a run's tables and plots, and put its main figures into README and docs."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--study", type=Path, required=True, help="results of a study, e.g. results/mini")
    parser.add_argument("--out", type=Path, required=True, help="folder to keep them in, e.g. results/reference/mini")
    parser.add_argument(
        "--documents", type=Path, help="folder with README.md and docs/ whose blocks of results are replaced, e.g. ."
    )
    parser.add_argument(
        "--shown", type=Path, default=Path("config/shown"), help="folder with STUDY.yaml: what each document shows"
    )
    parser.add_argument("--made-by", default="make results", help="the command that made the results")


def run(args: argparse.Namespace) -> None:
    """Copy, then rewrite the blocks."""
    import logging

    from syncvoice.commands.columns import all_columns
    from syncvoice.files import atomic_path
    from syncvoice.reporting.publish import keep
    from syncvoice.reporting.results_block import fill, read_shown, results_block

    shown = read_shown(args.shown / f"{args.out.name}.yaml") if args.documents else {}
    written = keep(args.study, args.out)
    logging.getLogger(__name__).info("%d files in %s", len(written), args.out)
    for document, parts in shown.items():
        results = results_block(parts, args.out, all_columns(), args.made_by, document)
        path = args.documents / document
        text = fill(path.read_text(encoding="utf-8"), args.out.name, results)
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
