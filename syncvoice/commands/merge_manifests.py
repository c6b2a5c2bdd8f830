"""`syncvoice merge-manifests`: join the manifests and exclusion lists of all shards of a split."""

import argparse
from pathlib import Path

from syncvoice.records.clips import merge_manifests, read_excluded, write_excluded


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--inputs", type=Path, nargs="+", required=True, help="manifests of the shards")
    parser.add_argument("--excluded-inputs", type=Path, nargs="*", default=[], help="exclusion lists of the shards")
    parser.add_argument("--out", type=Path, required=True, help="manifest to write (.cuts.jsonl.gz)")
    parser.add_argument("--excluded", type=Path, help="exclusion list to write (.csv)")


def run(args: argparse.Namespace) -> None:
    """Join the files."""
    merge_manifests(args.inputs, args.out)
    if args.excluded:
        write_excluded(args.excluded, [row for path in args.excluded_inputs for row in read_excluded(path)])
