"""`syncvoice contact-sheet`: draw what a person looks at before training on a split."""

import argparse
import logging
from pathlib import Path

logger = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the split (.cuts.jsonl.gz)")
    parser.add_argument("--excluded", type=Path, help="list of its excluded clips (.csv)")
    parser.add_argument("--title", help="heading of the sheet (default: data set and split of the manifest)")
    parser.add_argument("--clips", type=int, default=8, help="number of clips to show (default: 8)")
    parser.add_argument("--out", type=Path, required=True, help="picture to write (.jpg)")


def run(args: argparse.Namespace) -> None:
    """Write the sheet."""
    from syncvoice.records.clips import clips_of, read_excluded
    from syncvoice.reporting.contact_sheet import contact_sheet, save

    clips = clips_of(args.manifest)
    excluded = read_excluded(args.excluded) if args.excluded else []
    title = args.title or (f"{clips[0].dataset}, {clips[0].split}" if clips else args.manifest.name.split(".")[0])
    save(contact_sheet(title, clips, excluded, args.clips), args.out)
    logger.info("wrote %s", args.out)
