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
    parser.add_argument("--propose", type=Path, help="write a first key map here (.yaml), see config/foreign/README.md")


def run(args: argparse.Namespace) -> None:
    """Print the report; write the proposal."""
    from syncvoice.model.inspection import report
    from syncvoice.outputs import check_output

    if args.propose:
        check_output(args.propose, {"checkpoint": args.file})
    sys.stdout.write(report(args.file, args.key, args.config))
    if args.propose:
        from syncvoice.model.map_proposal import propose, write_proposal
        from syncvoice.records.weights import read_state_dict

        found = propose(read_state_dict(args.file, args.key))
        write_proposal(args.propose, found, args.file)
        counts = f"{len(found.rules)} rules, {len(found.left)} tensors not placed"
        sys.stdout.write(f"\nkey map {args.propose}: {counts}; look at every line\n")
