"""`syncvoice describe-model`: write down which extractors the features of an older model came from."""

import argparse
import sys
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("model", type=Path, help="weight file or folder of a model whose metadata say it not")
    parser.add_argument(
        "--condition", action="append", required=True, metavar="CONDITION=EXTRACTOR", help="e.g. lip=mesh_lip; repeat"
    )


def run(args: argparse.Namespace) -> None:
    """Write the entry `conditions` of the metadata.

    Raises:
        UserError: an option is no CONDITION=EXTRACTOR, or model and extractor do not fit together.
    """
    from syncvoice.dubbing.model import describe
    from syncvoice.errors import UserError

    extractors = dict(text.partition("=")[::2] for text in args.condition)
    if not all(extractors.values()):
        raise UserError(f"--condition {' '.join(args.condition)}: expected CONDITION=EXTRACTOR, e.g. lip=mesh_lip")
    sys.stdout.write(f"{describe(args.model, extractors)}: {', '.join(extractors)}\n")
