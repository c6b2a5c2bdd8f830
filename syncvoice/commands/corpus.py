"""`syncvoice corpus`: make a shard of a split of the embedded corpus MiniDub, a recording of it, or the data card."""

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from syncvoice.errors import UserError
from syncvoice.files import atomic_path

if TYPE_CHECKING:
    from syncvoice.minidub.settings import CorpusJob

__all__ = ["configure", "run"]
log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--settings", type=Path, required=True, help="JSON file with seed, image_size and splits")
    parser.add_argument("--split", help="split to make")
    parser.add_argument("--shard", type=int, default=0, help="number of the shard, from 0")
    parser.add_argument("--out", type=Path, help="folder of the shard: clips/, clips.csv and phones.jsonl go there")
    parser.add_argument("--record", type=Path, metavar="ZIP", help="speak the split and keep the sounds, no faces")
    parser.add_argument("--card", type=Path, help="write the data card of these settings to this file")


def run(args: argparse.Namespace) -> None:
    """Make a shard, a recording, a data card, or several."""
    from syncvoice.minidub.settings import CorpusJob
    from syncvoice.section import read_settings

    job = read_settings(args.settings, CorpusJob)
    if args.split is None and args.card is None:
        raise UserError(
            "nothing to do: give --split with --out to make clips or with --record to keep their sounds, or --card to"
            " write the data card"
        )
    if args.split is not None and args.record is not None:
        from syncvoice.minidub.spoken import record

        log.info("%s: %d clips", args.record, record(job, args.split, args.record))
    elif args.split is not None:
        _make(job, args.split, args.shard, args.out)
    if args.card is not None:
        from syncvoice.minidub.corpus import data_card

        with atomic_path(args.card) as temporary:
            temporary.write_text(data_card(job), encoding="utf-8")


def _make(job: "CorpusJob", split: str, shard: int, out: Path | None) -> None:
    """Make one shard with one thread: threads change no byte, but jobs run side by side."""
    if out is None:
        raise UserError(f"--out is missing: name the folder for the clips of split {split!r}")
    import cv2

    from syncvoice.minidub.corpus import make_shard

    cv2.setNumThreads(1)
    log.info("%s: %d clips", out, make_shard(job, split, shard, out))
