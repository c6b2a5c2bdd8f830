"""`syncvoice features`: compute one cached feature for one shard."""

import argparse
from pathlib import Path


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--settings", type=Path, help="JSON file with feature, extractor (its name) and its settings")
    how.add_argument("--extractor", help="name of an extractor, with its default settings")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the shard (.cuts.jsonl.gz)")
    parser.add_argument("--out", type=Path, required=True, help="shard to write (.h5)")


def run(args: argparse.Namespace) -> None:
    """Compute the feature; only the named extractor's module is imported.

    Raises:
        UserError: unknown extractor or settings, missing weights, or clips that cannot be read.
    """
    from syncvoice.features.base import FeatureJob, make_extractor
    from syncvoice.features.cache import extract_shard
    from syncvoice.records.clips import clips_of
    from syncvoice.section import read_settings

    if args.settings:
        job = read_settings(args.settings, FeatureJob)
    else:
        job = FeatureJob(feature=args.extractor, extractor=args.extractor)
    extractor, clips = make_extractor(job.extractor, job.settings), clips_of(args.manifest)
    if "track_sha256" in extractor.source_fields:  # clips without picture have no visual features
        clips = [clip for clip in clips if clip.track is not None]
    extract_shard(args.out, extractor, clips, job.feature)
