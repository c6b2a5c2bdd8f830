"""`syncvoice check-syncnet`: may a small SyncNet score tables? Its check on recorded speech, as a JSON file."""

import argparse
import logging
from pathlib import Path

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--manifest", type=Path, nargs="+", required=True, help="clips that it has not learned from")
    parser.add_argument(
        "--weights", type=Path, default=Path("weights/syncnet.safetensors"), help="weights of the SyncNet"
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file of figures to write")


def run(args: argparse.Namespace) -> None:
    """Check SyncNet on the ground truth of the manifests' clips.

    Raises:
        UserError: an input cannot be read, or fewer than two clips can be used.
    """
    from syncvoice.files import sha256_of, write_json
    from syncvoice.metrics.lip_sync.check import sync_clips, syncnet_check
    from syncvoice.networks.syncnet import SyncNet
    from syncvoice.records.clips import clips_of

    network = SyncNet.load(args.weights)
    clips = {clip.id: clip for path in args.manifest for clip in clips_of(path)}
    check = syncnet_check(network, sync_clips(clips.values(), network.config.image_size))
    write_json(args.out, {**check.as_dict(), "weights_sha256": sha256_of(args.weights), "expected_clips": len(clips)})
    log.info("%s: %s", args.out, "passed" if check.passed else "NOT passed")
