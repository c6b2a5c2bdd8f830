"""`syncvoice embed-lips`: look at the lips of a shard of clips once, for the lip-sync scores of all rows."""

import argparse
from pathlib import Path

from syncvoice.commands.named_weights import add_weight_options, networks_of


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--scorer", required=True, help="module:Class inside syncvoice/metrics/lip_sync")
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the shard (.cuts.jsonl.gz)")
    add_weight_options(parser)
    parser.add_argument("--out", type=Path, required=True, help="shard to write (.h5)")


def run(args: argparse.Namespace) -> None:
    """Embed and write; only the named scorer's module is imported.

    Raises:
        UserError: there is no such scorer, weights are missing, or the manifest cannot be read.
    """
    from syncvoice.errors import UserError
    from syncvoice.metrics.lip_sync.distances import LipSyncScorer
    from syncvoice.metrics.lip_sync.seen import write_lips
    from syncvoice.metrics.scorer import Sources, load_scorer
    from syncvoice.records.clips import clips_of

    clips = {clip.id: clip for clip in clips_of(args.manifest)}
    # A shard is gone through once: no clip need be remembered.
    sources = Sources(args.weights, clips, {}, networks_of(args.network), args.assets, remember=1)
    scorer = load_scorer(args.scorer, sources)
    if not isinstance(scorer, LipSyncScorer):
        raise UserError(f"--scorer {args.scorer} looks at no lips; expected a scorer of syncvoice/metrics/lip_sync")
    write_lips(args.out, scorer, clips.values())
