"""`syncvoice alignment-report`: the error of forced alignment against known word times."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--manifest", type=Path, required=True, help="clips with word times (.cuts.jsonl.gz)")
    parser.add_argument(
        "--recogniser", action="append", required=True, metavar="NAME=FILE", help="weights; may be given several times"
    )
    parser.add_argument("--out", type=Path, required=True, help="table to write (.csv); .md beside it")


def run(args: argparse.Namespace) -> None:
    """Align, compare and write the table as CSV and Markdown.

    Raises:
        UserError: weights are missing, or no clip has word times.
    """
    import pandas as pd

    from syncvoice.commands.named_weights import networks_of
    from syncvoice.files import atomic_path, sha256_of
    from syncvoice.networks.recogniser import CtcRecogniser
    from syncvoice.records.clips import clips_of
    from syncvoice.reporting.alignment import COLUMNS, alignment_report, markdown

    files = networks_of(args.recogniser)
    recognisers = {name: (CtcRecogniser.load(path), sha256_of(path)) for name, path in files.items()}
    table = pd.DataFrame(alignment_report(recognisers, clips_of(args.manifest)), columns=list(COLUMNS))
    with atomic_path(args.out) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")
    with atomic_path(args.out.with_suffix(".md")) as temporary:
        temporary.write_text(markdown(table.to_dict("records")), encoding="utf-8")
