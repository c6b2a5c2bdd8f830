"""`syncvoice perturb`: make one shard of a split whose clips are those of another, made worse on purpose."""

import argparse
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--settings", type=Path, required=True, help="JSON file: which clips, and what is done to them")
    parser.add_argument("--manifest", type=Path, required=True, help="prepared clips of the split that is taken")
    parser.add_argument("--shard", type=int, default=0, help="number of the shard, from 0")
    parser.add_argument("--out", type=Path, required=True, help="folder for clips/, clips.csv and phones.jsonl")


def run(args: argparse.Namespace) -> None:
    """Make the shard."""
    import cv2

    from syncvoice.datasets.perturbed import PerturbJob, make_perturbed
    from syncvoice.records.clips import clips_of
    from syncvoice.section import read_settings

    cv2.setNumThreads(1)  # jobs run side by side
    job = read_settings(args.settings, PerturbJob)
    log.info("%s: %d clips", args.out, make_perturbed(clips_of(args.manifest), job, args.shard, args.out))
