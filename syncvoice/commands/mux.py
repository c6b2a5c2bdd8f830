"""`syncvoice mux`: put generated speech on its videos, for people to watch."""

import argparse
import csv
import io
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from syncvoice import clocks
from syncvoice.errors import UserError
from syncvoice.files import atomic_path
from syncvoice.records.clips import clips_of
from syncvoice.records.speech import read_speech, sound_of
from syncvoice.records.tasks import read_task

COLUMNS = ("utterance", "point", "video", "status", "message")
if TYPE_CHECKING:
    import numpy as np

log = logging.getLogger(__name__)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--task", type=Path, required=True, help="list of utterances (.csv)")
    parser.add_argument(
        "--speech", type=Path, required=True, help="folder with utterances.csv and the generated speech"
    )
    parser.add_argument("--manifest", type=Path, required=True, help="manifest of the dubbed split")
    parser.add_argument("--out", type=Path, required=True, help="folder for the videos and videos.csv")


def run(args: argparse.Namespace) -> None:
    """Write one MP4 per utterance with status ok, and videos.csv with a row for every utterance."""
    from tqdm import tqdm

    videos = {clip.id: clip.video for clip in clips_of(args.manifest)}
    clip_of = {utterance.utterance: utterance.clip for utterance in read_task(args.task)}
    rows = []
    for row in tqdm(read_speech(args.speech), desc="mux", unit="clip", mininterval=5):
        status, message = row["status"], row["message"]
        relative = Path(row["point"]) / f"{row['utterance']}.mp4"
        if status == "ok":
            try:
                video = videos.get(clip_of.get(row["utterance"], ""))
                _mux_one(video, sound_of(args.speech, row, clocks.SAMPLE_RATE), args.out / relative)
            except UserError as error:
                log.warning("%s: %s", row["utterance"], error)
                status, message = "failed", str(error)
        rows.append((row["utterance"], row["point"], relative if status == "ok" else "", status, message))
    _write_rows(args.out / "videos.csv", rows)


def _mux_one(video: Path | None, audio: "np.ndarray", out: Path) -> None:
    """Write one video.

    Raises:
        UserError: no video, or video or sound cannot be read.
    """
    from syncvoice.video.mux import put_sound

    if video is None:
        raise UserError("its clip has no video in the manifest; check that task and manifest belong together")
    put_sound(video, audio, out)


def _write_rows(path: Path, rows: Sequence[tuple[object, ...]]) -> None:
    """Write videos.csv, atomically."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows)
    with atomic_path(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
