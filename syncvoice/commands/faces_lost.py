"""`syncvoice faces-lost`: the table of clips and frames whose face is lost in perturbed video."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from syncvoice.records.clips import Clip
    from syncvoice.reporting.faces_lost import Seen
    from syncvoice.reporting.settings import Bootstrap


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--study-root", type=Path, required=True, help="results/STUDY: settings/ and manifests/")
    parser.add_argument("--out", type=Path, required=True, help="table to write (.csv); .md beside it")


def run(args: argparse.Namespace) -> None:
    """Compare the tracks of every perturbed split with those of the clips that it was made from; write the table.

    Raises:
        UserError: a file is missing.
    """
    import pandas as pd

    from syncvoice.files import atomic_path
    from syncvoice.reporting.faces_lost import COLUMNS, markdown
    from syncvoice.reporting.settings import FacesLostJob
    from syncvoice.section import read_settings

    job = read_settings(args.study_root / "settings" / "faces_lost.json", FacesLostJob)
    lines = [_line(args.study_root, dataset, split, job.bootstrap) for dataset, split in job.splits]
    table = pd.DataFrame(lines, columns=list(COLUMNS))
    with atomic_path(args.out) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")
    with atomic_path(args.out.with_suffix(".md")) as temporary:
        temporary.write_text(markdown(table.to_dict("records")), encoding="utf-8")


def _line(root: Path, dataset: str, split: str, bootstrap: "Bootstrap") -> dict[str, object]:
    """Return the line of one split."""
    from syncvoice.datasets.perturbed import PerturbJob
    from syncvoice.records.clips import clips_of, read_excluded
    from syncvoice.reporting.faces_lost import faces_lost
    from syncvoice.section import read_settings

    content = read_settings(root / "settings" / "perturbed" / dataset / f"{split}.json", PerturbJob).content
    manifests = root / "manifests" / dataset
    kept = _seen(clips_of(manifests / f"{split}.cuts.jsonl.gz"))
    clean = _seen([clip for clip in clips_of(manifests / f"{content.of}.cuts.jsonl.gz") if clip.id in kept])
    reasons = [row.reason for row in read_excluded(manifests / f"{split}.excluded.csv")]
    what = {"split": split, "of": content.of, "kind": content.perturb.kind, "amount": content.perturb.amount}
    return faces_lost(clean, kept, reasons, what, bootstrap)


def _seen(clips: "Sequence[Clip]") -> "dict[str, Seen]":
    """Read the tracks of clips."""
    from syncvoice.reporting.faces_lost import Seen
    from syncvoice.video.store import TrackReader

    seen = {}
    for clip in clips:
        if clip.track is not None:
            with TrackReader(clip.track) as reader:
                track = reader.track(clip.id)
            seen[clip.id] = Seen(track.landmarks, track.found)
    return seen
