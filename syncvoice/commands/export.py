"""`syncvoice export`: the weights that inference needs, from a training checkpoint."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("checkpoint", type=Path, help="state/step=N.ckpt of a recipe with keep_checkpoints")
    parser.add_argument(
        "--average-from", type=Path, help="earlier checkpoint of the run: average the weights between the two"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder for model.safetensors, metadata.json, curve.csv"
    )


def run(args: argparse.Namespace) -> None:
    """Export."""
    from syncvoice.training.export import export_checkpoint

    export_checkpoint(args.checkpoint, args.out, args.average_from)
