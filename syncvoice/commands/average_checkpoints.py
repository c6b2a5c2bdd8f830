"""`syncvoice average-checkpoints`: mean weights between two public training files."""

import argparse
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--start", type=Path, required=True, help="earlier training file; the mean begins after it")
    parser.add_argument("--end", type=Path, required=True, help="later training file")
    parser.add_argument("--out", type=Path, required=True, help="weights to write (.safetensors or .pt), float32")


def run(args: argparse.Namespace) -> None:
    """Average and write."""
    from syncvoice.model.public_layout import average_between, write_state

    write_state(args.out, average_between(args.start, args.end))
    log.info("mean of %s to %s: %s", args.start, args.end, args.out)
