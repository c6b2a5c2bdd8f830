"""`syncvoice inspect-checkpoint`: what a weight file holds, without running anything in it."""

import argparse
import sys
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, help="weights or training checkpoint (.safetensors, .pt)")
    parser.add_argument("--config", type=Path, help="model.json of public ZipVoice weights to compare names and shapes")
    parser.add_argument(
        "--key", help="entry of the file that holds the weights, e.g. model_avg; found by name if absent"
    )


def run(args: argparse.Namespace) -> None:
    """Print the report."""
    from syncvoice.model.inspection import report

    sys.stdout.write(report(args.file, args.key, args.config))
