"""`syncvoice start-weights`: a fine-tuned model becomes start weights and the model to dub with."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--model", type=Path, required=True, help="folder of an exported recipe")
    parser.add_argument("--start", type=Path, required=True, help="start weights that it was fine-tuned from")
    parser.add_argument("--out", type=Path, required=True, help="folder for dubbing_start.* and dubbing.*")


def run(args: argparse.Namespace) -> None:
    """Split the model."""
    from syncvoice.dubbing.start_weights import make_start_weights

    make_start_weights(args.model, args.start, args.out)
