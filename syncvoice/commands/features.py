"""`syncvoice features`: compute one cached feature for one shard."""

import argparse
from pathlib import Path

from syncvoice.features.base import make_extractor
from syncvoice.features.cache import extract_shard
from syncvoice.files import read_json
from syncvoice.records.clips import clips_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--feature", required=True, help="mel, lip, face, speaker, text, or another name of the study")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the shard (.cuts.jsonl.gz)")
    parser.add_argument("--settings", type=Path, help="JSON file with extractor (its name) and settings (its options)")
    parser.add_argument("--out", type=Path, required=True, help="shard to write (.h5)")


def run(args: argparse.Namespace) -> None:
    """Compute the feature."""
    settings = read_json(args.settings) if args.settings else {}
    extractor = make_extractor(settings.get("extractor", args.feature), settings.get("settings"))
    clips = clips_of(args.manifest)
    if "track_sha256" in extractor.source_fields:  # clips without picture have no visual features
        clips = [clip for clip in clips if clip.track is not None]
    extract_shard(args.out, extractor, clips, args.feature)
